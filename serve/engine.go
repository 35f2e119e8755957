package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lladakit/runtime"
)

// ErrBusy is returned when as many requests wait as may.
var ErrBusy = errors.New("the server is busy: its queue is full")

// ErrClosed is returned, and ends answers, when the engine is being closed.
var ErrClosed = errors.New("the server is shutting down")

// Failure is a panic in a pass of the model, which should never happen. It ends all
// answers, those that wait as well, and is returned for all requests after it: what the
// model computes after it could be wrong. A panic in one of the model's workers ends the
// program, as nothing can be done about it.
type Failure struct {
	Value any    // of the panic
	Stack []byte // of the goroutine
}

func (f *Failure) Error() string {
	return fmt.Sprintf("the model failed, which is a bug; start the server anew: %v", f.Value)
}

// EngineOptions say how much is done at a time. The zero value is for one machine at home.
type EngineOptions struct {
	Batch int // answers in the making at most; 0: 4
	Queue int // answers beyond those that wait for a place at most; 0: 32, below 0: none

	// Positions is how many positions of keys and values the answers in the making have
	// at most, those of their prompts and the longest that they may become. A request
	// waits until there is room, and those behind it wait with it; one that would never
	// have room is refused. 0: the context of the model, so that an answer of any length
	// has room, if alone. A position of LLaDA2.0-mini takes 40 KiB.
	Positions int

	// PromptCache, if not nil, is the model's, and remembers beginnings of prompts.
	PromptCache *runtime.PromptCache
}

// Engine answers requests with a model, which it alone uses until it is closed.
//
// Beside keys and values, a batch has buffers for its passes: for mini 0.22 MiB for
// every row, and rows for two blocks of every answer, or 256 for a prompt. They follow
// what the answers in the making need, and are let go when there is none.
type Engine struct {
	Model *runtime.Model
	opt   EngineOptions
	ended chan struct{} // closed when the goroutine is done

	mu     sync.Mutex
	work   sync.Cond
	queue  []*Answer // the first one is next
	places []*Answer // answers in the making
	closed bool
	failed *Failure
	stats  EngineStats

	// The goroutine has these.
	batch     *runtime.Batch // nil while there is nothing to do
	sequences map[*Answer]*runtime.Sequence
}

// NewEngine starts an engine.
func NewEngine(m *runtime.Model, opt EngineOptions) *Engine {
	opt.Batch = cmp.Or(max(opt.Batch, 0), 4)
	opt.Queue = max(cmp.Or(opt.Queue, 32), 0)
	opt.Positions = cmp.Or(max(opt.Positions, 0), m.Config.Context)
	e := &Engine{Model: m, opt: opt, ended: make(chan struct{}), sequences: map[*Answer]*runtime.Sequence{}}
	e.work.L = &e.mu
	go e.run()
	return e
}

// Submit queues a request. It fails before any work with ErrBusy, with ErrClosed, with a
// *Failure, or with what is wrong with the request. When ctx ends, or Cancel is called,
// the answer is interrupted: in the queue at once, else at the next pass of the model,
// and then its place is free.
//
// A model without a vocabulary answers, too: with events without texts, and the ids in
// the result.
func (e *Engine) Submit(ctx context.Context, r Request) (*Answer, error) {
	r.Options.PromptCache = nil // the engine's is set later
	if err := r.check(e.Model); err != nil {
		return nil, err
	}
	if n := len(r.Prompt) + r.Options.GenLength; n > e.opt.Positions {
		return nil, fmt.Errorf("%d prompt tokens and an answer of up to %d exceed the %d positions that the server has memory for",
			len(r.Prompt), r.Options.GenLength, e.opt.Positions)
	}
	a := newAnswer(e, r.clone())
	a.room = min(r.positions(), e.opt.Positions)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.failed != nil:
		return nil, e.failed
	case e.closed:
		return nil, ErrClosed
	case len(e.queue)+len(e.places) >= e.opt.Batch+e.opt.Queue:
		e.stats.Busy++
		return nil, ErrBusy
	}
	a.unwatch = context.AfterFunc(ctx, func() { e.cancel(a, ctx.Err()) })
	e.queue = append(e.queue, a)
	e.work.Signal()
	return a, nil
}

// Err returns why the engine takes no requests: ErrClosed, a *Failure, or nil while it
// does, even if it is busy.
func (e *Engine) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.failed != nil:
		return e.failed
	case e.closed:
		return ErrClosed
	}
	return nil
}

// Close takes no more requests, waits for those that there are, and interrupts them when
// ctx ends, whose error it returns if there were any. It does not close the model.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	e.work.Signal()
	e.mu.Unlock()
	select {
	case <-e.ended:
		return nil
	case <-ctx.Done():
	}
	e.mu.Lock()
	all := append(append([]*Answer(nil), e.queue...), e.places...)
	e.mu.Unlock()
	for _, a := range all {
		e.cancel(a, ErrClosed)
	}
	<-e.ended
	if len(all) == 0 {
		return nil
	}
	return ctx.Err()
}

// EngineStats are counts since the engine was started.
type EngineStats struct {
	Waiting, Running  int     // requests now
	Positions         int     // of keys and values that the running ones have
	Busy              int64   // requests that were refused with ErrBusy
	Passes, Sequences int64   // passes of the model, and the sequences in them: their ratio is how full batches are
	Seconds           float64 // of passes
}

// Stats returns the counts. It never waits for a pass.
func (e *Engine) Stats() EngineStats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.Waiting, s.Running = len(e.queue), len(e.places)
	for _, a := range e.places {
		s.Positions += a.room
	}
	return s
}

// pass counts a pass.
func (s *EngineStats) pass(sequences int, took time.Duration) {
	if sequences > 0 {
		s.Passes++
		s.Sequences += int64(sequences)
		s.Seconds += took.Seconds()
	}
}
