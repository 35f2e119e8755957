package runtime

import (
	"sync/atomic"

	"lladakit/internal/mmap"
	"lladakit/kernels"
)

// fetchAhead is about how many bytes of weights are asked for before they are used:
// as much as keeps a disk busy, and little beside any memory.
const fetchAhead = 16 << 20

// fetch asks the system for the pages of a layer's experts while others are being
// computed, in the order of their use. It is for models that are larger than the
// memory: without it every page that is missing stops a worker, and the system reads
// many pages around it, most of which are of experts that no row has chosen.
//
// Note: this makes the bytes that are read two to four times fewer, and a step that
// waits for the disk two to three times shorter. For a model that fits into memory
// it changes nothing measurable even if none of it is there yet, and when all is
// there every request costs a call of the system for nothing. Nor is there anything
// to ask for before: a layer's router needs what its attention computes, so experts
// are known when they are wanted, and what runs before that takes little time. Telling the system that pages are used at random
// (MADV_RANDOM) brings nothing beside requests, which come first. To measure, run
// cmd/llada's TestLargerThanMemory.
type fetch struct {
	wanted []*kernels.Matrix // of the layer, in the order of their use
	ahead  int               // how many of them to be ahead
	next   atomic.Int32      // the first of wanted that nobody has asked for
	ask    func(part []byte)
}

func newFetch(experts int) *fetch {
	return &fetch{wanted: make([]*kernels.Matrix, 0, 3*(experts+1)), ask: mmap.WillNeed}
}

// begin lists the matrices of units.
func (f *fetch) begin(units []unit) {
	f.wanted = f.wanted[:0]
	size := 0
	for i := range units {
		f.wanted = append(f.wanted, &units[i].m.Gate, &units[i].m.Up)
	}
	for i := range units {
		f.wanted = append(f.wanted, &units[i].m.Down)
	}
	for _, m := range f.wanted {
		size += len(m.Data)
	}
	f.ahead = int(int64(fetchAhead) * int64(len(f.wanted)) / int64(max(1, size)))
	f.next.Store(0)
	f.reach(0)
}

// reach asks for what comes soon after wanted[at], which is used now. All workers
// may call it at a time.
func (f *fetch) reach(at int) {
	for end := min(at+1+f.ahead, len(f.wanted)); ; {
		i := f.next.Load()
		if int(i) >= end {
			return
		}
		if f.next.CompareAndSwap(i, i+1) {
			f.ask(f.wanted[i].Data)
		}
	}
}
