package serve

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/internal/tiny"
	"lladakit/internal/tokenizer"
	"lladakit/quant"
	"lladakit/runtime"
)

// loadFolder converts a checkpoint folder and loads the file.
func loadFolder(t testing.TB, dir string) *runtime.Model {
	t.Helper()
	c, err := convert.Open(dir)
	require.NoError(t, err)
	defer c.Close()
	plan, err := c.Plan(convert.Options{Recipe: quant.Plain(gguf.Q8_0)})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "model.gguf")
	_, err = plan.Write(t.Context(), path)
	require.NoError(t, err)
	m, err := runtime.Load(path, runtime.LoadOptions{Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// loadTiny loads the embedded trained checkpoint.
func loadTiny(t testing.TB) *runtime.Model {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	require.NoError(t, tiny.Unpack(dir))
	return loadFolder(t, dir)
}

// startEngine starts an engine that is closed, with nothing left in it, at the end.
func startEngine(t testing.TB, m *runtime.Model, opt EngineOptions) *Engine {
	t.Helper()
	e := NewEngine(m, opt)
	t.Cleanup(func() {
		require.NoError(t, e.Close(context.Background()))
		holdsNothing(t, e)
	})
	return e
}

// holdsNothing looks into an engine that is closed.
func holdsNothing(t testing.TB, e *Engine) {
	t.Helper()
	s := e.Stats()
	require.Zero(t, s.Waiting+s.Running+s.Positions)
	require.Empty(t, e.sequences)
	require.Nil(t, e.batch)
}

// question returns the prompt of the i-th held-out problem.
func question(t testing.TB, m *runtime.Model, i int) []int32 {
	t.Helper()
	words, err := tiny.WordProblems()
	require.NoError(t, err)
	codes, err := tiny.CodeProblems()
	require.NoError(t, err)
	user := words[i/2%len(words)].User()
	if i%2 == 1 {
		user = codes[i/2%len(codes)].User()
	}
	ids, err := m.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: user}})
	require.NoError(t, err)
	return ids
}

func requestOf(t testing.TB, m *runtime.Model, i, length int) Request {
	t.Helper()
	r := Request{Prompt: question(t, m, i), Options: m.Defaults()}
	r.Options.GenLength = length
	return r
}

// longRequest returns a request with an answer of more than four blocks, of which each
// takes as many steps as it has masks.
func longRequest(t testing.TB, m *runtime.Model) Request {
	t.Helper()
	for i := range 40 {
		r := requestOf(t, m, i, 64)
		r.Options.BlockLength, r.Options.Steps, r.Options.Threshold = 8, 8, 1
		want, err := m.Generate(t.Context(), r.Prompt, r.Options)
		require.NoError(t, err)
		if len(m.Turn(want.IDs)) > 32 && len(r.Prompt)%8 > 0 {
			return r
		}
	}
	require.Fail(t, "all answers are short")
	return Request{}
}

func submit(t testing.TB, e *Engine, r Request) *Answer {
	t.Helper()
	a, err := e.Submit(t.Context(), r)
	require.NoError(t, err)
	return a
}

// read reads an answer to its end.
func read(a *Answer) (text string, steps []*Step, done *Done) {
	var b strings.Builder
	for {
		event, ok := a.Next()
		if !ok {
			return b.String(), steps, done
		}
		b.WriteString(event.Text)
		if event.Step != nil {
			steps = append(steps, event.Step)
		}
		if event.Done != nil {
			done = event.Done
		}
	}
}

// gate stops an engine's passes: each sends to entered when it begins, and goes on when
// it gets something from enter, or the gate is open.
type gate struct {
	entered, enter chan struct{}
	once           sync.Once
}

// startGated starts an engine with a gate in its model.
func startGated(t *testing.T, m *runtime.Model, opt EngineOptions) (*Engine, *gate) {
	g := &gate{entered: make(chan struct{}), enter: make(chan struct{})}
	first := &m.Weights.Layers[0].QKV
	m.Observe(func(o runtime.Observation) {
		if o.Matrix != first {
			return
		}
		select {
		case g.entered <- struct{}{}:
			<-g.enter
		case <-g.enter:
		}
	})
	e := startEngine(t, m, opt)
	t.Cleanup(g.open)
	return e, g
}

func (g *gate) open() { g.once.Do(func() { close(g.enter) }) }

// pass lets a pass begin that waits.
func (g *gate) pass() {
	<-g.entered
	g.enter <- struct{}{}
}
