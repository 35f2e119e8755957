package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every half float, and float32 of all kinds: as those one by one.
func TestHalfsInBulk(t *testing.T) {
	each(t, func(t *testing.T) {
		src := make([]byte, 2<<16)
		for i := range 1 << 16 {
			le.PutUint16(src[2*i:], uint16(i))
		}
		dst := make([]float32, 1<<16)
		same := func(want, got float32) {
			if math.Float32bits(want) != math.Float32bits(got) && (want == want || got == got) {
				require.Equal(t, math.Float32bits(want), math.Float32bits(got))
			}
		}
		WidenF16(dst, src)
		for i, v := range dst {
			same(FromF16(uint16(i)), v)
		}
		WidenBF16(dst, src)
		for i, v := range dst {
			same(FromBF16(uint16(i)), v)
		}
		r := rand.New(rand.NewPCG(5, 1))
		for n := range 101 {
			for range 50 {
				x := make([]float32, n)
				for i := range x {
					u := r.Uint32()
					if r.IntN(2) == 0 { // around halfs, and the ends of their range
						u = math.Float32bits(FromF16(uint16(u))) + uint32(r.IntN(3)<<12+r.IntN(3)-1)
					}
					x[i] = math.Float32frombits(u)
				}
				out := make([]byte, 2*n+2)
				out[2*n] = 0xa5
				NarrowF16(out, x)
				for i, v := range x {
					require.Equal(t, ToF16(v), le.Uint16(out[2*i:]), "%x", math.Float32bits(v))
				}
				NarrowBF16(out, x)
				for i, v := range x {
					require.Equal(t, ToBF16(v), le.Uint16(out[2*i:]), "%x", math.Float32bits(v))
				}
				require.Equal(t, byte(0xa5), out[2*n])
			}
		}
	})
}
