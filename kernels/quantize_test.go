package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every implementation writes the same bytes.
func TestQuantizeWeights(t *testing.T) {
	odd := []float32{0, float32(math.Copysign(0, -1)), 1, -1, 0.5, -0.5, 127, -127, 63.5, 1e-45, -1e-45, 1e-38, 1e-40, 3e38, -3e38, 8.3e6, 5.3e5,
		float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(6, 1))
		for _, c := range []struct {
			size        int
			plain, fast func([]byte, []float32) int
		}{
			{34, quantizeQ8_0Plain, QuantizeQ8_0},
			{18, quantizeQ4_0Plain, QuantizeQ4_0},
		} {
			for n := range 101 {
				for kind := range 40 {
					x := make([]float32, n*blockLen)
					scale := math.Pow(10, float64(r.IntN(90)-45))
					some := odd[r.IntN(len(odd)):]
					for i := range x {
						switch kind % 4 {
						case 0:
							x[i] = float32(scale * r.NormFloat64())
						case 1:
							x[i] = some[r.IntN(min(4, len(some)))]
						case 2: // ties, in both directions
							x[i] = (float32(r.IntN(255)) - 127) / 2
						case 3:
							x[i] = math.Float32frombits(r.Uint32())
						}
					}
					want, got := make([]byte, n*c.size), make([]byte, n*c.size+1)
					got[n*c.size] = 0xa5
					overflows := c.plain(want, x)
					require.Equal(t, overflows, c.fast(got, x))
					require.Equal(t, want, got[:n*c.size], "%v", x)
					require.Equal(t, byte(0xa5), got[n*c.size])
				}
			}
		}
	})
}
