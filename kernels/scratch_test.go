package kernels

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// What Reserve makes room for, products do not make grow.
func TestReserve(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 11))
		for _, typ := range append([]Type{F32, F16, BF16}, blockTypes...) {
			n, rows := 1+r.IntN(20), 1+r.IntN(100)
			m, a, s := randomMatrix(t, r, typ, rows, 512), randomActivations(r, n, 512), new(Scratch)
			s.Reserve(&m, n)
			caps := func() []int { return []int{cap(s.tile), cap(s.edge), cap(s.w), cap(s.row), cap(s.rows)} }
			before := caps()
			m.Product(make([]float32, n*rows), rows, a, nil, 0, rows, s)
			if typ.Packs() {
				p := packed(t, &m)
				p.Product(make([]float32, n*rows), rows, a, nil, rows/3, rows, s)
			}
			require.Equal(t, before, caps(), "type %d, %d rows by %d", typ, rows, n)
		}
	})
}

func TestProductDoesNotAllocate(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 8))
		for _, typ := range append([]Type{F32, F16, BF16}, blockTypes...) {
			const rows, cols, n = 70, 512, 7
			m, a, s := randomMatrix(t, r, typ, rows, cols), NewActivations(n*cols), new(Scratch)
			x := randomActivations(r, n, cols).X
			dst := make([]float32, n*rows)
			matrices := []*Matrix{&m}
			if typ.Packs() {
				p := packed(t, &m)
				matrices = append(matrices, &p)
			}
			for _, m := range matrices {
				require.Zero(t, testing.AllocsPerRun(5, func() {
					a.Reset(x, n, cols)
					a.Quantize(0, n)
					m.Product(dst, rows, a, nil, 0, rows, s)
					m.Product(dst, rows, a, nil, 3, 67, s)
				}), "type %d, packed %d", typ, m.Packed)
			}
		}
	})
}
