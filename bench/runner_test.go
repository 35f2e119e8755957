package bench_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/bench"
	"lladakit/internal/gguf"
	"lladakit/reports"
)

// tinyModel writes a random model of the tiny shape.
func tinyModel(t testing.TB, typ gguf.Type) string {
	t.Helper()
	c, err := bench.Shape("tiny")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	require.NoError(t, bench.Synthesize(t.Context(), path, bench.Synthetic{Config: c, Type: typ}))
	return path
}

func scenarios(t testing.TB, g bench.Grid) []bench.Scenario {
	t.Helper()
	all, err := g.Scenarios()
	require.NoError(t, err)
	return all
}

// row returns the test of a name.
func row(t testing.TB, b *reports.Bench, name string) *reports.Test {
	t.Helper()
	for i := range b.Tests {
		if b.Tests[i].Name == name {
			return &b.Tests[i]
		}
	}
	require.Fail(t, "no such test", name)
	return nil
}

// checkRow requires figures that belong together.
func checkRow(t testing.TB, x *reports.Test, repetitions int) {
	t.Helper()
	require.Empty(t, x.Error, x.Name)
	require.Len(t, x.SamplesNS, repetitions, x.Name)
	assert.Positive(t, x.AvgNS, x.Name)
	assert.Positive(t, x.Forward.Min, x.Name)
	assert.LessOrEqual(t, x.Forward.Low, x.Forward.Median, x.Name)
	assert.LessOrEqual(t, x.Forward.Median, x.Forward.High, x.Name)
	assert.Positive(t, x.Bytes, x.Name)
	assert.Positive(t, x.MACs, x.Name)
	assert.Positive(t, x.Experts, x.Name)
	for _, share := range []float64{x.Memory, x.Compute, x.Phases.Explained} {
		assert.GreaterOrEqual(t, share, 0.0, x.Name)
		assert.LessOrEqual(t, share, 1.0, x.Name)
	}
	p := x.Phases
	assert.InEpsilon(t, x.Phases.Explained*x.Forward.Mean, p.Projections+p.Attention+p.FFN+p.Head+p.Other, 1e-6, x.Name)
	for _, phase := range []float64{p.Projections, p.Attention, p.FFN, p.Other} {
		assert.Positive(t, phase, x.Name)
	}
}

func TestRun(t *testing.T) {
	path := tinyModel(t, gguf.Q8_0)
	g := bench.Grid{Depth: []int{0, 64}, Prompt: []int{0, 320}, Gen: []int{0, 80}, Threads: []int{1, 2}}
	var lines []string
	b, err := bench.Run(t.Context(), bench.Options{Burst: time.Millisecond,
		Models: []bench.Source{{Path: path, Name: "random"}}, Scenarios: scenarios(t, g), Repetitions: 2,
		Program:  reports.Program{Name: "llada", Commit: "abc"},
		Progress: func(done, total int, next string) { lines = append(lines, next); assert.Less(t, done, total) },
	})
	require.NoError(t, err)
	assert.False(t, b.Interrupted)
	assert.Equal(t, reports.BenchVersion, b.Version)
	assert.NotEmpty(t, b.Program.Go)
	assert.NotEmpty(t, b.Program.Kernels)
	require.Len(t, b.Tests, 2*2*6)
	assert.Len(t, lines, 3*len(b.Tests))
	require.Len(t, b.Limits, 2)
	assert.Equal(t, 1, b.Limits[0].Threads)
	assert.Equal(t, 2, b.Limits[1].Threads)
	for i := range b.Tests {
		x := &b.Tests[i]
		checkRow(t, x, 2)
		assert.Equal(t, "random", x.Model)
		assert.Equal(t, "abc", x.BuildCommit)
		assert.Equal(t, 32, x.Block)
		assert.Equal(t, "exact", x.Class)
		assert.Regexp(t, `^llada2 [0-9.]+M Q8_0$`, x.Type)
		assert.Equal(t, []string{"f16", "f16"}, []string{x.TypeK, x.TypeV})
		assert.Equal(t, 1+i/12, x.Threads, "threads change least often")
	}

	pp := row(t, b, "pp320 @ d64")
	assert.Equal(t, []int{320, 0, 64, 320}, []int{pp.Prompt, pp.Gen, pp.Depth, pp.Tokens})
	assert.Equal(t, []float64{2, 160, 0}, []float64{pp.Forwards, pp.Rows, pp.Logits})
	assert.Len(t, pp.SamplesTS, 2)
	assert.InEpsilon(t, 320e9/float64(pp.SamplesNS[0]), pp.SamplesTS[0], 1e-9)
	assert.Zero(t, pp.Phases.Head)

	all, half, commit := row(t, b, "step32"), row(t, b, "step32/16"), row(t, b, "commit32")
	assert.Equal(t, []float64{1, 32, 32, 0}, []float64{all.Forwards, all.Rows, all.Logits, all.AvgTS})
	assert.Equal(t, []float64{1, 32, 16, 0}, []float64{half.Forwards, half.Rows, half.Logits, half.AvgTS})
	assert.Equal(t, []float64{1, 32, 0, 0}, []float64{commit.Forwards, commit.Rows, commit.Logits, commit.AvgTS})
	assert.Empty(t, all.SamplesTS)
	assert.Greater(t, all.MACs, half.MACs)
	assert.Greater(t, half.MACs, commit.MACs)
	assert.Greater(t, row(t, b, "step32 @ d64").Bytes, all.Bytes-1, "the cache is read, too")

	block := row(t, b, "block32 @ d64")
	assert.Equal(t, "forced: 4 tokens a step", block.Schedule)
	assert.Equal(t, []float64{8, 32, 18, 4}, []float64{block.Forwards, block.Rows, block.Logits, block.TPF})
	assert.Equal(t, []int{32, 32, 8}, []int{block.Tokens, block.Gen, block.Steps})

	// Three blocks of eight steps; two are made final in the next one's first step.
	gen := row(t, b, "gen80")
	assert.Equal(t, "forced: 4 tokens a step", gen.Schedule)
	assert.Equal(t, []float64{24, 80. / 24}, []float64{gen.Forwards, gen.TPF})
	assert.InEpsilon(t, (24*32+2*32)/24., gen.Rows, 1e-12)
	assert.Equal(t, []int{80, 80}, []int{gen.Tokens, gen.Gen})
}

// TestRunInterleaved: repetitions of all tests of all models take turns.
func TestRunInterleaved(t *testing.T) {
	a, b := tinyModel(t, gguf.Q8_0), tinyModel(t, gguf.BF16)
	var lines []string
	got, err := bench.Run(t.Context(), bench.Options{Burst: time.Millisecond,
		Models: []bench.Source{{Path: a}, {Path: b}}, Scenarios: scenarios(t, bench.Grid{Tests: []string{"step32/16", "commit"}}),
		Repetitions: 2, Interleave: true, External: []string{"true"},
		Progress: func(_, _ int, next string) { lines = append(lines, next) },
	})
	require.NoError(t, err)
	assert.True(t, got.Interleave)
	turn := []string{"step32/16", "commit32", "step32/16", "commit32", "true"}
	assert.Equal(t, append(append(append([]string{}, turn...), turn...), turn...), lines)
	require.Len(t, got.Tests, 5)
	assert.Equal(t, []string{a, a, b, b, ""}, []string{got.Tests[0].Model, got.Tests[1].Model, got.Tests[2].Model, got.Tests[3].Model, got.Tests[4].Model})
	for i := range got.Tests[:4] {
		checkRow(t, &got.Tests[i], 2)
	}
	assert.Equal(t, "process", got.Tests[4].Kind)
}

// TestRunSettings: what a grid asks for is what runs.
func TestRunSettings(t *testing.T) {
	path := tinyModel(t, gguf.Q4_0)
	b, err := bench.Run(t.Context(), bench.Options{Burst: time.Millisecond,
		Models: []bench.Source{{Path: path}}, Repetitions: 1,
		Scenarios: scenarios(t, bench.Grid{
			Tests: []string{"gen64", "block"}, Block: []int{16, 32}, Steps: []int{5}, Profile: []string{"exact", "turbo", "reference"},
		}),
	})
	require.NoError(t, err)
	require.Len(t, b.Tests, 12)
	for _, x := range b.Tests {
		require.Empty(t, x.Error)
		assert.Equal(t, 5, x.Steps)
		assert.Equal(t, float64(5*x.Tokens/x.Block), x.Forwards)
		assert.Equal(t, map[int]string{16: "forced: 16 tokens in 5 steps", 32: "forced: 32 tokens in 5 steps"}[x.Block], x.Schedule)
		assert.Equal(t, map[string]string{"exact": "exact", "turbo": "exact-context", "reference": "exact"}[x.Profile], x.Class)
		switch {
		case x.Profile == "reference" && x.Kind == "gen":
			assert.Equal(t, float64(x.Block+64)/2, x.Rows, "the whole window at every step")
		case x.Profile == "turbo":
			assert.Less(t, x.Rows, float64(x.Block)*1.2)
		}
	}

	// A threshold that is asked for decides, whatever it makes of random weights.
	b, err = bench.Run(t.Context(), bench.Options{Burst: time.Millisecond,
		Models: []bench.Source{{Path: path}}, Repetitions: 1,
		Scenarios: scenarios(t, bench.Grid{Tests: []string{"gen"}, Gen: []int{32}, Threshold: []float64{0, 0.5, 1}}),
	})
	require.NoError(t, err)
	require.Len(t, b.Tests, 3)
	assert.Equal(t, "threshold 0", b.Tests[0].Schedule)
	assert.Equal(t, 1.0, b.Tests[0].Forwards)
	assert.Equal(t, "threshold 0.5", b.Tests[1].Schedule)
	assert.Equal(t, "forced: 4 tokens a step", b.Tests[2].Schedule)
	assert.Equal(t, 8.0, b.Tests[2].Forwards)
}

// TestRunInterrupted: whenever it is interrupted, what was done is there.
func TestRunInterrupted(t *testing.T) {
	path := tinyModel(t, gguf.Q8_0)
	for stop := range 6 {
		ctx, cancel := context.WithCancel(t.Context())
		b, err := bench.Run(ctx, bench.Options{Burst: time.Millisecond,
			Models: []bench.Source{{Path: path}}, Scenarios: scenarios(t, bench.Grid{Tests: []string{"commit", "gen32"}}), Repetitions: 2,
			Progress: func(done, _ int, _ string) {
				if done == stop {
					cancel()
				}
			},
		})
		require.ErrorIs(t, err, context.Canceled)
		require.NotNil(t, b)
		assert.True(t, b.Interrupted)
		assert.Equal(t, []int{2, 2}, []int{b.Asked, b.Repetitions})
		samples := 0
		for _, x := range b.Tests {
			assert.Empty(t, x.Error)
			samples += len(x.SamplesNS)
		}
		// Two of the turns are warm-ups, and that which was cut off does not count.
		assert.Equal(t, []int{0, 0, 1, 2, 2, 3}[stop], samples, "stopped in turn %d", stop)
		cancel()
	}
}

func TestRunErrors(t *testing.T) {
	path := tinyModel(t, gguf.Q8_0)
	run := func(tests []bench.Scenario, model string) error {
		_, err := bench.Run(t.Context(), bench.Options{Burst: time.Millisecond, Models: []bench.Source{{Path: model}}, Scenarios: tests, Repetitions: 1})
		return err
	}
	for message, g := range map[string]bench.Grid{
		"pp100: 100 tokens are no whole blocks of 32":                                    {Tests: []string{"pp100"}},
		"step32 @ d40: depth 40 is no whole blocks of 32":                                {Tests: []string{"step"}, Depth: []int{40}},
		"step32/33: a block of 32 has not 33 rows":                                       {Tests: []string{"step/33"}},
		"pp4096: depth 0 and 4096 tokens exceed the model's 2048 positions":              {Tests: []string{"pp4096"}},
		"commit32 @ d2048: depth 2048 and 32 tokens exceed the model's 2048 positions":   {Tests: []string{"commit"}, Depth: []int{2048}},
		"policy joint looks at all positions in every step, so steps cannot be delayed":  {Tests: []string{"gen32"}, Policy: []string{"joint"}, Profile: []string{"turbo"}},
		"step4096: block length 4096 is not between 1 and the model's 2048 positions":    {Tests: []string{"step4096"}},
		"gen1000000000: depth 0 and 1000000000 tokens exceed the model's 2048 positions": {Tests: []string{"gen1000000000"}},
		"gen64 @ d2016: depth 2016 and 64 tokens exceed the model's 2048 positions":      {Tests: []string{"gen64"}, Depth: []int{2016}},
	} {
		var setting *bench.SettingError
		err := run(scenarios(t, g), path)
		require.ErrorContains(t, err, message)
		require.ErrorAs(t, err, &setting)
	}
	require.ErrorIs(t, run(scenarios(t, bench.Grid{}), path+".not"), os.ErrNotExist)
	require.ErrorContains(t, run(nil, path), "nothing to measure")
}

func TestGrid(t *testing.T) {
	names := func(g bench.Grid) (all []string) {
		for _, s := range scenarios(t, g) {
			if s.Block == 0 {
				s.Block = 32
			}
			if s.Logits == 0 {
				s.Logits = s.Block
			}
			all = append(all, s.Name())
		}
		return all
	}
	assert.Equal(t, []string{"pp512", "step32", "step32/-1", "commit32", "block32", "gen128"}, names(bench.Grid{}))
	assert.Equal(t, []string{"step32", "step32/-1", "commit32", "block32"}, names(bench.Grid{Prompt: []int{0}, Gen: []int{0}}))
	assert.Equal(t, []string{"pp64", "gen32", "pp64 @ d96", "gen32 @ d96"},
		names(bench.Grid{Tests: []string{"pp", "gen"}, Prompt: []int{64, 0}, Gen: []int{32}, Depth: []int{0, 96}}))
	assert.Equal(t, []string{"step16/8", "pp1024"}, names(bench.Grid{Tests: []string{"step16/8", "pp1024"}}))
	// What a test does not depend on does not multiply it.
	assert.Len(t, scenarios(t, bench.Grid{Threshold: []float64{0.5, 0.9}, Policy: []string{"threshold", "factor"}, Steps: []int{8}}), 4+1+4)
	assert.Len(t, scenarios(t, bench.Grid{Tests: []string{"step"}, Block: []int{8, 16}, Threads: []int{1, 2}, Depth: []int{0, 64}}), 8)

	hundred := slices.Repeat([]int{1}, 100)
	for message, g := range map[string]bench.Grid{
		`"tg128" is not a test such as pp512`:              {Tests: []string{"tg128"}},
		`"step32/x" is not a test`:                         {Tests: []string{"step32/x"}},
		`"pp512/2" is not a test`:                          {Tests: []string{"pp512/2"}},
		`"step0" is not a test`:                            {Tests: []string{"step0"}},
		`"32" is not a test`:                               {Tests: []string{"32"}},
		"test step16 is of another block length than [32]": {Tests: []string{"step16"}, Block: []int{32}},
		"numbers of tokens are given for pp or gen":        {Tests: []string{"step"}, Prompt: []int{64}},
		"no test is left":                                  {Tests: []string{"pp"}, Prompt: []int{0}},
		`policy "best" is not one of threshold, factor`:    {Policy: []string{"best"}},
		`profile "best" is not one of`:                     {Profile: []string{"best"}},
		"threshold 1.5 is above 1":                         {Threshold: []float64{1.5}},
		"threads 0 has no meaning":                         {Threads: []int{0}},
		"5000 threads are more than 1024":                  {Threads: []int{5000}},
		"more than 4096 combinations":                      {Depth: make([]int, 250), Steps: hundred},
	} {
		_, err := g.Scenarios()
		require.ErrorContains(t, err, message, message)
	}
}
