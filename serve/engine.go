package serve

import (
	"context"
	"errors"

	"lladakit/runtime"
)

// ErrBusy is returned when as many requests wait as may.
var ErrBusy = errors.New("the server is busy: its queue is full")

// ErrClosed is returned, and ends answers, when the engine is being closed.
var ErrClosed = errors.New("the server is shutting down")

// EngineOptions say how much is done at a time. The zero value is for one machine at home.
type EngineOptions struct {
	Batch int // answers in the making at most; 0: 4
	Queue int // answers that wait for a place at most; 0: 32

	// PromptCache, if not nil, is the model's, and remembers beginnings of prompts.
	PromptCache *runtime.PromptCache
}

// Engine answers requests with a model, which it alone uses until it is closed.
type Engine struct {
	Model *runtime.Model
}

// NewEngine starts an engine.
func NewEngine(m *runtime.Model, opt EngineOptions) *Engine { return &Engine{Model: m} }

// Submit queues a request. It fails before any work with ErrBusy, with ErrClosed, or
// with what is wrong with the request. When ctx ends, or Cancel is called, the answer is
// interrupted and its place free at the next pass of the model.
func (e *Engine) Submit(ctx context.Context, r Request) (*Answer, error) { return nil, ErrClosed }

// Close takes no more requests, waits for those that there are, and interrupts them when
// ctx ends. It does not close the model.
func (e *Engine) Close(ctx context.Context) error { return nil }

// EngineStats are counts since the engine was started.
type EngineStats struct {
	Waiting, Running  int     // requests now
	Busy              int64   // requests that were refused with ErrBusy
	Passes, Sequences int64   // passes of the model, and the sequences in them: their ratio is how full batches are
	Seconds           float64 // of passes
}

// Stats returns the counts. It never waits for a pass.
func (e *Engine) Stats() EngineStats { return EngineStats{} }

// Answer is an answer in the making. One goroutine reads it.
type Answer struct{}

// Next waits for the next event. After the event with Done there is none, and ok is
// false. What happens while nobody reads comes together in one event, so that a slow
// reader costs no memory beyond the answer and delays nobody.
func (a *Answer) Next() (event Event, ok bool) { return Event{}, false }

// Cancel interrupts the answer. It may be called at any time, by any goroutine.
func (a *Answer) Cancel() {}
