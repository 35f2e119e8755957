package kernels_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/kernels"
)

// product is a matrix with activations, and their product in float64.
type product struct {
	m     kernels.Matrix
	x     []float32 // [n, cols]
	want  []float64 // [n, rows]
	limit []float64 // what the product may be away from it
}

func (l *layout) product(t *testing.T, r *rand.Rand, rows, cols, n int) *product {
	t.Helper()
	data := l.random(r, rows*cols, false)
	m, err := kernels.NewMatrix(l.typ, rows, cols, data)
	require.NoError(t, err)
	p := &product{m: m, x: gaussians(r, n*cols, 1)}
	w := l.decode(data)
	block, _ := l.typ.Block()
	for j := range n {
		x := p.x[j*cols : (j+1)*cols]
		for i := range rows {
			sum, size, rounding := 0.0, 0.0, 0.0
			for from := 0; from < cols; from += block {
				high, weights := 0.0, 0.0
				for k := from; k < from+block; k++ {
					v, a := w[i*cols+k], float64(x[k])
					sum += v * a
					size += math.Abs(v * a)
					high, weights = max(high, math.Abs(a)), weights+math.Abs(v)
				}
				rounding += high / 254 * weights
			}
			limit := 2e-6 * size
			if block > 1 {
				// Products of quantized matrices may round the activations of a
				// block to bytes.
				limit += 1.05 * rounding
			}
			p.want, p.limit = append(p.want, sum), append(p.limit, limit)
		}
	}
	return p
}

// mul computes rows lo to hi for all activations into dst.
func (p *product) mul(dst []float32, lo, hi int) {
	n := len(p.x) / p.m.Cols
	p.m.Mul(dst, p.x, n, lo, hi, make([]float32, p.m.Cols))
}

func TestMulAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 4))
	for _, l := range layouts {
		for _, cols := range l.lengths() {
			for _, n := range []int{0, 1, 2, 3, 4, 5, 8, 33} {
				rows := 1 + r.IntN(40)
				p := l.product(t, r, rows, cols, n)
				what := fmt.Sprintf("%s, %d × %d with %d", l.name, rows, cols, n)
				dst, x, scratch := newFence(gaussians(r, n*rows, 1)), newFence(p.x), newFence(make([]float32, cols))
				p.m.Mul(dst.values(), x.values(), n, 0, rows, scratch.values())
				for i, got := range dst.values() {
					require.InDelta(t, p.want[i], got, p.limit[i], "%s: result %d", what, i)
				}
				require.Equal(t, p.x, x.values(), what)
				for _, f := range []*fence{dst, x, scratch} {
					f.requireWhole(t, what)
				}
			}
		}
	}
}

// A result has the same bits however many activations are multiplied together
// and however the rows are divided; and only the asked rows are written.
func TestMulDoesNotDependOnCompany(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 5))
	for _, l := range layouts {
		lengths := l.lengths()
		for _, cols := range []int{lengths[0], lengths[len(lengths)-2], lengths[len(lengths)-1]} {
			const rows, n = 77, 37
			p := l.product(t, r, rows, cols, n)
			all := make([]float32, n*rows)
			p.mul(all, 0, rows)

			for from := 0; from < n; {
				part := min(1+r.IntN(6), n-from)
				if from < 6 {
					part = 1
				}
				some := &product{m: p.m, x: p.x[from*cols : (from+part)*cols]}
				dst := make([]float32, part*rows)
				some.mul(dst, 0, rows)
				require.Equal(t, all[from*rows:(from+part)*rows], dst, "%s of %d: activations %d and %d more", l.name, cols, from, part-1)
				from += part
			}
			for _, chunk := range []int{1, 2, 3, 5, 8, 32, 76} {
				dst := newFence(make([]float32, n*rows))
				for i := range dst.values() {
					dst.values()[i] = borderValue
				}
				for lo := (rows - 1) / chunk * chunk; lo >= 0; lo -= chunk {
					hi := min(lo+chunk, rows)
					p.mul(dst.values(), lo, hi)
					for i, v := range dst.values() {
						if i%rows < lo && v != borderValue {
							t.Fatalf("%s: rows %d to %d wrote row %d", l.name, lo, hi, i%rows)
						}
					}
				}
				require.Equal(t, all, dst.values(), "%s in chunks of %d rows", l.name, chunk)
				dst.requireWhole(t, l.name)
			}
			p.mul(make([]float32, n*rows), 5, 5) // nothing to do
		}
	}
}

// The same with workers that share the destination.
func TestMulOnPool(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 6))
	pool := kernels.NewPool(4)
	defer pool.Close()
	for _, l := range layouts {
		cols := l.lengths()[0] * 2
		p := l.product(t, r, 65, cols, 9)
		want, got := make([]float32, 9*65), make([]float32, 9*65)
		p.mul(want, 0, 65)
		pool.Run(65, 3, func(_, lo, hi int) { p.mul(got, lo, hi) })
		require.Equal(t, want, got, l.name)
	}
}

func TestMulDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 7))
	for _, l := range layouts {
		p := l.product(t, r, 8, 256, 5)
		dst, scratch := make([]float32, 8*5), make([]float32, 256)
		require.Zero(t, testing.AllocsPerRun(5, func() {
			p.m.Mul(dst, p.x, 5, 0, 8, scratch)
			p.m.Row(scratch, 3)
		}), l.name)
	}
}
