package serve

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"time"
)

// errEnded interrupts a sequence whose answer is over.
var errEnded = errors.New("the answer is over")

// run is the engine's goroutine: between passes, answers get places and lose them.
func (e *Engine) run() {
	defer close(e.ended)
	defer func() {
		if p := recover(); p != nil {
			e.fail(&Failure{Value: p, Stack: debug.Stack()})
		}
	}()
	for {
		left, begun, ok := e.turn()
		if !ok {
			return
		}
		for _, a := range left {
			e.drop(a, a.why)
		}
		for _, a := range begun {
			e.begin(a)
		}
		e.pass()
	}
}

// turn waits until there is something to do, and returns the answers in the making that
// are interrupted, which lose their places, and those of the queue that get one. It is
// false when the engine is closed and has nothing left to do.
func (e *Engine) turn() (left, begun []*Answer, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.queue) == 0 && len(e.places) == 0 {
		e.batch = nil
		if e.closed {
			return nil, nil, false
		}
		e.work.Wait()
	}
	room := e.opt.Positions
	e.places = slices.DeleteFunc(e.places, func(a *Answer) bool {
		if a.why != nil {
			a.place = gone
			left = append(left, a)
			return true
		}
		room -= a.room
		return false
	})
	for len(e.queue) > 0 && len(e.places) < e.opt.Batch && e.queue[0].room <= room {
		a := e.queue[0]
		e.queue = slices.Delete(e.queue, 0, 1)
		a.place, a.begun = running, time.Now()
		room -= a.room
		e.places, begun = append(e.places, a), append(begun, a)
	}
	return left, begun, true
}

// begin gives an answer its sequence.
func (e *Engine) begin(a *Answer) {
	if e.batch == nil {
		e.batch = e.Model.NewBatch()
	}
	q, err := e.batch.Add(a.request.Prompt, a.options())
	if err != nil { // Submit has checked the same
		e.leave(a)
		a.finish(nil, err)
		return
	}
	e.sequences[a] = q
}

// pass runs a pass, if an answer has use for one, and hands out what came of it.
func (e *Engine) pass() {
	if len(e.sequences) == 0 {
		return
	}
	start := time.Now()
	e.batch.Step(context.Background()) // which fails when the context does
	took := time.Since(start)
	e.mu.Lock()
	e.stats.pass(e.batch.Took(), took)
	places := slices.Clone(e.places) // in the order of the requests
	e.mu.Unlock()
	for _, a := range places {
		q := e.sequences[a]
		over := a.take(q.Decided(), q.Done())
		switch {
		case q.Done():
			delete(e.sequences, a)
			e.leave(a)
			a.finish(q.Result())
		case over:
			e.leave(a)
			e.drop(a, errEnded)
		}
	}
}

// drop ends the sequence of an answer that has lost its place.
func (e *Engine) drop(a *Answer, err error) {
	q := e.sequences[a]
	delete(e.sequences, a)
	e.batch.Drop(q, err)
	r, err := q.Result()
	a.finish(r, err)
}

// leave takes the place of an answer.
func (e *Engine) leave(a *Answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a.place = gone
	e.places = slices.DeleteFunc(e.places, func(b *Answer) bool { return a == b })
}

// cancel interrupts an answer.
func (e *Engine) cancel(a *Answer, err error) {
	e.mu.Lock()
	switch a.place {
	case running:
		if a.why == nil {
			a.why = err
		}
	case waiting:
		a.place = gone
		e.queue = slices.DeleteFunc(e.queue, func(b *Answer) bool { return a == b })
		defer a.finish(nil, err)
	}
	e.mu.Unlock()
}

// fail ends everything.
func (e *Engine) fail(f *Failure) {
	e.mu.Lock()
	all := slices.Concat(e.places, e.queue)
	e.failed, e.places, e.queue = f, nil, nil
	for _, a := range all {
		a.place = gone
	}
	e.mu.Unlock()
	for _, a := range all {
		if e.sequences[a] != nil {
			e.drop(a, f)
		} else {
			a.finish(nil, f)
		}
	}
	e.batch = nil
}
