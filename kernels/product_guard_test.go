//go:build unix

package kernels_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/kernels"
)

// Weights at the edges of a mapped file, packed or not, between activations and
// results at the edges of theirs: nothing outside is read or written.
func TestProductStaysInside(t *testing.T) {
	weights, packed, activations, results := newGuarded(t, 1<<20), newGuarded(t, 1<<20), newGuarded(t, 1<<18), newGuarded(t, 1<<18)
	for _, name := range kernels.Implementations() {
		restore, err := kernels.Use(name)
		require.NoError(t, err)
		r := rand.New(rand.NewPCG(3, 3))
		for _, l := range layouts {
			for _, cols := range l.lengths() {
				for _, atEnd := range []bool{false, true} {
					n, rows := 1+r.IntN(7), 1+r.IntN(70)
					p := l.product(t, r, rows, cols, n)
					a := new(kernels.Activations)
					a.Reset(activations.floats(p.x, atEnd), n, cols)
					if l.typ.Rounds() {
						a.Quantize(0, n)
					}
					p.m.Data = weights.bytes(p.m.Data, atEnd)
					want := results.floats(make([]float32, n*rows), atEnd)
					p.m.Product(want, rows, a, nil, 0, rows, new(kernels.Scratch))
					want = append([]float32(nil), want...)
					if !l.typ.Packs() {
						continue
					}
					data := packed.bytes(make([]byte, len(p.m.Data)), atEnd)
					require.NoError(t, p.m.Pack(data, 0, rows))
					m, err := kernels.NewPackedMatrix(l.typ, rows, cols, data)
					require.NoError(t, err)
					got := results.floats(make([]float32, n*rows), atEnd)
					m.Product(got, rows, a, nil, 0, rows, new(kernels.Scratch))
					require.Equal(t, want, got)
				}
			}
		}
		restore()
	}
}

// The same for conversions.
func TestConversionsStayInside(t *testing.T) {
	values, halfs, results := newGuarded(t, 1<<16), newGuarded(t, 1<<16), newGuarded(t, 1<<16)
	for _, name := range kernels.Implementations() {
		restore, err := kernels.Use(name)
		require.NoError(t, err)
		r := rand.New(rand.NewPCG(3, 4))
		for n := 1; n <= 100; n++ {
			for _, atEnd := range []bool{false, true} {
				x := values.floats(gaussians(r, n, 1), atEnd)
				b := halfs.bytes(make([]byte, 2*n), atEnd)
				y := results.floats(make([]float32, n), atEnd)
				kernels.NarrowF16(b, x)
				kernels.WidenF16(y, b)
				kernels.NarrowBF16(b, x)
				kernels.WidenBF16(y, b)
				p := kernels.PartialStats(x, 0, int32(r.IntN(n)))
				require.Less(t, int(p.Token), n)

				x = values.floats(gaussians(r, 32*n, 1), atEnd)
				kernels.QuantizeQ8_0(halfs.bytes(make([]byte, 34*n), atEnd), x)
				kernels.QuantizeQ4_0(halfs.bytes(make([]byte, 18*n), atEnd), x)
			}
		}
		restore()
	}
}

// The same for keys, values and queries.
func TestAttendStaysInside(t *testing.T) {
	queries, k, v, results := newGuarded(t, 1<<16), newGuarded(t, 1<<18), newGuarded(t, 1<<18), newGuarded(t, 1<<16)
	for _, name := range kernels.Implementations() {
		restore, err := kernels.Use(name)
		require.NoError(t, err)
		r := rand.New(rand.NewPCG(3, 5))
		for _, typ := range []kernels.Type{kernels.F32, kernels.F16, kernels.Q8_0} {
			for _, cols := range []int{1, 8, 13, 32, 96, 100} {
				row, err := typ.RowBytes(cols)
				if err != nil {
					continue
				}
				for _, positions := range []int{1, 7, 8, 15, 33, 64, 71, 130} {
					for _, atEnd := range []bool{false, true} {
						n := 1 + r.IntN(14)
						a := new(kernels.Activations)
						a.Reset(queries.floats(gaussians(r, n*cols, 1), atEnd), n, cols)
						var kv [2]kernels.Matrix
						for i, memory := range []guarded{k, v} {
							kv[i], err = kernels.NewMatrix(typ, positions, cols, memory.bytes(make([]byte, positions*row), atEnd))
							require.NoError(t, err)
							for p := range positions {
								kv[i].SetRow(p, gaussians(r, cols, 1))
							}
						}
						rows := make([]int32, n)
						for i := range rows {
							rows[i] = int32(n - 1 - i)
						}
						dst := results.floats(make([]float32, n*cols), atEnd)
						kernels.Attend(dst, a, rows, &kv[0], &kv[1], positions, new(kernels.AttendScratch))
						for _, x := range dst {
							require.Less(t, max(x, -x), float32(10), "type %d, %d positions, %d columns", typ, positions, cols)
						}
					}
				}
			}
		}
		restore()
	}
}
