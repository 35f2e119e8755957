package serve

import (
	"context"
	"errors"
	"math/rand/v2"
	goruntime "runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/runtime"
)

// TestQueue: as many wait as may, in order; who leaves the queue leaves at once, though
// a pass is running.
func TestQueue(t *testing.T) {
	m := loadTiny(t)
	e, g := startGated(t, m, EngineOptions{Batch: 1, Queue: 2})
	r := requestOf(t, m, 0, 32)
	first := submit(t, e, r)
	<-g.entered // and stays there
	ctx, cancel := context.WithCancel(t.Context())
	second, err := e.Submit(ctx, r)
	require.NoError(t, err)
	third := submit(t, e, r)
	_, err = e.Submit(t.Context(), r)
	require.ErrorIs(t, err, ErrBusy)
	require.Equal(t, EngineStats{Waiting: 2, Running: 1, Positions: len(r.Prompt) + 32, Busy: 1}, e.Stats())

	cancel()
	_, _, done := read(second)
	require.Equal(t, "interrupted", done.Finish)
	require.ErrorIs(t, done.Err, context.Canceled)
	require.Nil(t, done.Result)
	require.Zero(t, done.Took)
	require.Equal(t, 1, e.Stats().Waiting)
	third.Cancel()
	_, _, done = read(third)
	require.ErrorIs(t, done.Err, context.Canceled)
	late, err := e.Submit(expired(t), r)
	require.NoError(t, err)
	_, _, done = read(late)
	require.ErrorIs(t, done.Err, context.DeadlineExceeded)

	fourth, fifth := submit(t, e, r), submit(t, e, r)
	g.open()
	_, _, done = read(first)
	require.NoError(t, done.Err)
	_, _, done4 := read(fourth)
	_, _, done5 := read(fifth)
	require.NoError(t, errors.Join(done4.Err, done5.Err))
	require.Greater(t, done5.Waited, done4.Waited)
	require.Equal(t, done.Result.IDs, done4.Result.IDs)
	first.Cancel() // which has no effect any more
	_, ok := first.Next()
	require.False(t, ok)
}

// expired returns a context whose deadline has passed.
func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	t.Cleanup(cancel)
	return ctx
}

// TestCancelRunning: who leaves while a pass runs is out before the next one, in which
// another has the place.
func TestCancelRunning(t *testing.T) {
	m := loadTiny(t)
	r := longRequest(t, m)
	e, g := startGated(t, m, EngineOptions{Batch: 2})
	ctx, cancel := context.WithCancel(t.Context())
	left, err := e.Submit(ctx, r)
	require.NoError(t, err)
	stays, waits := submit(t, e, r), submit(t, e, r)
	for range 8 - len(r.Prompt)%8 + 6 { // into the second block, after at most two for the prompt
		g.pass()
	}
	<-g.entered
	require.Equal(t, 1, e.Stats().Waiting)
	cancel()
	for interrupted := false; !interrupted; goruntime.Gosched() { // the context tells the engine
		e.mu.Lock()
		interrupted = left.why != nil
		e.mu.Unlock()
	}
	g.enter <- struct{}{}
	<-g.entered
	require.Equal(t, 0, e.Stats().Waiting)
	require.Equal(t, 2, e.Stats().Running)
	text, _, done := read(left)
	require.ErrorIs(t, done.Err, context.Canceled)
	require.Equal(t, "interrupted", done.Finish)
	require.Equal(t, m.Text(done.Result.IDs), text)
	require.NotEmpty(t, text)
	require.Equal(t, 8-len(r.Prompt)%8, done.Tokens, "the block that is finished")
	g.open()
	_, _, a := read(stays)
	_, _, b := read(waits)
	require.NoError(t, errors.Join(a.Err, b.Err))
	require.Equal(t, a.Result.IDs, b.Result.IDs)
	require.Equal(t, a.Result.IDs[:len(done.Result.IDs)], done.Result.IDs)
}

// TestPositions: answers wait until there is room for their keys and values, and those
// behind them, too.
func TestPositions(t *testing.T) {
	m := loadTiny(t)
	small, large := requestOf(t, m, 0, 32), requestOf(t, m, 0, 300)
	room := len(large.Prompt) + 300
	e, g := startGated(t, m, EngineOptions{Positions: room})
	all := []*Answer{submit(t, e, small)}
	<-g.entered
	all = append(all, submit(t, e, large), submit(t, e, small))
	g.enter <- struct{}{}
	<-g.entered
	require.Equal(t, 2, e.Stats().Waiting)
	require.Equal(t, len(small.Prompt)+32, e.Stats().Positions)
	g.open()
	for _, a := range all {
		_, _, done := read(a)
		require.NoError(t, done.Err)
	}
	require.Equal(t, e.Stats().Passes, e.Stats().Sequences-both(e), "no pass but of the small ones has two")
	large.Options.GenLength++
	_, err := e.Submit(t.Context(), large)
	require.ErrorContains(t, err, "memory")
	large.Options.GenLength, large.Options.KVKeep = 300, 0.5 // copies half of them
	_, _, done := read(submit(t, e, large))
	require.NoError(t, done.Err)
}

// both returns how many passes had two sequences, where none had more.
func both(e *Engine) int64 { return e.Stats().Sequences - e.Stats().Passes }

// TestClose: a closed engine finishes what it has, and when the context ends no more.
func TestClose(t *testing.T) {
	m := loadTiny(t)
	r := requestOf(t, m, 0, 32)
	e := NewEngine(m, EngineOptions{Batch: 1})
	a, b := submit(t, e, r), submit(t, e, r)
	require.NoError(t, e.Err())
	require.NoError(t, e.Close(t.Context()))
	for _, x := range []*Answer{a, b} {
		_, _, done := read(x)
		require.NoError(t, done.Err)
	}
	_, err := e.Submit(t.Context(), r)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, e.Err(), ErrClosed)
	require.NoError(t, e.Close(expired(t)))
	holdsNothing(t, e)

	e, g := startGated(t, m, EngineOptions{Batch: 1})
	a, b = submit(t, e, r), submit(t, e, r)
	<-g.entered
	closed := make(chan error)
	go func() { closed <- e.Close(expired(t)) }()
	_, _, done := read(b) // at once, though a pass is running
	require.ErrorIs(t, done.Err, ErrClosed)
	for interrupted := false; !interrupted; goruntime.Gosched() {
		e.mu.Lock()
		interrupted = a.why != nil
		e.mu.Unlock()
	}
	g.open()
	require.ErrorIs(t, <-closed, context.DeadlineExceeded)
	_, _, done = read(a)
	require.ErrorIs(t, done.Err, ErrClosed)
	require.NotNil(t, done.Result)
	holdsNothing(t, e)
}

// TestFailure: a panic in a pass ends all answers, and no request comes after it.
func TestFailure(t *testing.T) {
	m := loadTiny(t)
	products := 0
	m.Observe(func(runtime.Observation) {
		if products++; products == 200 {
			panic("a weight is missing")
		}
	})
	e := startEngine(t, m, EngineOptions{Batch: 2})
	r := requestOf(t, m, 0, 90)
	var all []*Answer
	for range 5 {
		a, err := e.Submit(t.Context(), r)
		if err != nil {
			break // it has failed already
		}
		all = append(all, a)
	}
	require.NotEmpty(t, all)
	for _, a := range all {
		_, _, done := read(a)
		require.Equal(t, "interrupted", done.Finish)
		var failure *Failure
		require.ErrorAs(t, done.Err, &failure)
		require.Equal(t, "a weight is missing", failure.Value)
		require.Contains(t, string(failure.Stack), "TestFailure")
		require.ErrorContains(t, done.Err, "a weight is missing")
	}
	_, err := e.Submit(t.Context(), r)
	var failure *Failure
	require.ErrorAs(t, err, &failure)
	require.ErrorAs(t, e.Err(), &failure)
}

// TestBrokenWeights: numbers that are none end one answer, not the engine.
func TestBrokenWeights(t *testing.T) {
	m := loadTiny(t)
	norm := m.Weights.OutputNorm
	good := append([]float32(nil), norm...)
	e := startEngine(t, m, EngineOptions{})
	nan := norm[0] - norm[0]
	nan /= nan
	for i := range norm {
		norm[i] = nan
	}
	_, _, done := read(submit(t, e, requestOf(t, m, 0, 32)))
	require.ErrorContains(t, done.Err, "not finite")
	require.Equal(t, "interrupted", done.Finish)
	copy(norm, good)
	_, _, done = read(submit(t, e, requestOf(t, m, 0, 32)))
	require.NoError(t, done.Err)
}

// TestNothingIsLeft: after many requests, of which some leave at any time, some are
// never read, and some are refused, neither goroutines nor answers are left, and those
// that stayed are as alone.
func TestNothingIsLeft(t *testing.T) {
	m := loadTiny(t)
	rng := rand.New(rand.NewPCG(53, 1))
	r := requestOf(t, m, 1, 60)
	r.Options.Threshold = 0.8
	want, err := m.Generate(t.Context(), r.Prompt, r.Options)
	require.NoError(t, err)
	before := goruntime.NumGoroutine()
	e := NewEngine(m, EngineOptions{Batch: 3, Queue: 9})
	var wait sync.WaitGroup
	busy, left := 0, 0
	for range 80 {
		ctx, cancel := context.WithCancel(t.Context())
		a, err := e.Submit(ctx, r)
		if err != nil {
			require.ErrorIs(t, err, ErrBusy)
			busy++
			cancel()
			e.passes(t, rng.Int64N(5))
			continue
		}
		how := rng.IntN(5)
		wait.Go(func() {
			defer cancel()
			switch how {
			case 0:
				cancel()
				return // and does not read
			case 1:
				a.Cancel()
			case 2:
				a.Next()
				cancel()
			}
			text, _, done := read(a)
			if done == nil { // it came with the event that was read above
				return
			}
			if done.Err != nil {
				assert.Less(t, how, 3)
				assert.ErrorIs(t, done.Err, context.Canceled)
				return
			}
			if how > 2 {
				same(t, m, "stayed", want, text, done)
			}
		})
		if how < 3 {
			left++
		}
	}
	wait.Wait()
	require.NoError(t, e.Close(t.Context()))
	require.Positive(t, busy)
	require.Positive(t, left)
	holdsNothing(t, e)
	for range 10000 { // those that ended contexts started are about to end
		if goruntime.NumGoroutine() <= before {
			break
		}
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, goruntime.NumGoroutine(), before)
}

// passes waits for some passes of an engine that has something to do.
func (e *Engine) passes(t *testing.T, n int64) {
	from := e.Stats().Passes
	for {
		s := e.Stats()
		if s.Passes >= from+n || s.Running+s.Waiting == 0 {
			return
		}
		goruntime.Gosched()
	}
}

// TestRefused: what is wrong with a request is said before any work.
func TestRefused(t *testing.T) {
	m := loadTiny(t)
	e := startEngine(t, m, EngineOptions{})
	for what, change := range map[string]func(*Request){
		"steps 0":                 func(r *Request) { r.Options.Steps = 0 },
		"id 70000 at position 0":  func(r *Request) { r.Prompt = []int32{70000} },
		"id -1 at position 0":     func(r *Request) { r.Options.Template = []int32{-1} },
		"reference profile":       func(r *Request) { r.Options.Profile = runtime.Reference },
		"audit":                   func(r *Request) { r.Options.Audit = 1 },
		"block length 129":        func(r *Request) { r.Options.BlockLength = 129 },
		"17 stop texts":           func(r *Request) { r.Stop = make([]string, 17) },
		"stop text 2 is empty":    func(r *Request) { r.Stop = []string{"x", ""} },
		"more than 1024 bytes":    func(r *Request) { r.Stop = []string{string(make([]byte, 1025))} },
		"not valid UTF-8":         func(r *Request) { r.Stop = []string{"\x80"} },
		"the model's 4096 positi": func(r *Request) { r.Prompt = make([]int32, 4090) },
	} {
		r := requestOf(t, m, 0, 32)
		change(&r)
		_, err := e.Submit(t.Context(), r)
		require.ErrorContains(t, err, what)
	}
	require.Zero(t, e.Stats())
}
