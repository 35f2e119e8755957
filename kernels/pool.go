package kernels

import (
	goruntime "runtime"
	"sync"
	"sync/atomic"
)

// Pool is a fixed set of workers that run the pieces of one operation at a
// time. The caller's goroutine is worker 0. Nothing is allocated by Run.
type Pool struct {
	wake []chan struct{} // one for each worker but the caller
	done sync.WaitGroup

	// The operation in progress.
	next  atomic.Int64
	items int
	chunk int
	f     func(worker, lo, hi int)
}

// NewPool starts a pool of n workers; n <= 0 means one for each processor that
// Go may use. Close ends them.
func NewPool(n int) *Pool {
	if n <= 0 {
		n = goruntime.GOMAXPROCS(0)
	}
	p := &Pool{wake: make([]chan struct{}, n-1)}
	for i := range p.wake {
		wake := make(chan struct{})
		p.wake[i] = wake
		go func() {
			for range wake {
				p.work(i + 1)
				p.done.Done()
			}
		}()
	}
	return p
}

// Workers returns how many workers the pool has.
func (p *Pool) Workers() int { return len(p.wake) + 1 }

// Close ends the workers. Run must not be called after it.
func (p *Pool) Close() {
	for _, c := range p.wake {
		close(c)
	}
	p.wake = nil
}

// Run calls f for consecutive ranges [lo, hi) that together cover [0, items),
// each of at most chunk items, on all workers, and returns when all are done.
// worker is below Workers(); calls with the same worker never overlap.
// A pool runs one operation at a time.
func (p *Pool) Run(items, chunk int, f func(worker, lo, hi int)) {
	if len(p.wake) == 0 || items <= chunk {
		if items > 0 {
			f(0, 0, items)
		}
		return
	}
	p.items, p.chunk, p.f = items, chunk, f
	p.next.Store(0)
	p.done.Add(len(p.wake))
	for _, c := range p.wake {
		c <- struct{}{}
	}
	p.work(0)
	p.done.Wait()
	p.f = nil
}

func (p *Pool) work(worker int) {
	for {
		lo := int(p.next.Add(int64(p.chunk))) - p.chunk
		if lo >= p.items {
			return
		}
		p.f(worker, lo, min(lo+p.chunk, p.items))
	}
}
