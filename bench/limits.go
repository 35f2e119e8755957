package bench

import (
	goruntime "runtime"
	"time"

	"lladakit/internal/mmap"
	"lladakit/kernels/peak"
	"lladakit/reports"
)

// Meter measures what the machine can do at most with a number of threads that all
// work at the same time: the arithmetic that products are made of, and reading
// memory. Where there are no loops for the processor, all limits are zero.
type Meter struct {
	best    reports.Limits
	memory  *mmap.File
	readers []peak.Loop
	copies  []peak.Loop // room for as many of one loop
}

// A sample has so many windows for each of the limits. They are short, so that on a
// busy machine some are undisturbed.
const (
	sampleWindows = 12
	sampleWindow  = 500 * time.Microsecond
)

// Bytes of memory that are read: several times as many as the largest cache has, if
// the memory has room.
const (
	leastRead = 64 << 20
	mostRead  = 1 << 30
	cacheful  = 6
)

// NewMeter makes a meter for a number of threads, 0 for one per processor that Go
// uses. It takes memory of several times the size of the caches; Close gives it back.
func NewMeter(threads int) *Meter {
	if threads <= 0 {
		threads = goruntime.GOMAXPROCS(0)
	}
	m := &Meter{best: reports.Limits{Threads: threads}}
	if !peak.Supported() {
		return m
	}
	s := system{"/", affinity()}
	size := uint64(leastRead)
	if len(s.cpus) > 0 {
		size = max(size, cacheful*s.cacheBytes(s.cpus[0]))
	}
	size = max(min(size, mostRead), uint64(threads)<<22)
	if free := mmap.Available(); free > 0 {
		size = min(size, free/4)
	}
	part := int(size) / threads &^ 4095
	if part < 1<<20 {
		return m // the limit of memory stays unknown
	}
	memory, err := mmap.Memory(part * threads)
	if err != nil {
		return m
	}
	m.memory = memory
	for i := 0; i < len(memory.Data); i += 4096 {
		memory.Data[i] = 1 // or else all pages would be the same one of zeros
	}
	for i := range threads {
		m.readers = append(m.readers, peak.Reader(memory.Data[i*part:(i+1)*part]))
	}
	return m
}

// Sample measures for some tens of milliseconds. The limits are the best of all
// samples: let them lie between the measurements that are held against them.
func (m *Meter) Sample() {
	if !peak.Supported() {
		return
	}
	for range sampleWindows {
		for _, x := range []struct {
			best *float64
			loop peak.Loop
		}{{&m.best.Int4, peak.Int4Loop}, {&m.best.Int8, peak.Int8Loop}, {&m.best.Float, peak.FloatLoop}} {
			m.copies = m.copies[:0]
			for range m.best.Threads {
				m.copies = append(m.copies, x.loop)
			}
			*x.best = max(*x.best, peak.Together(sampleWindow, m.copies...))
		}
		if len(m.readers) > 0 {
			m.best.Memory = max(m.best.Memory, peak.Together(sampleWindow, m.readers...))
		}
	}
}

// Limits returns the best so far.
func (m *Meter) Limits() reports.Limits { return m.best }

// Close gives the memory back. The limits stay.
func (m *Meter) Close() error {
	m.readers = nil
	if m.memory == nil {
		return nil
	}
	memory := m.memory
	m.memory = nil
	return memory.Close()
}
