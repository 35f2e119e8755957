//go:build (amd64 || arm64) && !purego

package kernels

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The exponential is within 1 ulp everywhere, subnormal results included.
func TestExp(t *testing.T) {
	if len(fast()) == 0 {
		t.Skip("the processor lacks what the assembly needs")
	}
	most := 0.0
	exponentials(func(x []float32) {
		e := slices.Clone(x)
		exps(&e[0], 0, len(e)/8)
		for i, v := range x[:len(x)&^7] {
			if u := ulps(e[i], math.Exp(float64(v))); u > most {
				most = u
				require.LessOrEqual(t, u, 1.0, "exp(%g) = %g", v, e[i])
			}
		}
	})
	t.Logf("at most %.3f ulps", most)
}
