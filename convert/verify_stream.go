package convert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	goruntime "runtime"
	"sync"

	"lladakit/internal/gguf"
)

// piece is a run of rows of one part, or of bytes that have no source.
type piece struct {
	data   []byte
	part   *part // nil where there is nothing to compare with
	row, n int
	tally  tally
	done   chan struct{}
}

// stream reads the file and its source once, side by side, in the file's order:
// it hashes every tensor and compares every part.
func (v *verifier) stream(ctx context.Context) error {
	workers := v.opt.Threads
	if workers <= 0 {
		workers = goruntime.GOMAXPROCS(0)
	}
	workers = min(workers, maxWorkers)
	work := make(chan *piece)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			var m meter
			for p := range work {
				if p.part != nil {
					p.tally = m.measure(p.part, p.row, p.part, p.row, p.n)
				}
				p.done <- struct{}{}
			}
		})
	}
	defer running.Wait() // the workers read mapped files, which the caller may close
	defer close(work)

	var done, total int64
	for i := range v.file.Tensors {
		total += int64(v.file.Tensors[i].Bytes())
	}
	model := sha256.New()
	for i := range v.file.Tensors {
		t := &v.file.Tensors[i]
		hash := sha256.New()
		// In order, so that neither the digest nor sums of floats depend on the
		// workers.
		collect := func(p *piece) {
			<-p.done
			hash.Write(p.data)
			if p.part != nil {
				p.part.tally.add(&p.tally, p.row*p.part.cols)
				size := len(p.part.source.data) / p.part.rows
				p.part.source.release(int64(p.row*size), int64(p.n*size))
			}
			done += int64(len(p.data))
			if v.opt.Progress != nil {
				v.opt.Progress(done, total)
			}
		}
		var queue []*piece
		for p := range v.pieces(t) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if len(queue) == 2*workers {
				collect(queue[0])
				queue = queue[1:]
			}
			queue = append(queue, p)
			work <- p
		}
		for _, p := range queue {
			if err := ctx.Err(); err != nil {
				return err
			}
			collect(p)
		}
		v.file.Release(t)
		sum := hash.Sum(nil)
		model.Write(sum)
		v.checks = append(v.checks, newCheck(t, v.places[t.Name], hex.EncodeToString(sum)))
	}
	v.digest = hex.EncodeToString(model.Sum(nil))
	return nil
}

// pieces cuts a tensor of the file. The pieces cover all of its bytes.
func (v *verifier) pieces(t *gguf.Tensor) func(yield func(*piece) bool) {
	return func(yield func(*piece) bool) {
		rest := t.Data
		send := func(p *piece, size int) bool {
			p.data, rest, p.done = rest[:size], rest[size:], make(chan struct{}, 1)
			return yield(p)
		}
		for _, p := range v.places[t.Name] {
			most := max(1, chunkWeights/p.cols)
			for row := 0; row < p.rows; row += most {
				n := min(most, p.rows-row)
				if !send(&piece{part: p, row: row, n: n}, n*(len(p.stored.Data)/p.rows)) {
					return
				}
			}
		}
		for len(rest) > 0 {
			if !send(&piece{}, min(4*chunkWeights, len(rest))) {
				return
			}
		}
	}
}
