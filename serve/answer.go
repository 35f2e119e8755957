package serve

import (
	"context"
	"strings"
	"sync"
	"time"

	"lladakit/runtime"
)

// Answer is an answer in the making. One goroutine reads it.
type Answer struct {
	engine  *Engine
	request Request
	room    int         // positions of keys and values
	unwatch func() bool // ends the watch over its context
	asked   time.Time
	begun   time.Time

	// The engine's mutex guards these.
	place place
	why   error // it is to be interrupted

	// The engine's goroutine has these.
	text   *text
	glance glance
	looked bool // by the pass that runs

	mu    sync.Mutex
	news  sync.Cond
	more  strings.Builder
	step  *glance
	done  *Done
	ended bool // done was read
}

// place is where an answer is.
type place int

const (
	waiting place = iota
	running
	gone
)

func newAnswer(e *Engine, r Request) *Answer {
	a := &Answer{engine: e, request: r, asked: time.Now(), text: newText(e.Model, r.Stop)}
	a.news.L = &a.mu
	return a
}

// Next waits for the next event. After the event with Done there is none, and ok is
// false. What happens while nobody reads comes together in one event, so that a slow
// reader costs no memory beyond the answer and delays nobody.
func (a *Answer) Next() (event Event, ok bool) {
	a.mu.Lock()
	for a.more.Len() == 0 && a.step == nil && a.done == nil {
		if a.ended {
			a.mu.Unlock()
			return Event{}, false
		}
		a.news.Wait()
	}
	event.Text, event.Done = a.more.String(), a.done
	a.more.Reset()
	step := a.step
	a.ended = a.done != nil
	a.step, a.done = nil, nil
	a.mu.Unlock()
	if step != nil {
		event.Step = step.clients(a.engine.Model.Tokenizer)
	}
	return event, true
}

// Cancel interrupts the answer. It may be called at any time, by any goroutine.
func (a *Answer) Cancel() { a.engine.cancel(a, context.Canceled) }

// options returns the settings that the engine gives the model.
func (a *Answer) options() runtime.Options {
	o := a.request.Options
	o.PromptCache, o.OnStep = a.engine.opt.PromptCache, nil
	if a.request.Steps {
		o.OnStep = func(s runtime.Step) {
			a.glance.look(&s, len(a.request.Prompt), &o)
			a.looked = true
		}
	}
	return o
}

// take takes what a pass changed, the tokens of the answer that are final, and reports
// whether no more of them are wanted.
func (a *Answer) take(ids []int32, done bool) (over bool) {
	before := ids[max(0, min(a.text.seen, len(ids))-3):min(a.text.seen, len(ids))]
	step := a.looked
	if a.looked = false; step {
		o := &a.request.Options
		a.glance.before = append(a.glance.before[:0], before...)
		end := (len(a.request.Prompt)/o.BlockLength + a.glance.block + 1) * o.BlockLength
		a.glance.final = done || len(a.request.Prompt)+len(ids) >= min(end, len(a.request.Prompt)+o.GenLength)
	}
	a.tell(a.text.write(ids), step)
	return a.text.over()
}

// tell adds to the event that the reader has not had yet.
func (a *Answer) tell(more string, step bool) {
	if more == "" && !step {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.more.WriteString(more)
	if step {
		if a.step == nil {
			a.step = new(glance)
		}
		a.glance.copyTo(a.step)
	}
	a.news.Signal()
}

// finish ends an answer that has its place no more, with what went wrong. The result is
// nil if it was never begun.
func (a *Answer) finish(r *runtime.Result, err error) {
	a.unwatch()
	d := &Done{Finish: "length", Result: r, Waited: time.Since(a.asked)}
	if !a.begun.IsZero() {
		d.Waited, d.Took = a.begun.Sub(a.asked), time.Since(a.begun)
	}
	switch {
	case a.text.over():
		d.Finish = "stop"
	case err != nil:
		d.Finish, d.Err = "interrupted", err
	}
	if !a.text.over() {
		a.tell(a.text.flush(), false)
		if a.text.stops.cut { // by what a broken character became
			d.Finish, d.Err = "stop", nil
		}
	}
	d.Tokens = a.text.tokens()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = d
	a.news.Signal()
}
