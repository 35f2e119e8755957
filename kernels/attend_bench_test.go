package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"lladakit/kernels/peak"
)

// BenchmarkAttend is attention of four heads of 32 rows, which share keys and values
// of 128 columns, at several depths. A product with a key and the weighting of a
// value are counted alike; shares are of the peak of float32, which products of
// whole numbers can exceed.
func BenchmarkAttend(b *testing.B) {
	const rows, cols = 4 * 32, 128
	r := rand.New(rand.NewPCG(4, 6))
	for _, typ := range cacheTypes {
		name := map[Type]string{F16: "f16", F32: "f32", Q8_0: "q8_0"}[typ]
		for _, n := range []int{32, 128, 1024, 4096 + 32} {
			keys, values := keysAndValues(b, r, typ, n, cols), keysAndValues(b, r, typ, n, cols)
			q := randomActivations(r, rows, cols)
			for i := range q.X {
				q.X[i] /= 32 // scores of some units: no share is too small for a normal float32
			}
			out, all, s := make([]float32, rows*cols), new(Scratch).all(rows), new(AttendScratch)
			b.Run(fmt.Sprintf("type=%s/positions=%d", name, n), func(b *testing.B) {
				measure(b, float64(2*rows*cols*n), "GMAC/s", peak.Float, func() { Attend(out, q, all, &keys, &values, n, s) })
			})
		}
	}
}
