package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

var cacheTypes = []Type{F32, F16, Q8_0}

// keysAndValues returns keys or values of normal distribution, in which some rows and
// columns stand out.
func keysAndValues(t testing.TB, r *rand.Rand, typ Type, rows, cols int) Matrix {
	row, err := typ.RowBytes(cols)
	require.NoError(t, err)
	m, err := NewMatrix(typ, rows, cols, make([]byte, rows*row))
	require.NoError(t, err)
	large := r.IntN(cols)
	for p := range rows {
		x := make([]float32, cols)
		scale := math.Exp(r.NormFloat64() / 2)
		for k := range x {
			x[k] = float32(scale * r.NormFloat64())
		}
		x[large] *= 8
		m.SetRow(p, x)
	}
	return m
}

// attention returns the attention of a query in float64, and how far each result may
// be from it: scores that are off by at most d make each share off by a factor of
// exp(2d) at most.
func attention(q []float32, keys, values *Matrix, n int) (out, limit []float64) {
	cols := keys.Cols
	row, score := make([]float32, cols), make([]float64, n)
	out, limit = make([]float64, cols), make([]float64, cols)
	largest := func(x []float32) (most, sum float64) {
		for _, v := range x {
			most, sum = max(most, math.Abs(float64(v))), sum+math.Abs(float64(v))
		}
		return most, sum
	}
	words := keys.Type != F32
	qmost, qsum := largest(q)
	high, sum, off := math.Inf(-1), 0.0, 0.0
	for p := range n {
		keys.Row(row, p)
		size := 0.0
		for k, v := range row {
			score[p] += float64(v) * float64(q[k])
			size += math.Abs(float64(v) * float64(q[k]))
		}
		high = max(high, score[p])
		d := 1e-6 * size
		if words {
			most, sum := largest(row)
			d += 0.5 / float64(wordLimit(cols)) * (qmost*sum + most*qsum + qmost*most*float64(cols)/float64(wordLimit(cols)))
		}
		off = max(off, d)
	}
	all := make([]float64, cols) // the sizes of the summands
	for p := range n {
		sum += math.Exp(score[p] - high)
	}
	whole := make([]float32, n*cols)
	for p := range n {
		values.Row(whole[p*cols:], p)
		for k, v := range whole[p*cols : (p+1)*cols] {
			w := math.Exp(score[p]-high) / sum
			out[k] += w * float64(v)
			all[k] += w * math.Abs(float64(v))
		}
	}
	for k := range limit {
		limit[k] = all[k] * (math.Expm1(2*off) + 1e-6)
	}
	for lo := 0; words && lo < n; lo += attendTile {
		hi := min(lo+attendTile, n)
		top := slices.Max(score[lo:hi])
		unit := math.Exp(top-high) / sum / shareWhole // of shares
		for k := range limit {
			most, shares := 0.0, 0.0
			for p := lo; p < hi; p++ {
				v := math.Abs(float64(whole[p*cols+k]))
				most, shares = max(most, v), shares+math.Exp(score[p]-high)/sum
				limit[k] += 0.51 * unit * (v + all[k])
			}
			limit[k] += 0.51 * (shares + unit*float64(hi-lo)) * most / valueLimit
		}
	}
	return out, limit
}

// Attend against float64.
func TestAttend(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 1))
		for _, typ := range cacheTypes {
			worst, off, size := 0.0, 0.0, 0.0
			for _, cols := range []int{1, 7, 8, 16, 24, 32, 64, 96, 100, 128, 256} {
				if _, err := typ.RowBytes(cols); err != nil {
					continue
				}
				for _, n := range []int{1, 2, 31, 32, 63, 64, 65, 100, 128, 300} {
					keys, values := keysAndValues(t, r, typ, n+r.IntN(3), cols), keysAndValues(t, r, typ, n+r.IntN(3), cols)
					a := randomActivations(r, 1+r.IntN(15), cols)
					for i := range a.X {
						a.X[i] /= float32(math.Sqrt(float64(cols)))
					}
					rows := make([]int32, 1+r.IntN(14))
					for i := range rows {
						rows[i] = int32(r.IntN(a.Rows))
					}
					dst := newFenced(len(rows) * cols)
					Attend(dst.values, a, rows, &keys, &values, n, new(AttendScratch))
					dst.require(t)
					for i, from := range rows {
						want, limit := attention(a.X[int(from)*cols:][:cols], &keys, &values, n)
						for k, v := range dst.values[i*cols : (i+1)*cols] {
							d := float64(v) - want[k]
							off, size = off+d*d, size+want[k]*want[k]
							if limit[k] > 0 {
								worst = max(worst, math.Abs(d)/limit[k])
							}
							require.InDelta(t, want[k], v, limit[k], "type %d, %d of %d positions, %d columns, row %d, %d", typ, n, keys.Rows, cols, i, k)
						}
					}
				}
			}
			t.Logf("type %d: relative RMS error %.2g, at most %.2g of what it may be", typ, math.Sqrt(off/size), worst)
		}
	})
}

// fenced is a result between values that must stay as they are.
type fenced struct{ all, values []float32 }

func newFenced(n int) fenced {
	const around = 40
	all := make([]float32, n+2*around)
	for i := range all {
		all[i] = fence
	}
	return fenced{all, all[around : around+n : around+n]}
}

func (f fenced) require(t *testing.T) {
	around := (len(f.all) - len(f.values)) / 2
	for i := range around {
		require.Equal(t, float32(fence), f.all[i])
		require.Equal(t, float32(fence), f.all[len(f.all)-1-i])
	}
}

// What a query gets depends on nothing but itself, the keys and values, and how many
// of them it sees.
func TestAttendRowsAreIndependent(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 2))
		used := new(AttendScratch)
		for _, typ := range cacheTypes {
			for _, n := range []int{1, 40, 64, 130, 257} {
				for _, cols := range []int{32, 128} {
					keys, values := keysAndValues(t, r, typ, n, cols), keysAndValues(t, r, typ, n, cols)
					a := randomActivations(r, 13, cols)
					all := new(Scratch).all(13)
					whole := make([]float32, 13*cols)
					Attend(whole, a, all, &keys, &values, n, used)
					what := fmt.Sprintf("type %d, %d positions, %d columns", typ, n, cols)
					for i := range 13 {
						alone := make([]float32, cols)
						Attend(alone, a, all[i:i+1], &keys, &values, n, new(AttendScratch))
						require.Equal(t, whole[i*cols:(i+1)*cols], alone, what)
					}
					// What lies behind the positions seen is not.
					longer, other := keysAndValues(t, r, typ, n+70, cols), keysAndValues(t, r, typ, n+70, cols)
					copy(longer.Data, keys.Data)
					copy(other.Data, values.Data)
					for p := n; p < n+70; p++ {
						x := make([]float32, cols)
						for k := range x {
							x[k] = float32(math.NaN())
						}
						longer.SetRow(p, x)
						other.SetRow(p, x)
					}
					again := make([]float32, 13*cols)
					slices.Reverse(all)
					Attend(again, a, all, &longer, &other, n, used)
					for i := range 13 {
						require.Equal(t, whole[i*cols:(i+1)*cols], again[(12-i)*cols:(13-i)*cols], what)
					}
				}
			}
		}
	})
}
