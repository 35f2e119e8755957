package runtime_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/bench"
	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/runtime"
)

func random(t *testing.T, typ gguf.Type) *runtime.Model {
	t.Helper()
	c, err := bench.Shape("tiny")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, bench.Synthesize(t.Context(), path, bench.Synthetic{Config: c, Type: typ}))
	m, err := runtime.Load(path, runtime.LoadOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// phases adds up all of them.
func phases(c runtime.Cost) time.Duration {
	return c.Embedding + c.Norms + c.Projections + c.Rotation + c.Attention + c.FFN + c.Head + c.Acceptance
}

// TestCostPhases requires that the phases explain at least 95 % of the time that a
// pass takes as seen from outside. What an unlucky interrupt falls between two readings
// of the clock counts for nothing: one of many tries is enough.
func TestCostPhases(t *testing.T) {
	m := random(t, gguf.Q4_0)
	s, cache := m.NewState(32, 32), m.NewCache(64)
	ids, want := make([]int32, 32), make([]int, 32)
	for i := range ids {
		ids[i], want[i] = int32(31*i), i
	}
	for pos, want := range map[int][]int{0: want, 32: nil} {
		explained := 0.0
		for range 200 {
			start := time.Now()
			s.Forward(runtime.Part{IDs: ids, Pos: pos, Block: 32, Cache: cache, Want: want})
			if len(want) > 0 {
				s.Stats(m.MaskID)
			}
			took := time.Since(start)
			c := s.Cost()
			require.Equal(t, c.Total, phases(c))
			require.LessOrEqual(t, c.Total, took)
			for _, d := range []time.Duration{c.Embedding, c.Norms, c.Projections, c.Rotation, c.FFN} {
				require.Positive(t, d)
			}
			require.Equal(t, len(want) > 0, c.Head > 0)
			explained = max(explained, c.Total.Seconds()/took.Seconds())
		}
		assert.Greater(t, explained, 0.95, "position %d", pos)
	}
}

// TestCostCounts holds products and bytes against the shape of the model.
func TestCostCounts(t *testing.T) {
	for _, typ := range []gguf.Type{gguf.Q4_0, gguf.Q8_0, gguf.BF16} {
		m := random(t, typ)
		c := &m.Config
		const depth, rows = 64, 32
		s, cache := m.NewState(depth, rows), m.NewCache(depth+rows)
		ids, want := make([]int32, depth), make([]int, rows)
		for i := range ids {
			ids[i] = int32(13 * i)
		}
		for i := range want {
			want[i] = i
		}
		s.Forward(runtime.Part{IDs: ids, Block: rows, Cache: cache})
		assert.Equal(t, depth, s.Cost().Rows)
		assert.Zero(t, s.Cost().Logits)
		s.Forward(runtime.Part{IDs: ids[:rows], Pos: depth, Block: rows, Cache: cache, Want: want})
		s.Stats(m.MaskID)
		got := s.Cost()
		assert.Equal(t, rows, got.Rows)
		assert.Equal(t, rows, got.Logits)

		heads := int64(c.Heads * c.HeadDim)
		sparse := int64(c.Layers - c.DenseLayers)
		routers := sparse * int64(c.Experts*c.Hidden)
		matrices := int64(c.Layers)*int64(c.Hidden)*(int64(c.QKVDim())+heads) +
			3*int64(c.DenseLayers*c.Hidden*c.DenseFF) +
			3*sparse*int64(c.Hidden)*int64(c.ExpertsUsed*c.ExpertFF+c.SharedFF) +
			int64(c.Vocab*c.Hidden)
		attention := 2 * int64(c.Layers) * (depth + rows) * heads
		assert.Equal(t, rows*(matrices+routers+attention), got.MACs, typ)
		switch typ {
		case gguf.Q4_0:
			assert.Equal(t, rows*matrices, got.Int4)
			assert.Equal(t, rows*attention, got.Int8)
		case gguf.Q8_0:
			assert.Zero(t, got.Int4)
			assert.Equal(t, rows*(matrices+attention), got.Int8)
		default: // and so are keys and values
			assert.Zero(t, got.Int4)
			assert.Zero(t, got.Int8)
		}

		element := map[runtime.KV]int{runtime.KVF16: 2, runtime.KVF32: 4}[m.KV]
		assert.EqualValues(t, 2*c.Layers*c.KVHeads*c.HeadDim*element*(depth+rows), got.Cache, typ)
		row, err := kernels.Type(typ).RowBytes(c.Hidden)
		require.NoError(t, err)
		used := 0
		for _, n := range got.Experts {
			used += n
		}
		weights := int64(row) * (int64(c.Layers)*(int64(c.QKVDim())+heads) + 3*int64(c.DenseLayers*c.DenseFF) +
			3*(int64(used*c.ExpertFF)+sparse*int64(c.SharedFF)) + int64(c.Vocab) + rows)
		// The shape's down projections have rows of other lengths, and as many bytes.
		assert.Equal(t, weights+4*routers+got.Cache, got.Bytes, typ)
	}
}

// TestWithThreads requires that a model with other workers gives the same bits, also
// when both take turns.
func TestWithThreads(t *testing.T) {
	m := random(t, gguf.Q4_0)
	opt := m.Defaults()
	opt.GenLength, opt.Steps = 64, 8
	want, err := m.Generate(t.Context(), []int32{1, 2, 3}, opt)
	require.NoError(t, err)
	for n := 1; n <= 3; n++ {
		with := m.WithThreads(n)
		assert.Equal(t, n, with.Threads())
		for range 2 {
			got, err := with.Generate(t.Context(), []int32{1, 2, 3}, opt)
			require.NoError(t, err)
			assert.Equal(t, want.IDs, got.IDs)
			got, err = m.Generate(t.Context(), []int32{1, 2, 3}, opt)
			require.NoError(t, err)
			assert.Equal(t, want.IDs, got.IDs)
		}
		require.NoError(t, with.Close())
	}
	_, err = m.Generate(t.Context(), []int32{1, 2, 3}, opt)
	require.NoError(t, err)
}
