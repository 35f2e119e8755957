package bench_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/bench"
	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// TestSynthesize requires models that load and answer, in every type, the same
// for the same seed.
func TestSynthesize(t *testing.T) {
	c, err := bench.Shape("tiny")
	require.NoError(t, err)
	c.ExpertFF, c.SharedFF = 256, 256 // whole blocks of every type
	for _, typ := range []gguf.Type{gguf.F32, gguf.BF16, gguf.Q8_0, gguf.Q4_0, gguf.Q4_K, gguf.Q2_K, gguf.MXFP4} {
		path := filepath.Join(t.TempDir(), "model.gguf")
		var done, total int64
		x := bench.Synthetic{Config: c, Type: typ, Seed: 7, Progress: func(d, n int64) { done, total = d, n }}
		require.NoError(t, bench.Synthesize(t.Context(), path, x))
		assert.Positive(t, total)
		assert.Equal(t, total, done)
		m, err := runtime.Load(path, runtime.LoadOptions{})
		require.NoError(t, err)
		opt := m.Defaults()
		opt.GenLength, opt.Steps = 32, 4
		r, err := m.Generate(t.Context(), []int32{1, 2, 3}, opt)
		require.NoError(t, err)
		assert.NotEmpty(t, r.IDs)
		assert.Equal(t, typ.String(), m.FileType())
		m.Close()
		first, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, bench.Synthesize(t.Context(), path, x))
		again, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.True(t, string(first) == string(again))
	}
}

// touched counts the experts of each layer that one pass over random ids uses.
func touched(t *testing.T, favour float64) float64 {
	c, err := bench.Shape("tiny")
	require.NoError(t, err)
	c.Experts, c.ExpertGroups, c.GroupsUsed = 64, 1, 1
	path := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, bench.Synthesize(t.Context(), path, bench.Synthetic{Config: c, Type: gguf.Q8_0, Favour: favour}))
	m, err := runtime.Load(path, runtime.LoadOptions{})
	require.NoError(t, err)
	defer m.Close()
	ids := make([]int32, 32)
	for i := range ids {
		ids[i] = rand.Int32N(1000)
	}
	count := 0
	m.Observe(func(o runtime.Observation) {
		if o.Shares != nil {
			count++
		}
	})
	m.NewState(32, 1).Forward(runtime.Part{IDs: ids, Block: 32, Cache: m.NewCache(32), Want: []int{0}})
	return float64(count) / 3
}

func TestFavour(t *testing.T) {
	assert.Less(t, touched(t, 0.5), 0.7*touched(t, 0))
}

func TestSynthesizeErrors(t *testing.T) {
	_, err := bench.Shape("huge")
	require.ErrorContains(t, err, "flash, mini, tiny")
	c, err := bench.Shape("tiny")
	require.NoError(t, err)
	dir := t.TempDir()
	path := filepath.Join(dir, "model.gguf")
	err = bench.Synthesize(t.Context(), path, bench.Synthetic{Config: c, Type: gguf.Q4_K})
	require.ErrorContains(t, err, "rows of 64 are no whole blocks of q4_k")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, bench.Synthesize(ctx, path, bench.Synthetic{Config: c, Type: gguf.Q8_0}), context.Canceled)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// TestSynthesizeMode: whoever may read files made here may read the model.
func TestSynthesizeMode(t *testing.T) {
	c, err := bench.Shape("tiny")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, bench.Synthesize(t.Context(), filepath.Join(dir, "model.gguf"), bench.Synthetic{Config: c, Type: gguf.Q8_0}))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), nil, 0o666))
	got, err := os.Stat(filepath.Join(dir, "model.gguf"))
	require.NoError(t, err)
	want, err := os.Stat(filepath.Join(dir, "other"))
	require.NoError(t, err)
	assert.Equal(t, want.Mode(), got.Mode())
}
