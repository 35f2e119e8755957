package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/bench"
	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/internal/tiny"
	"lladakit/internal/tokenizer"
	"lladakit/quant"
	"lladakit/reports"
	"lladakit/runtime"
)

// trained converts the embedded checkpoint.
func trained(t testing.TB, types ...gguf.Type) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, tiny.Unpack(filepath.Join(dir, "tiny")))
	c, err := convert.Open(filepath.Join(dir, "tiny"))
	require.NoError(t, err)
	defer c.Close()
	for _, typ := range types {
		plan, err := c.Plan(convert.Options{Recipe: quant.Plain(typ)})
		require.NoError(t, err)
		path := filepath.Join(dir, typ.String()+".gguf")
		_, err = plan.Write(t.Context(), path)
		require.NoError(t, err)
		paths = append(paths, path)
	}
	return paths
}

// sweepOf asks for the first word problems.
func sweepOf(t testing.TB, grid string, prompts int, models ...string) bench.SweepOptions {
	t.Helper()
	g, err := bench.ParseSweepGrid(grid)
	require.NoError(t, err)
	words, err := tiny.WordProblems()
	require.NoError(t, err)
	opt := bench.SweepOptions{Models: models, Grid: g, GenLength: 48, Data: "tiny"}
	for _, p := range words[:prompts] {
		opt.Prompts = append(opt.Prompts, p.User())
	}
	return opt
}

// Cells have the answers that Generate gives with their settings, whatever ran before.
func TestSweep(t *testing.T) {
	models := trained(t, gguf.Q8_0, gguf.Q4_0)
	opt := sweepOf(t, "threshold=0.3,0.95 block-length=16 threads=1,2", 2, models...)
	opt.Repetitions = 2
	judged := map[int]int{}
	opt.Judge = func(_ context.Context, prompt int, text string) (bool, error) {
		judged[prompt]++
		return strings.Contains(text, "boxed") && prompt > 0, nil
	}
	done := 0
	opt.Progress = func(n, total int) { assert.Equal(t, done, n); assert.Equal(t, 2*2*12, total); done++ }
	s, err := bench.Sweep(t.Context(), opt)
	require.NoError(t, err)
	assert.Equal(t, 48, done)
	assert.Equal(t, map[int]int{0: 12, 1: 12}, judged)
	assert.Equal(t, []string{"threshold", "block-length"}, s.Axes)
	assert.False(t, s.Interrupted)
	assert.Equal(t, []int{2, 2, 2}, []int{s.Prompts, s.Asked, s.Repetitions})
	require.Len(t, s.Cells, 2*2*3)

	for i, path := range models {
		m, err := runtime.Load(path, runtime.LoadOptions{})
		require.NoError(t, err)
		defer m.Close()
		for j, c := range s.Cells[6*i : 6*i+6] {
			assert.Equal(t, path, c.Model)
			assert.Equal(t, 1+j/3, c.Threads)
			assert.Equal(t, [][]string{{"0.95", "32"}, {"0.3", "16"}, {"0.95", "16"}}[j%3], c.Values)
			assert.Equal(t, j%3 == 0, c.Recommended)
			o := m.Defaults()
			o.GenLength = 48
			if j%3 > 0 {
				o.BlockLength = 16
			}
			if j%3 == 1 {
				o.Threshold = 0.3
			}
			settings, err := json.Marshal(o)
			require.NoError(t, err)
			assert.JSONEq(t, string(settings), string(c.Settings))
			tokens, forwards := 0, 0
			for _, p := range opt.Prompts {
				r, err := m.Generate(t.Context(), chat(t, m, p), o)
				require.NoError(t, err)
				tokens += len(r.IDs)
				forwards += r.Forwards.Denoise
			}
			assert.Equal(t, []int{tokens, forwards}, []int{c.Tokens, c.Forwards}, "%s %v", path, c.Values)
			assert.Equal(t, float64(tokens)/float64(forwards), c.TPF)
			assert.Equal(t, 2, c.Speed.N)
			assert.Positive(t, c.MS)
			assert.Equal(t, "exact", c.Class)
			assert.InDelta(t, float64(c.Right)/2, c.Accuracy, 1e-9)
			// Threads change no answer.
			other := s.Cells[6*i+(j+3)%6]
			assert.Equal(t, []float64{c.Same, c.Agree, c.Accuracy}, []float64{other.Same, other.Agree, other.Accuracy})
		}
	}
	first := s.Cells[0]
	assert.Equal(t, []float64{1, 1, 1}, []float64{first.Same, first.Agree, first.Relative})
	for _, c := range s.Cells {
		assert.InDelta(t, c.Speed.Median/first.Speed.Median, c.Relative, 1e-9)
	}
	for _, form := range reports.SweepForms() {
		require.NoError(t, s.Write(new(bytes.Buffer), form))
	}
}

// Whenever it is interrupted, a sweep has what all cells answered, as if it had been
// asked for no more.
func TestSweepInterrupted(t *testing.T) {
	models := trained(t, gguf.Q8_0)
	opt := sweepOf(t, "steps=8,32", 3, models...)
	opt.Repetitions, opt.GenLength = 2, 32
	whole, err := bench.Sweep(t.Context(), opt)
	require.NoError(t, err)
	for _, at := range []int{0, 1, 3, 6, 9, 11} {
		ctx, cancel := context.WithCancel(t.Context())
		opt.Progress = func(done, _ int) {
			if done == at {
				cancel()
			}
		}
		s, err := bench.Sweep(ctx, opt)
		require.ErrorIs(t, err, context.Canceled)
		require.NotNil(t, s)
		assert.True(t, s.Interrupted)
		assert.Equal(t, min(at/2, 3), s.Prompts, "stopped at answer %d", at)
		assert.Equal(t, at/6, s.Repetitions)
		require.Len(t, s.Cells, 2)
		for i, c := range s.Cells {
			if at >= 6 {
				assert.Equal(t, whole.Cells[i].Tokens, c.Tokens)
				assert.Equal(t, whole.Cells[i].Agree, c.Agree)
			}
			assert.Equal(t, at >= 2, c.Speed.N == 1)
			assert.Equal(t, at >= 2, c.Tokens > 0)
		}
		for _, form := range reports.SweepForms() {
			require.NoError(t, s.Write(new(bytes.Buffer), form))
		}
		cancel()
	}
}

func TestSweepRefuses(t *testing.T) {
	models := trained(t, gguf.Q8_0)
	for grid, want := range map[string]string{
		"block-length=1000000":                  "block-length=1000000: prompt 1: ",
		"block-length=8,32 sub-block=16":        "block-length=8 sub-block=16: prompt 1: sub-block 16 is longer than the block",
		"policy=joint delayed=8":                "policy=joint delayed=8: prompt 1: policy joint looks at all positions",
		"profile=reference,exact kv-keep=0,0.5": "profile=reference kv-keep=0.5: prompt 1: the reference profile is exact",
	} {
		opt := sweepOf(t, grid, 1, models...)
		opt.Progress = func(int, int) { t.Error("work before the grid is checked") }
		_, err := bench.Sweep(t.Context(), opt)
		var setting *bench.SettingError
		require.ErrorAs(t, err, &setting, grid)
		assert.ErrorContains(t, err, want)
	}
}

func TestSweepGridRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"threshold":               `"threshold" is not a setting with values, such as threshold=0.9,0.95`,
		"threshold=":              "is not a setting with values",
		"=1":                      "is not a setting with values",
		"speed=1":                 `"speed" is not one of threads, profile, policy, threshold, block-length, steps`,
		"steps=1 steps=2":         "steps is given twice",
		"steps=0":                 "steps: 0 has no meaning",
		"steps=x":                 `steps: "x" is not a number`,
		"steps=1,,2":              "steps: ",
		"threshold=1.5":           "threshold: 1.5 has no meaning",
		"threshold=NaN":           "threshold: ",
		"factor=0":                "factor: 0 has no meaning",
		"policy=best":             `policy: "best" is not one of threshold factor`,
		"profile=fast":            `profile: "fast" is not one of exact balanced turbo reference`,
		"threads=0":               "threads: 0 is not between 1 and 1024",
		"threads=1,2000":          "threads: 1,2000 is not between",
		"steps=1-64 delayed=1-64": "more than 1024 combinations",
	} {
		_, err := bench.ParseSweepGrid(text)
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), want, text)
		assert.NotContains(t, err.Error(), "\n")
	}
}

func FuzzParseSweepGrid(f *testing.F) {
	f.Add("threshold=0.85,0.9,0.95 block-length=16,32 threads=1,2")
	f.Add("profile=exact,turbo policy=klass kv-keep=0-1+0.1 steps=1-1024*2")
	f.Fuzz(func(t *testing.T, text string) {
		g, err := bench.ParseSweepGrid(text)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.NotNil(t, g)
	})
}

func chat(t testing.TB, m *runtime.Model, user string) []int32 {
	t.Helper()
	ids, err := m.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: user}})
	require.NoError(t, err)
	return ids
}
