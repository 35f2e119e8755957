package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkBlocks compares with the plain way, NaN with any NaN.
func checkBlocks(t *testing.T, x []float32) {
	t.Helper()
	n := len(x) / blockLen
	want, got := make([]block, n), make([]block, n+2)
	guard := block{scale: fence, bias: 77}
	got[0], got[n+1] = guard, guard
	quantizePlain(want, x)
	active.quantize(got[1:n+1], x)
	require.Equal(t, guard, got[0])
	require.Equal(t, guard, got[n+1])
	for i, w := range want {
		g := got[i+1]
		if w.scale != w.scale {
			require.True(t, g.scale != g.scale && g.sum != g.sum)
			w.scale, w.sum, g.scale, g.sum = 0, 0, 0, 0
		}
		require.Equal(t, w, g, "%v", x[i*blockLen:(i+1)*blockLen])
	}
}

func TestQuantizeActivations(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 1))
		for n := range 101 {
			x := make([]float32, n*blockLen)
			for i := range x {
				x[i] = float32(r.NormFloat64() * math.Pow(10, float64(r.IntN(8)-4)))
			}
			checkBlocks(t, x)
		}
		odd := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, -math.MaxFloat32,
			0, float32(math.Copysign(0, -1)), 0x1p-120, 0x1p-121, -0x1.fffffep-121, 1e-45, 1, -1, 0.5, 127, 63.5}
		for range 3000 {
			x := make([]float32, blockLen)
			some := odd[r.IntN(len(odd)):]
			for i := range x {
				x[i] = some[r.IntN(min(3, len(some)))]
			}
			checkBlocks(t, x)
		}
		// All ties: the scale is one.
		x := make([]float32, 254*blockLen)
		for i := range 254 {
			x[i*blockLen] = 127
			for k := 1; k < blockLen; k++ {
				x[i*blockLen+k] = float32(i) - 126.5
			}
		}
		checkBlocks(t, x)
	})
}

// Each activation is within half a step, a row's blocks are at its place, and parts
// are what the whole is.
func TestActivations(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 2))
		a := randomActivations(r, 5, 96)
		for i := range a.Rows {
			for k := range a.Cols {
				b := &a.row(i)[k/blockLen]
				x := a.X[i*a.Cols+k]
				require.InDelta(t, x, b.scale*float32(b.q[k%blockLen]), 0.501*float64(b.scale), fmt.Sprint(i, k))
			}
		}
		b := new(Activations)
		b.Reset(a.X, 5, 96)
		b.Quantize(0, 2)
		b.Quantize(2, 3)
		b.QuantizePart(3, 32, 96)
		b.QuantizePart(3, 0, 32)
		b.QuantizePart(4, 0, 96)
		require.Equal(t, a, b)
	})
}
