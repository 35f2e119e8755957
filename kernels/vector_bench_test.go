package kernels

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkVector measures what stands between products, on rows of 2048 values, and
// reports how many bytes it reads and writes.
func BenchmarkVector(b *testing.B) {
	const n = 2048
	r := rand.New(rand.NewPCG(4, 5))
	x, y, z := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range x {
		x[i], y[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
	}
	bytes, half := make([]byte, 2*n), make([]byte, 2*n)
	a := NewActivations(n)
	a.Reset(x, 1, n)
	blocks := make([]byte, 34*n/32)
	for _, c := range []struct {
		name  string
		bytes int
		f     func()
	}{
		{"quantize", 4*n + n*48/32, func() { a.Quantize(0, 1) }},
		{"rmsnorm", 12 * n, func() { RMSNorm(z, x, y, 1e-6) }},
		{"softmax", 8 * n, func() { Softmax(z) }},
		{"silumul", 12 * n, func() { SiLUMul(z, x, y) }},
		{"add", 12 * n, func() { Add(z, x) }},
		{"stats", 4 * n, func() { LogitStats(x, 7) }},
		{"widen-f16", 6 * n, func() { WidenF16(z, bytes) }},
		{"narrow-f16", 6 * n, func() { NarrowF16(half, x) }},
		{"narrow-bf16", 6 * n, func() { NarrowBF16(half, x) }},
		{"quantize-q8_0", 5 * n, func() { QuantizeQ8_0(blocks, x) }},
		{"quantize-q4_0", 4*n + n/2, func() { QuantizeQ4_0(blocks, x) }},
	} {
		b.Run(c.name, func(b *testing.B) { measure(b, float64(c.bytes), "GB/s", nil, c.f) })
	}
}
