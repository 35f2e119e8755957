package runtime_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/bench"
	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// benchModel returns the file that LLADA_BENCH_MODEL names, or a random model of
// mini's shape with four layers.
func benchModel(b *testing.B, typ gguf.Type) *runtime.Model {
	path := os.Getenv("LLADA_BENCH_MODEL")
	if path == "" {
		c, err := bench.Shape("mini")
		require.NoError(b, err)
		c.Layers = 4
		path = filepath.Join(b.TempDir(), "model.gguf")
		require.NoError(b, bench.Synthesize(b.Context(), path, bench.Synthetic{Config: c, Type: typ}))
	}
	m, err := runtime.Load(path, runtime.LoadOptions{})
	require.NoError(b, err)
	b.Cleanup(func() { m.Close() })
	return m
}

// BenchmarkStep is one pass over 32 rows with the statistics of all or half of
// them, at several depths of the cache. Half of the rows are masks. It reports how
// many experts a layer used on average.
//
//	go test ./runtime -run '^$' -bench Step
//	LLADA_BENCH_MODEL=mini-q4_0.gguf go test ./runtime -run '^$' -bench Step
func BenchmarkStep(b *testing.B) {
	m := benchModel(b, gguf.Q4_0)
	rng := rand.New(rand.NewPCG(1, 2))
	ids := make([]int32, 32)
	for i := range ids {
		ids[i] = m.MaskID
		if i%2 == 0 {
			ids[i] = rng.Int32N(int32(m.Config.Vocab - 2))
		}
	}
	for _, depth := range []int{0, 1024, 4096} {
		for _, rows := range []int{32, 16, 0} {
			b.Run(fmt.Sprintf("depth=%d/logits=%d", depth, rows), func(b *testing.B) {
				s, cache := m.NewState(32, depth+32, 32), m.NewCache(depth+32)
				want := make([]int, 0, 32)
				for i := 0; i < rows; i++ {
					want = append(want, i*32/rows)
				}
				touched := 0
				m.Observe(func(o runtime.Observation) {
					if o.Shares != nil {
						touched++
					}
				})
				s.Forward(runtime.Part{IDs: ids, Pos: depth, Block: 32, Cache: cache, Want: want})
				m.Observe(nil)
				for b.Loop() {
					s.Forward(runtime.Part{IDs: ids, Pos: depth, Block: 32, Cache: cache, Want: want})
					if rows > 0 {
						s.Stats(m.MaskID)
					}
				}
				layers := m.Config.Layers - m.Config.DenseLayers
				if rows == 0 {
					layers--
				}
				b.ReportMetric(float64(touched)/3/float64(layers), "experts/layer")
			})
		}
	}
}
