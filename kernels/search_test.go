package kernels

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The search for scales, too, is the same bit for bit everywhere, ties included.
func TestSubBlocks(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 1))
		for kind := range 400 {
			x := new(SubBlocks)
			for k := range x {
				for j := range x[k] {
					if x[k][j] = float64(float32(r.NormFloat64())); kind%4 == 0 {
						x[k][j] = float64(r.IntN(80)) / 2
					}
				}
			}
			var d, id, m [8]float64
			for j := range id {
				m[j] = float64(float32(r.NormFloat64()))
				if d[j] = float64(float32(0.2 * r.Float64())); d[j] > 0 {
					id[j] = 1 / d[j]
				}
				if kind%4 == 0 {
					d[j], id[j], m[j] = 1, 1, float64(r.IntN(3)-1)
				}
			}
			hi := []float64{15, 31}[r.IntN(2)]
			var want, got [4][8]float64
			lineSumsPlain(x, &id, &m, hi, &want[0], &want[1], &want[2])
			lineErrorsPlain(x, &id, &m, hi, &d, &want[3])
			x.Sums(&got[0], &got[1], &got[2], &id, &m, hi)
			x.Errors(&got[3], &d, &id, &m, hi)
			require.Equal(t, want, got)
			var wantCodes, gotCodes [blockLen][8]int8
			lineCodesPlain(x, &id, &m, hi, &wantCodes)
			x.Codes(&gotCodes, &id, &m, hi)
			require.Equal(t, wantCodes, gotCodes)
		}
	})
}
