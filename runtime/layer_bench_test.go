package runtime_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"lladakit/kernels/peak"
	"lladakit/runtime"
)

// BenchmarkLayer is a whole layer over 32 rows and no cache: norms, projections,
// attention, and the dense part or router and experts, with weights in Q4_0. The
// models are random, of one layer and a small vocabulary: 0.5 GB of mini's shape and
// 1.9 of flash's. Rows choose experts at random or, favoured, share as many as in
// trained models. The rates are those of the best pass. Beside them stands what share
// they are of what all workers together can do just now in kernels/peak: multiply 4-bit
// weights, and read memory. A layer cannot be faster than the greater of these shares
// says.
//
//	go test ./runtime -run '^$' -bench Layer/shape=mini -count 6 > new; benchstat old new
func BenchmarkLayer(b *testing.B) {
	for _, shape := range []string{"mini", "flash"} {
		for _, dense := range []int{0, 1} {
			b.Run(fmt.Sprintf("shape=%s/layer=%s", shape, []string{"moe", "dense"}[dense]), func(b *testing.B) {
				c := benchShape(b, shape, 1)
				c.DenseLayers, c.Vocab = dense, 4096
				m := benchModel(b, c)
				if dense == 1 {
					benchLayer(b, m)
					return
				}
				bias := m.Weights.Layers[0].RouterBias
				b.Run("experts=random", func(b *testing.B) { benchLayer(b, m) })
				r := rand.New(rand.NewPCG(3, 4))
				for i := range bias {
					bias[i] = float32(0.2 * r.NormFloat64())
				}
				b.Run("experts=favoured", func(b *testing.B) { benchLayer(b, m) })
			})
		}
	}
}

func benchLayer(b *testing.B, m *runtime.Model) {
	ids, want := make([]int32, 32), make([]int, 32)
	for i := range ids {
		ids[i], want[i] = int32(i*97), i
	}
	s, cache := m.NewState(32, 32), m.NewCache(32)
	best := time.Hour
	for b.Loop() {
		start := time.Now()
		s.Forward(runtime.Part{IDs: ids, Block: 32, Cache: cache, Want: want})
		best = min(best, time.Since(start))
	}
	cost := s.Cost()
	macs, bytes := float64(cost.MACs)/float64(best.Nanoseconds()), float64(cost.Bytes)/float64(best.Nanoseconds())
	b.ReportMetric(float64(best.Nanoseconds()), "best-ns")
	b.ReportMetric(macs, "GMAC/s")
	b.ReportMetric(bytes, "GB/s")
	if n := slices.Max(cost.Experts); n > 0 {
		b.ReportMetric(float64(n), "experts")
	}
	const trials = 2000
	if most := together(m.Threads(), func([]byte) float64 { return peak.Int4(trials) }); most > 0 {
		b.ReportMetric(macs/most, "of-int4-peak")
	}
	if most := together(m.Threads(), func(part []byte) float64 { return peak.Memory(part, trials) }); most > 0 {
		b.ReportMetric(bytes/most, "of-memory-peak")
	}
}

// together returns the sum of what f returns to several callers at the same time,
// each of which has memory of its own.
func together(workers int, f func(part []byte) float64) (sum float64) {
	const size = 128 << 20
	whole := make([]byte, workers*size)
	for i := range whole {
		whole[i] = byte(i)
	}
	rates := make([]float64, workers)
	var group sync.WaitGroup
	for i := range rates {
		group.Go(func() { rates[i] = f(whole[i*size : (i+1)*size]) })
	}
	group.Wait()
	for _, rate := range rates {
		sum += rate
	}
	return sum
}
