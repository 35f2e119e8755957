package kernels

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// each runs f with every implementation in use in turn, the plain one last.
func each(t *testing.T, f func(t *testing.T)) {
	for _, name := range Implementations() {
		t.Run(name, func(t *testing.T) {
			use(t, name)
			f(t)
		})
	}
}

func use(t *testing.T, name string) {
	restore, err := Use(name)
	require.NoError(t, err)
	t.Cleanup(restore)
}

var blockTypes = []Type{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, MXFP4}

// randomMatrix returns weights whose codes and small scales are any, and whose half
// floats are moderate.
func randomMatrix(t testing.TB, r *rand.Rand, typ Type, rows, cols int) Matrix {
	size, err := typ.RowBytes(cols)
	require.NoError(t, err)
	data := make([]byte, rows*size)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	_, block := typ.Block()
	for b := 0; b < len(data); b += block {
		for _, at := range map[Type][]int{
			Q4_0: {0}, Q4_1: {0, 2}, Q5_0: {0}, Q5_1: {0, 2}, Q8_0: {0}, IQ4_NL: {0}, F16: {0},
			Q2_K: {80, 82}, Q3_K: {108}, Q4_K: {0, 2}, Q5_K: {0, 2}, Q6_K: {208},
		}[typ] {
			le.PutUint16(data[b+at:], ToF16(float32(0.1*r.NormFloat64())))
		}
		switch typ {
		case MXFP4:
			data[b] = byte(110 + r.IntN(20))
		case BF16:
			le.PutUint16(data[b:], ToBF16(float32(r.NormFloat64())))
		case F32:
			le.PutUint32(data[b:], math.Float32bits(float32(r.NormFloat64())))
		}
	}
	m, err := NewMatrix(typ, rows, cols, data)
	require.NoError(t, err)
	return m
}

func randomActivations(r *rand.Rand, rows, cols int) *Activations {
	x := make([]float32, rows*cols)
	for i := range x {
		x[i] = float32(r.NormFloat64() * math.Exp(r.NormFloat64()))
		if i/blockLen%7 == 3 {
			x[i] = 0
		}
	}
	a := new(Activations)
	a.Reset(x, rows, cols)
	if cols%blockLen == 0 {
		a.Quantize(0, rows)
	}
	return a
}

// fence is what lies around every result.
const fence = -12345.5

// product returns rows lo to hi of a product, [rows, hi-lo], and requires all else
// to stay as it is.
func product(t *testing.T, m *Matrix, a *Activations, rows []int32, lo, hi int) []float32 {
	n := len(rows)
	if rows == nil {
		n = a.Rows
	}
	const around = 5
	stride := hi - lo + around
	dst := make([]float32, 2*around+n*stride)
	for i := range dst {
		dst[i] = fence
	}
	m.Product(dst[around:around+max(0, (n-1)*stride+hi-lo)], stride, a, rows, lo, hi, new(Scratch))
	var out []float32
	for i, v := range dst {
		if j := i - around; j >= 0 && j < n*stride && j%stride < hi-lo {
			out = append(out, v)
		} else {
			require.Equal(t, float32(fence), v, "written outside, at %d", i)
		}
	}
	return out
}

func packed(t testing.TB, m *Matrix) Matrix {
	data := make([]byte, len(m.Data))
	require.NoError(t, m.Pack(data, 0, m.Rows))
	p, err := NewPackedMatrix(m.Type, m.Rows, m.Cols, data)
	require.NoError(t, err)
	return p
}

// Every implementation gives what the plain one gives, bit for bit, packed or not.
func TestProductIsThePlainOne(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, typ := range blockTypes {
			weights, _ := typ.Block()
			for blocks := 1; blocks <= 100; blocks += 1 + blocks/8 {
				if blocks*weights > 10240 {
					break
				}
				rows, n := 1+r.IntN(80), 1+r.IntN(9)
				m := randomMatrix(t, r, typ, rows, blocks*weights)
				a := randomActivations(r, n, m.Cols)
				want := make([]float32, n*rows)
				m.productPlain(want, rows, a, new(Scratch).all(n), 0, rows, new(Scratch))
				what := fmt.Sprintf("type %d, %d × %d by %d", typ, rows, m.Cols, n)
				require.Equal(t, want, product(t, &m, a, nil, 0, rows), what)
				if typ.Packs() {
					p := packed(t, &m)
					require.Equal(t, want, product(t, &p, a, nil, 0, rows), "%s, packed", what)
				}
			}
		}
	})
}

// What is packed for one implementation is understood by all.
func TestProductOfPackedForAnother(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 10))
	const rows, n = 77, 3
	for _, typ := range packTypes() {
		m, a := randomMatrix(t, r, typ, rows, 512), randomActivations(r, n, 512)
		want := make([]float32, n*rows)
		m.productPlain(want, rows, a, new(Scratch).all(n), 0, rows, new(Scratch))
		for _, name := range Implementations() {
			restore, err := Use(name)
			require.NoError(t, err)
			p := packed(t, &m)
			restore()
			each(t, func(t *testing.T) {
				require.Equal(t, want, product(t, &p, a, nil, 0, rows), "type %d, packed for %s", typ, name)
				require.Equal(t, want[3:41], product(t, &p, a, []int32{0}, 3, 41))
				require.ErrorContains(t, p.Pack(make([]byte, len(p.Data)), 0, rows), "packed already")
			})
		}
	}
}

// Codes and activations at the ends of their ranges: no sum overflows.
func TestProductOfExtremes(t *testing.T) {
	each(t, func(t *testing.T) {
		const rows = 32
		for _, typ := range blockTypes {
			for _, fill := range []byte{0x00, 0x7f, 0x80, 0xff, 0x0f, 0xf0} {
				m := randomMatrix(t, rand.New(rand.NewPCG(1, 3)), typ, rows, 512)
				halfs := randomMatrix(t, rand.New(rand.NewPCG(1, 3)), typ, rows, 512)
				for i := range m.Data {
					m.Data[i] = fill
				}
				_, block := typ.Block()
				for b := 0; b < len(m.Data); b += block { // but the scales
					for _, at := range map[Type][]int{
						Q4_0: {0}, Q4_1: {0, 2}, Q5_0: {0}, Q5_1: {0, 2}, Q8_0: {0}, IQ4_NL: {0},
						Q2_K: {80, 82}, Q3_K: {108}, Q4_K: {0, 2}, Q5_K: {0, 2}, Q6_K: {208},
					}[typ] {
						copy(m.Data[b+at:b+at+2], halfs.Data[b+at:])
					}
					if typ == MXFP4 {
						m.Data[b] = 120
					}
				}
				for _, sign := range []float32{1, -1} {
					const n = 6
					x := make([]float32, n*512)
					for i := range x {
						x[i] = sign
						if r := i / 512 % 3; r > 0 && i%2 == 0 || r > 1 && i%4 < 2 {
							x[i] = -sign
						}
					}
					a := new(Activations)
					a.Reset(x, n, 512)
					a.Quantize(0, n)
					want := make([]float32, n*rows)
					all := new(Scratch).all(n)
					m.productPlain(want, rows, a, all, 0, rows, new(Scratch))
					for some := 1; some <= n; some++ {
						require.Equal(t, want[:some*rows], product(t, &m, a, all[:some], 0, rows), "type %d of %#x by %d", typ, fill, some)
					}
				}
			}
		}
	})
}

// A factor of zero times a negative sum is a zero without a sign, also where it is
// multiplied as floats: here one is added to an offset that has underflowed to a
// negative zero.
func TestProductOfNegativeZeros(t *testing.T) {
	_, size := Q4_K.Block()
	const rows = 64
	data := make([]byte, rows*size)
	for b := 0; b < len(data); b += size {
		le.PutUint16(data[b:], ToF16(1))
		le.PutUint16(data[b+2:], 1) // the least above zero
		data[b+4+8+2] = 1 << 4      // the min of weights 192 to 223
		data[b+16+96+1] = 15 << 4   // weight 225
	}
	m, err := NewMatrix(Q4_K, rows, 256, data)
	require.NoError(t, err)
	x := make([]float32, 256)
	for _, at := range []int{192, 224} {
		x[at], x[at+1] = least, -least*126/127
	}
	each(t, func(t *testing.T) {
		a := new(Activations)
		a.Reset(x, 1, 256)
		a.Quantize(0, 1)
		for _, v := range product(t, &m, a, nil, 0, rows) {
			require.Zero(t, math.Float32bits(v))
		}
		var n [8]numbers
		m.numbers(n[:], 0)
		require.Equal(t, uint32(1<<31), math.Float32bits(fma(n[6].offset[0], a.blocks[6].sum, 0)))
	})
}

// The numbers are the weights that Dequantize gives.
func TestNumbersAreTheWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for _, typ := range blockTypes {
		m := randomMatrix(t, r, typ, 3, 1024)
		w := make([]float32, m.Cols)
		n := make([]numbers, m.Cols/blockLen)
		for i := range m.Rows {
			m.Row(w, i)
			m.numbers(n, i)
			for k, v := range w {
				c := &n[k/blockLen]
				h := k % blockLen / 16
				got := float64(c.d)*float64(c.factor[h])*float64(c.q[k%blockLen]) + float64(c.offset[h])
				require.InDelta(t, v, got, 1e-6*math.Max(math.Abs(float64(v)), math.Abs(float64(c.offset[h]))), "type %d, weight %d", typ, k)
			}
		}
	}
}

// A product with rounded activations is close to the exact one.
func TestProductIsClose(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 5))
		for _, typ := range append([]Type{F32, F16, BF16}, blockTypes...) {
			const rows, cols, n = 16, 2048, 3
			m, a := randomMatrix(t, r, typ, rows, cols), randomActivations(r, n, cols)
			exact := make([]float32, rows*n)
			m.Mul(exact, a.X, n, 0, rows, make([]float32, cols))
			var e, s float64
			for i, v := range product(t, &m, a, nil, 0, rows) {
				e += math.Pow(float64(v-exact[i]), 2)
				s += math.Pow(float64(exact[i]), 2)
			}
			limit := 0.02
			if !typ.Rounds() {
				limit = 0
			}
			require.LessOrEqual(t, math.Sqrt(e/s), limit, "type %d", typ)
		}
	})
}

// A result is the same alone and in company, for every range of rows, and however
// the weights lie.
func TestProductDoesNotDependOnCompany(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 6))
		for _, typ := range append([]Type{F32, F16, BF16}, blockTypes...) {
			const rows, cols, n = 109, 512, 11
			m, a := randomMatrix(t, r, typ, rows, cols), randomActivations(r, n, cols)
			alone := make([]float32, 0, n*rows)
			for i := range n {
				alone = append(alone, product(t, &m, a, []int32{int32(i)}, 0, rows)...)
			}
			matrices := []*Matrix{&m}
			if typ.Packs() {
				p := packed(t, &m)
				matrices = append(matrices, &p)
			}
			for _, m := range matrices {
				require.Equal(t, alone, product(t, m, a, nil, 0, rows), "type %d", typ)
				for range 40 {
					lo := r.IntN(rows + 1)
					hi := lo + r.IntN(rows-lo+1)
					some := make([]int32, r.IntN(10))
					var want []float32
					for i := range some {
						some[i] = int32(r.IntN(n))
						want = append(want, alone[int(some[i])*rows+lo:int(some[i])*rows+hi]...)
					}
					if len(some) == 0 || lo == hi {
						m.Product(nil, 0, a, some, lo, hi, new(Scratch))
						continue
					}
					require.Equal(t, want, product(t, m, a, some, lo, hi), "type %d, packed %d, rows %d to %d with %v", typ, m.Packed, lo, hi, some)
				}
			}
		}
	})
}

// The shapes of LLaDA2.0-mini and flash, some rows of them.
func TestProductOfModelShapes(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 7))
		for _, typ := range []Type{Q4_0, Q8_0, Q4_K, Q5_K, Q6_K} {
			for _, cols := range []int{512, 1024, 2048, 4096, 5120, 9216} {
				const rows, n = 64, 11
				m, a := randomMatrix(t, r, typ, rows, cols), randomActivations(r, n, cols)
				want := make([]float32, n*rows)
				m.productPlain(want, rows, a, new(Scratch).all(n), 0, rows, new(Scratch))
				p := packed(t, &m)
				require.Equal(t, want, product(t, &p, a, nil, 0, rows), "type %d, %d columns", typ, cols)
			}
		}
	})
}

// fma is what a rounding to 53 bits and then to 24 is not.
func TestFMA(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	exact := func(a, b, c float32) float32 {
		x := new(big.Float).SetPrec(400).SetFloat64(float64(a))
		x.Mul(x, big.NewFloat(float64(b)))
		x.Add(x, big.NewFloat(float64(c)))
		v, _ := x.Float32()
		return v
	}
	twice := 0
	for range 200000 {
		// Sums that are a half and a little more, or less, beyond 24 bits.
		c := float32(r.IntN(1<<23) + 1<<23)
		a, b := float32(1+r.IntN(1<<12))/(1<<12), 0.5+float32(r.IntN(3)-1)*0x1p-24
		if r.IntN(2) == 0 {
			a, b = 1+float32(r.IntN(3)-1)*0x1p-23, 0.5+float32(r.IntN(3)-1)*0x1p-24
		}
		if r.IntN(2) == 0 {
			a, c = -a, -c
		}
		c *= float32(math.Ldexp(1, r.IntN(8)))
		a *= float32(math.Ldexp(1, r.IntN(8)))
		want := exact(a, b, c)
		require.Equal(t, want, fma(a, b, c), "%g·%g + %g", a, b, c)
		if float32(float64(a)*float64(b)+float64(c)) != want {
			twice++
		}
	}
	require.Positive(t, twice, "none of the cases is one")
}
