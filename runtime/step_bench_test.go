package runtime_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lladakit/bench"
	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// benchModel writes a random model with weights in Q4_0 and loads it.
func benchModel(b *testing.B, c arch.Config) *runtime.Model {
	b.Helper()
	path := filepath.Join(b.TempDir(), "model.gguf")
	require.NoError(b, bench.Synthesize(b.Context(), path, bench.Synthetic{Config: c, Type: gguf.Q4_0}))
	return benchFile(b, path)
}

func benchFile(b *testing.B, path string) *runtime.Model {
	b.Helper()
	m, err := runtime.Load(path, runtime.LoadOptions{})
	require.NoError(b, err)
	b.Cleanup(func() { m.Close() })
	return m
}

// benchShape returns a published shape with fewer layers.
func benchShape(b *testing.B, name string, layers int) arch.Config {
	b.Helper()
	c, err := bench.Shape(name)
	require.NoError(b, err)
	c.Layers = layers
	return c
}

// prefilled returns a cache with the keys and values of random tokens.
func prefilled(m *runtime.Model, positions int, rng *rand.Rand) *runtime.Cache {
	ids := make([]int32, positions)
	for i := range ids {
		ids[i] = rng.Int32N(int32(m.Config.Vocab - 2))
	}
	const rows = 512
	s, cache := m.NewState(min(rows, max(1, positions)), 1), m.NewCache(positions+32)
	for pos := 0; pos < positions; pos += rows {
		s.Forward(runtime.Part{IDs: ids[pos:min(pos+rows, positions)], Pos: pos, Block: 32, Cache: cache})
	}
	return cache
}

// BenchmarkStep is one pass over 32 rows with the statistics of all or half of
// them, at several depths of the cache. Half of the rows are masks. It reports how
// many experts a layer used on average, and of the fastest pass where its time went. The models are random: four layers of
// mini's shape, a file of 1.8 GB, and three of flash's, 4.5 GB; or it is the file
// that LLADA_BENCH_MODEL names.
//
//	go test ./runtime -run '^$' -bench Step/model=mini -count 6 > new; benchstat old new
//	LLADA_BENCH_MODEL=mini-q4_0.gguf go test ./runtime -run '^$' -bench Step
func BenchmarkStep(b *testing.B) {
	if path := os.Getenv("LLADA_BENCH_MODEL"); path != "" {
		b.Run("model=file", func(b *testing.B) { benchSteps(b, benchFile(b, path)) })
		return
	}
	b.Run("model=mini", func(b *testing.B) { benchSteps(b, benchModel(b, benchShape(b, "mini", 4))) })
	b.Run("model=flash", func(b *testing.B) { benchSteps(b, benchModel(b, benchShape(b, "flash", 3))) })
}

func benchSteps(b *testing.B, m *runtime.Model) {
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
				cache := prefilled(m, depth, rng)
				s := m.NewState(32, 32)
				want := make([]int, 0, 32)
				for i := 0; i < rows; i++ {
					want = append(want, i*32/rows)
				}
				best := runtime.Cost{Total: time.Hour}
				for b.Loop() {
					s.Forward(runtime.Part{IDs: ids, Pos: depth, Block: 32, Cache: cache, Want: want})
					if rows > 0 {
						s.Stats(m.MaskID)
					}
					if c := s.Cost(); c.Total < best.Total {
						best = c
					}
				}
				touched := 0
				for _, n := range best.Experts {
					touched += n
				}
				ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
				b.ReportMetric(ms(best.Total), "best-ms")
				b.ReportMetric(ms(best.Projections), "projections-ms")
				b.ReportMetric(ms(best.Attention), "attention-ms")
				b.ReportMetric(ms(best.FFN), "ffn-ms")
				b.ReportMetric(ms(best.Head), "head-ms")
				b.ReportMetric(float64(best.MACs)/float64(best.Total.Nanoseconds()), "GMAC/s")
				b.ReportMetric(float64(best.Bytes)/float64(best.Total.Nanoseconds()), "GB/s")
				layers := m.Config.Layers - m.Config.DenseLayers
				if rows == 0 {
					layers--
				}
				b.ReportMetric(float64(touched)/float64(layers), "experts/layer")
			})
		}
	}
}
