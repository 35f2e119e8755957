package quant

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/kernels"
)

// In step or one after the other: the same block, whatever does the arithmetic.
func TestSearchInStep(t *testing.T) {
	for _, name := range kernels.Implementations() {
		restore, err := kernels.Use(name)
		require.NoError(t, err)
		r := rand.New(rand.NewPCG(7, 1))
		s := new(lockstep)
		for kind := range 3000 {
			var src [256]float32
			scale := math.Pow(10, float64(r.IntN(60)-40))
			for i := range src {
				switch v := r.NormFloat64(); kind % 6 {
				case 0, 1:
					src[i] = float32(v * scale)
				case 2: // few values, whole sub-blocks of one
					src[i] = float32(float64(r.IntN(1+i/32)) * scale)
				case 3: // all on one side
					src[i] = float32((math.Abs(v) + 0.1) * scale * float64(1-kind/6%2*2))
				case 4:
					src[i] = math.Float32frombits(r.Uint32())
				case 5: // some far out
					src[i] = float32(v * math.Pow(20, float64(r.IntN(40)/39)))
				}
			}
			for _, l := range []*layout{&layoutQ4_K, &layoutQ5_K} {
				want, overflows := l.search(&src, nil)
				got, n := s.search(l, &src)
				require.Equal(t, want, got, "%s: %v", name, src)
				require.Equal(t, overflows, n)
			}
		}
		restore()
	}
}
