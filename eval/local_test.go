package eval_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/eval"
	"lladakit/internal/gguf"
	"lladakit/internal/tiny"
	"lladakit/internal/tokenizer"
	"lladakit/runtime"
)

// fullVariable asks for the tests that take more than a few seconds.
const fullVariable = "LLADA_TEST_FULL"

// answers has a generator answer prompts; they come by their place in the list.
func answers(t testing.TB, g eval.Generator, prompts []eval.Prompt, length int) []eval.Answer {
	t.Helper()
	all := make([]eval.Answer, len(prompts))
	next, given := 0, 0
	err := g.Generate(t.Context(), func() (eval.Request, bool) {
		if next++; next > len(prompts) {
			return eval.Request{}, false
		}
		return eval.Request{Index: next - 1, Prompt: prompts[next-1], GenLength: length, Seed: uint64(next)}, true
	}, func(a eval.Answer) error {
		all[a.Index] = a
		given++
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, len(prompts), given)
	return all
}

func newLocal(t testing.TB, m *runtime.Model, opt runtime.Options, batch int) eval.Generator {
	t.Helper()
	g, err := eval.NewLocal(m, "digest", opt, batch)
	require.NoError(t, err)
	return g
}

func wordPrompts(t testing.TB, n int) []eval.Prompt {
	t.Helper()
	problems, err := tiny.WordProblems()
	require.NoError(t, err)
	var all []eval.Prompt
	for _, p := range problems[:n] {
		all = append(all, user(p.User()))
	}
	return all
}

// An answer is what the runtime alone gives, whatever else is in the batch: long prompts,
// prompts with a prefix, ones that stop early.
func TestLocal(t *testing.T) {
	m := load(t, plain(gguf.BF16))
	prompts := wordPrompts(t, 5)
	long := eval.Prompt{Text: strings.Repeat("Leo buys 8 drawers of books. ", 70)}
	prefixed := prompts[3]
	prefixed.Prefix = "5 + 22 ="
	stopped := prompts[4]
	stopped.Stops = []string{"\n", "never"}
	prompts = append(prompts, long, prefixed, stopped)
	for _, temperature := range []float64{0, 0.7} {
		opt := m.Defaults()
		opt.Temperature = temperature
		alone := answers(t, newLocal(t, m, opt, 1), prompts, 64)
		for i, a := range alone[:5] {
			ids, err := m.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: prompts[i].Messages[0].Content}})
			require.NoError(t, err)
			same := opt
			same.GenLength, same.Seed = 64, uint64(i+1)
			r, err := m.Generate(t.Context(), ids, same)
			require.NoError(t, err)
			assert.Equal(t, r.IDs, a.IDs)
			assert.Equal(t, m.Text(r.IDs), a.Text)
			assert.Equal(t, len(ids), a.PromptTokens)
			assert.Equal(t, len(r.IDs), a.Tokens)
			assert.Equal(t, []int{r.Forwards.Prefill, r.Forwards.Denoise, r.Forwards.Commit}, []int{a.Prefill, a.Denoise, a.Commit})
			assert.Equal(t, r.Finish, a.Finish)
		}
		batches := []int{4}
		if os.Getenv(fullVariable) != "" {
			batches = []int{2, 4, 9}
		}
		for _, batch := range batches {
			together := answers(t, newLocal(t, m, opt, batch), prompts, 64)
			for i := range alone {
				a, b := alone[i], together[i]
				a.PrefillTime, a.DecodeTime, b.PrefillTime, b.DecodeTime = 0, 0, 0, 0
				assert.Equal(t, a, b, "prompt %d, batch of %d", i, batch)
			}
		}
		assert.Greater(t, alone[5].Prefill, 1)
	}
}

func TestLocalPrefix(t *testing.T) {
	m := load(t, plain(gguf.BF16))
	p := wordPrompts(t, 1)[0]
	free := answers(t, newLocal(t, m, m.Defaults(), 1), []eval.Prompt{p}, 64)[0]
	p.Prefix = "7 + 7 ="
	a := answers(t, newLocal(t, m, m.Defaults(), 1), []eval.Prompt{p}, 64)[0]
	assert.True(t, strings.HasPrefix(a.Text, p.Prefix), a.Text)
	n := len(m.Tokenizer.Encode(p.Prefix))
	assert.Equal(t, free.PromptTokens+n, a.PromptTokens)
	assert.Len(t, a.IDs, n+a.Tokens)
	assert.NotEqual(t, free.Text, a.Text)
}

func TestLocalStops(t *testing.T) {
	m := load(t, plain(gguf.BF16))
	p := wordPrompts(t, 1)[0]
	g := newLocal(t, m, m.Defaults(), 1)
	free := answers(t, g, []eval.Prompt{p}, 64)[0]
	before, _, found := strings.Cut(free.Text, "\n")
	require.True(t, found)
	p.Stops = []string{"never", "\n"}
	a := answers(t, g, []eval.Prompt{p}, 64)[0]
	assert.Equal(t, before, a.Text)
	assert.Equal(t, "stop", a.Finish)

	// An answer that would go on for long ends in the block after the stop. The prefix
	// has no stops.
	opt := m.Defaults()
	opt.BlockLength = 4
	g = newLocal(t, m, opt, 1)
	q := eval.Prompt{Text: "Leo buys 8", Prefix: "\n"}
	free = answers(t, g, []eval.Prompt{q}, 400)[0]
	q.Stops = []string{string([]rune(free.Text)[3:6])}
	a = answers(t, g, []eval.Prompt{q}, 400)[0]
	assert.Equal(t, "stop", a.Finish)
	assert.Less(t, a.Tokens, 30)
	assert.True(t, strings.HasPrefix(free.Text, a.Text))
}

func TestLocalContext(t *testing.T) {
	m := load(t, plain(gguf.BF16))
	g := newLocal(t, m, m.Defaults(), 2)
	tooLong := eval.Prompt{Text: strings.Repeat(" 7", m.Config.Context)}
	wrong := eval.Prompt{Messages: []eval.Message{{Role: "robot", Content: "x"}}}
	all := answers(t, g, []eval.Prompt{tooLong, wordPrompts(t, 1)[0], wrong}, 1<<20)
	require.ErrorContains(t, all[0].Err, "leaves no room")
	require.NoError(t, all[1].Err)
	assert.NotEmpty(t, all[1].Text)
	require.ErrorContains(t, all[2].Err, "robot")
}

func TestLocalEnds(t *testing.T) {
	m := load(t, plain(gguf.BF16))
	g := newLocal(t, m, m.Defaults(), 2)
	ctx, cancel := context.WithCancel(t.Context())
	p := wordPrompts(t, 1)[0]
	n := 0
	next := func() (eval.Request, bool) { return eval.Request{Prompt: p, GenLength: 32}, true }
	err := g.Generate(ctx, next, func(eval.Answer) error {
		if n++; n == 3 {
			cancel()
		}
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	err = g.Generate(t.Context(), next, func(eval.Answer) error { return errBroken })
	require.ErrorIs(t, err, errBroken)

	_, err = eval.NewLocal(m, "", m.Defaults(), 0)
	require.Error(t, err)
	opt := m.Defaults()
	opt.Steps = 0
	_, err = eval.NewLocal(m, "", opt, 1)
	require.ErrorContains(t, err, "steps")
}

// The identity says all that answers depend on, and nothing that they do not.
func TestLocalIdentity(t *testing.T) {
	m := load(t, plain(gguf.BF16))
	opt := m.Defaults()
	a := newLocal(t, m, opt, 1).Identity()
	assert.Equal(t, "digest", a.SHA256)
	assert.Equal(t, "bf16", strings.ToLower(a.Type))
	assert.NotZero(t, a.Size)
	opt.Seed, opt.GenLength = 7, 99
	assert.Equal(t, a, newLocal(t, m, opt, 3).Identity())
	opt.Threshold = 0.5
	assert.NotEqual(t, a, newLocal(t, m, opt, 1).Identity())
}

// modelVariable names the model of a process that TestKill kills, dirVariable its folder.
const (
	modelVariable = "LLADA_TEST_EVAL_MODEL"
	dirVariable   = "LLADA_TEST_EVAL_DIR"
)

// tinyRun are the options of a run that TestKill kills.
func tinyRun(t testing.TB, path, dir string, batch int) eval.Options {
	t.Helper()
	m, err := runtime.Load(path, runtime.LoadOptions{Threads: 1, Pack: runtime.PackNone})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	opt := m.Defaults()
	opt.Temperature = 0.5
	o := options(t, 8)
	o.Tasks = []*eval.Task{words(), code(), more()}
	o.Generator, o.Dir, o.Resume = newLocal(t, m, opt, batch), dir, true
	return o
}

// TestKillChild is the process that TestKill kills.
func TestKillChild(t *testing.T) {
	path := os.Getenv(modelVariable)
	if path == "" {
		t.Skip("for TestKill only")
	}
	finished(t, tinyRun(t, path, os.Getenv(dirVariable), 1+os.Getpid()%4))
}

// tinyModel writes the embedded checkpoint as one file.
func tinyModel(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, tiny.Unpack(dir))
	c, err := convert.Open(dir)
	require.NoError(t, err)
	defer c.Close()
	plan, err := c.Plan(plain(gguf.Q8_0))
	require.NoError(t, err)
	path := dir + "/model.gguf"
	_, err = plan.Write(t.Context(), path)
	require.NoError(t, err)
	return path
}
