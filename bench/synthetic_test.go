package bench_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/bench"
	"lladakit/internal/arch"
	"lladakit/internal/disk"
	"lladakit/internal/gguf"
	"lladakit/runtime"
)

func shape(t testing.TB, text string) arch.Config {
	t.Helper()
	c, err := bench.Shape(text)
	require.NoError(t, err)
	return c
}

// TestSynthesize requires models that load and answer, in every kind of type.
func TestSynthesize(t *testing.T) {
	c := shape(t, "tiny:ff=256") // whole blocks of every type
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
		opt.GenLength, opt.Steps = 32, 1
		r, err := m.Generate(t.Context(), []int32{1, 2, 3}, opt)
		require.NoError(t, err)
		assert.NotEmpty(t, r.IDs)
		assert.Equal(t, typ.String(), m.FileType())
		m.Close()
	}
}

// TestSynthesizeSeed requires equal files for equal seeds, and only for these.
func TestSynthesizeSeed(t *testing.T) {
	for _, touched := range []float64{0, 10} {
		made := func(seed uint64) string {
			dir := t.TempDir()
			path := filepath.Join(dir, "model.gguf")
			x := bench.Synthetic{Config: shape(t, "tiny"), Type: gguf.Q8_0, Seed: seed, Touched: touched}
			require.NoError(t, bench.Synthesize(t.Context(), path, x))
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			assert.Len(t, left, 1, "the model that offers were tried with is gone")
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			return string(data)
		}
		first := made(7)
		assert.True(t, first == made(7))
		assert.False(t, first == made(8))
	}
}

// manyExperts is a small model with mini's experts, as they are chosen.
const manyExperts = "5x256:experts=256,vocab=2048,ff=32,dense-ff=256"

// TestTouched requires the wanted number of experts, within a twentieth on average and
// a tenth in each layer, for random ids as for masks.
func TestTouched(t *testing.T) {
	for _, run := range []struct {
		shape string
		want  float64
	}{
		{manyExperts, 40}, {manyExperts, 70}, {manyExperts, 104}, {manyExperts, 8},
		{"4x256:experts=64,used=4,groups=1,vocab=2048,ff=32,dense-ff=256", 20},
		{"4x256:experts=64,used=6,groups=4,groups-used=1,vocab=2048,ff=32,dense-ff=256", 32},
	} {
		x := bench.Synthetic{Config: shape(t, run.shape), Type: gguf.Q4_0, Seed: 5, Touched: run.want}
		m, err := bench.LoadSynthetic(t.Context(), t.TempDir(), x, runtime.LoadOptions{})
		require.NoError(t, err)
		touched, err := bench.MeasureTouched(t.Context(), m)
		require.NoError(t, err)
		m.Close()
		require.Len(t, touched, x.Config.Layers-1)
		var ids, masks float64
		for i, l := range touched {
			assert.Equal(t, i+1, l.Layer)
			assert.InEpsilon(t, run.want, (l.IDs+l.Masks)/2, 0.1, "%s: layer %d", run.shape, l.Layer)
			ids += l.IDs / float64(len(touched))
			masks += l.Masks / float64(len(touched))
		}
		t.Logf("%s: %.1f: ids %.1f, masks %.1f", run.shape, run.want, ids, masks)
		assert.InEpsilon(t, run.want, (ids+masks)/2, 0.05, run.shape)
		assert.InEpsilon(t, ids, masks, 0.15, run.shape)
	}
}

// TestMeasureTouched holds the numbers against what an observer sees of the experts,
// in passes of the kinds that they are about.
func TestMeasureTouched(t *testing.T) {
	m, err := bench.LoadSynthetic(t.Context(), "", bench.Synthetic{Config: shape(t, "tiny"), Type: gguf.Q8_0}, runtime.LoadOptions{})
	require.NoError(t, err)
	defer m.Close()
	experts := 0
	m.Observe(func(o runtime.Observation) {
		if o.Shares != nil {
			experts++
		}
	})
	touched, err := bench.MeasureTouched(t.Context(), m)
	m.Observe(nil)
	require.NoError(t, err)
	sum := 0.0
	for _, l := range touched {
		sum += 8*l.IDs + 4*l.Masks // four prompts of two blocks, and one of masks
	}
	assert.InDelta(t, experts, 3*sum, 1e-6, "three matrices of each expert")
}

func TestLoadSynthetic(t *testing.T) {
	dir := t.TempDir()
	for _, pack := range []runtime.Pack{"", runtime.PackMemory, runtime.PackFile, runtime.PackNone} {
		x := bench.Synthetic{Config: shape(t, "tiny"), Type: gguf.Q4_0}
		m, err := bench.LoadSynthetic(t.Context(), dir, x, runtime.LoadOptions{Threads: 1, Pack: pack})
		require.NoError(t, err, pack)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, left)
		assert.Equal(t, 1, m.Threads())
		n := 0
		require.NoError(t, m.Logits(t.Context(), []int32{1, 2, 3}, 32, func([]float32) error { n++; return nil }))
		assert.Equal(t, 3, n)
		require.NoError(t, m.Close())
	}
	_, err := bench.LoadSynthetic(t.Context(), filepath.Join(dir, "missing"), bench.Synthetic{Config: shape(t, "tiny")}, runtime.LoadOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSynthesizeErrors(t *testing.T) {
	tiny := shape(t, "tiny")
	dir := t.TempDir()
	path := filepath.Join(dir, "model.gguf")
	refuse := func(want string, x bench.Synthetic) {
		require.ErrorContains(t, bench.Synthesize(t.Context(), path, x), want)
	}
	refuse("rows of 64 are no whole blocks of q4_k", bench.Synthetic{Config: tiny, Type: gguf.Q4_K})
	refuse("weights of type i32", bench.Synthetic{Config: tiny, Type: gguf.I32})
	refuse("out of range", bench.Synthetic{Type: gguf.Q8_0})
	for _, n := range []float64{-1, 3.9, 16.1, math.NaN(), math.Inf(1)} {
		refuse("are not between 4, those of one token, and 16", bench.Synthetic{Config: tiny, Type: gguf.Q8_0, Touched: n})
	}
	refuse("no layer has experts", bench.Synthetic{Config: shape(t, "tiny:layers=1"), Type: gguf.Q8_0, Touched: 8})
	err := bench.Synthesize(t.Context(), path, bench.Synthetic{Config: shape(t, "100x16384:experts=64"), Type: gguf.F32})
	require.ErrorIs(t, err, disk.ErrSpace)
	require.ErrorContains(t, bench.Synthesize(t.Context(), dir, bench.Synthetic{Config: tiny, Type: gguf.Q8_0}), "not a regular file")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, touched := range []float64{0, 8} {
		require.ErrorIs(t, bench.Synthesize(ctx, path, bench.Synthetic{Config: tiny, Type: gguf.Q8_0, Touched: touched}), context.Canceled)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// TestSynthesizeMode: whoever may read files made here may read the model.
func TestSynthesizeMode(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, bench.Synthesize(t.Context(), filepath.Join(dir, "model.gguf"), bench.Synthetic{Config: shape(t, "tiny"), Type: gguf.Q8_0}))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), nil, 0o666))
	got, err := os.Stat(filepath.Join(dir, "model.gguf"))
	require.NoError(t, err)
	want, err := os.Stat(filepath.Join(dir, "other"))
	require.NoError(t, err)
	assert.Equal(t, want.Mode(), got.Mode())
}
