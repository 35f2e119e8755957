package kernels

import (
	"fmt"
	"testing"
)

// BenchmarkMul measures the product of 512 rows of 2048 weights with a number of
// activation rows, on one worker.
func BenchmarkMul(b *testing.B) {
	const rows, cols = 512, 2048
	for _, t := range []Type{F32, BF16, Q8_0, Q4_0} {
		size, err := t.RowBytes(cols)
		if err != nil {
			b.Fatal(err)
		}
		m, err := NewMatrix(t, rows, cols, make([]byte, rows*size))
		if err != nil {
			b.Fatal(err)
		}
		for _, n := range []int{1, 4, 32} {
			b.Run(fmt.Sprintf("type=%d/rows=%d", t, n), func(b *testing.B) {
				x, dst, scratch := make([]float32, n*cols), make([]float32, n*rows), make([]float32, cols)
				for b.Loop() {
					m.Mul(dst, x, n, 0, rows, scratch)
				}
				b.ReportMetric(float64(n)*rows*cols*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		}
	}
}
