package kernels

import (
	goruntime "runtime"
	"sync/atomic"
)

// Pool is a fixed set of workers that run the pieces of one operation at a
// time. The caller's goroutine is worker 0. Nothing is allocated by Run.
//
// A step of a model is some hundred operations of a few to some hundred
// microseconds with next to nothing in between, and waking a goroutine takes some
// microseconds. So workers first look out for the next operation for about as long
// as the work between two takes, and only then go to sleep.
type Pool struct {
	sleepers []sleeper // one for each worker but the caller
	caller   sleeper
	closed   bool

	// The operation in progress.
	items int
	chunk int
	f     func(worker, lo, hi int)
	spins int // how often to look before sleeping, at its end and after it

	_       [64]byte // each of these is on a cache line of its own
	round   atomic.Uint32
	_       [60]byte
	next    atomic.Int64
	_       [56]byte
	running atomic.Int32 // workers that are not done
	_       [60]byte
}

// spins is how often a worker looks before it sleeps: for some 150 µs, several times
// what waking takes, or else two who sleep and wake in turn would go on doing so.
const spins = 4000

// NewPool starts a pool of n workers; n <= 0 means one for each processor that
// Go may use. Close ends them.
func NewPool(n int) *Pool {
	if n <= 0 {
		n = goruntime.GOMAXPROCS(0)
	}
	p := &Pool{sleepers: make([]sleeper, n-1)}
	p.look()
	p.caller.init()
	for i := range p.sleepers {
		p.sleepers[i].init()
		go p.serve(i+1, &p.sleepers[i], p.spins)
	}
	return p
}

// Workers returns how many workers the pool has.
func (p *Pool) Workers() int { return len(p.sleepers) + 1 }

// Close ends the workers. Run must not be called after it.
func (p *Pool) Close() {
	if p.closed {
		return
	}
	p.closed = true
	p.start()
	p.sleepers = nil
}

// Run calls f for consecutive ranges [lo, hi) that together cover [0, items),
// each of at most chunk items, on all workers, and returns when all are done; a
// pool of one worker has all items in one range. worker is below Workers(); calls
// with the same worker never overlap. A pool runs one operation at a time.
func (p *Pool) Run(items, chunk int, f func(worker, lo, hi int)) {
	if len(p.sleepers) == 0 || items <= chunk {
		if items > 0 {
			f(0, 0, items)
		}
		return
	}
	p.items, p.chunk, p.f = items, chunk, f
	p.look()
	p.next.Store(0)
	p.start()
	p.work(0)
	p.caller.wait(p.spins, func() bool { return p.running.Load() == 0 })
	p.f = nil
}

// look decides whether workers look out for work: not where there are more of them
// than processors that Go may use, or else they would be in each other's way. Go
// itself uses fewer than it did when the share of a container shrinks.
func (p *Pool) look() {
	p.spins = 0
	if p.Workers() <= goruntime.GOMAXPROCS(0) {
		p.spins = spins
	}
}

// start tells the workers that there is something to do.
func (p *Pool) start() {
	p.running.Store(int32(len(p.sleepers)))
	p.round.Add(1)
	for i := range p.sleepers {
		p.sleepers[i].wake()
	}
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

// serve is the life of a worker, which looks so often before it first sleeps.
func (p *Pool) serve(worker int, s *sleeper, spins int) {
	var seen uint32
	for {
		s.wait(spins, func() bool { return p.round.Load() != seen })
		seen++
		if p.closed {
			return
		}
		spins = p.spins // the next operation may change it as soon as this one is done
		p.work(worker)
		if p.running.Add(-1) == 0 {
			p.caller.wake()
		}
	}
}

// A sleeper is a goroutine that waits for something to become true, which others
// make true and then call wake.
type sleeper struct {
	asleep atomic.Bool
	bell   chan struct{}
	_      [48]byte
}

func (s *sleeper) init() { s.bell = make(chan struct{}, 1) }

// wait returns when done does. It asks as often as spins says and then sleeps.
func (s *sleeper) wait(spins int, done func() bool) {
	for range spins {
		if done() {
			return
		}
		pause()
	}
	for !done() {
		s.asleep.Store(true)
		if done() && s.asleep.CompareAndSwap(true, false) {
			return // nobody has seen it asleep
		}
		<-s.bell
	}
}

// wake rings if the goroutine is asleep, or about to be.
func (s *sleeper) wake() {
	if s.asleep.CompareAndSwap(true, false) {
		s.bell <- struct{}{}
	}
}
