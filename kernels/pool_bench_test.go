package kernels

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkPool measures what it costs to have nothing done by all workers, at
// once and when they have gone to sleep meanwhile.
func BenchmarkPool(b *testing.B) {
	for _, gap := range []time.Duration{0, time.Millisecond} {
		b.Run(fmt.Sprintf("gap=%s", gap), func(b *testing.B) {
			p := NewPool(0)
			defer p.Close()
			best := time.Hour
			for b.Loop() {
				if gap > 0 {
					time.Sleep(gap)
				}
				start := time.Now()
				p.Run(p.Workers(), 1, func(_, _, _ int) {})
				best = min(best, time.Since(start))
			}
			b.ReportMetric(float64(best.Nanoseconds()), "best-ns")
		})
	}
}
