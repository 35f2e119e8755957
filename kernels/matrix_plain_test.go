package kernels_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/kernels"
)

// layout says how a block of a type is made: where its half floats are, and what
// weight i of it is worth, in float64 and by the definition of the format.
type layout struct {
	name   string
	typ    kernels.Type
	halfs  []int // offsets of scales
	weight func(b []byte, i int) float64
}

var layouts = []layout{
	{"f32", kernels.F32, nil, func(b []byte, _ int) float64 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}},
	{"f16", kernels.F16, nil, func(b []byte, _ int) float64 { return halfAt(b, 0) }},
	{"bf16", kernels.BF16, nil, func(b []byte, _ int) float64 {
		return float64(math.Float32frombits(uint32(b[1])<<24 | uint32(b[0])<<16))
	}},
	{"q4_0", kernels.Q4_0, []int{0}, func(b []byte, i int) float64 {
		return halfAt(b, 0) * float64(nibble(b[2:], i)-8)
	}},
	{"q4_1", kernels.Q4_1, []int{0, 2}, func(b []byte, i int) float64 {
		return halfAt(b, 0)*float64(nibble(b[4:], i)) + halfAt(b, 2)
	}},
	{"q5_0", kernels.Q5_0, []int{0}, func(b []byte, i int) float64 {
		return halfAt(b, 0) * float64(nibble(b[6:], i)+16*bit(b[2:], i)-16)
	}},
	{"q5_1", kernels.Q5_1, []int{0, 2}, func(b []byte, i int) float64 {
		return halfAt(b, 0)*float64(nibble(b[8:], i)+16*bit(b[4:], i)) + halfAt(b, 2)
	}},
	{"q8_0", kernels.Q8_0, []int{0}, func(b []byte, i int) float64 {
		return halfAt(b, 0) * float64(int8(b[2+i]))
	}},
	{"q2_k", kernels.Q2_K, []int{80, 82}, func(b []byte, i int) float64 {
		s := int(b[i/16])
		return halfAt(b, 80)*float64(s%16*pair(b[16:], i)) - halfAt(b, 82)*float64(s/16)
	}},
	{"q3_k", kernels.Q3_K, []int{108}, func(b []byte, i int) float64 {
		j, s := i/16, b[96:]
		low := int(s[j%8]) / []int{1, 16}[j/8] % 16
		high := int(s[8+j%4]) >> (2 * (j / 4)) % 4
		q := pair(b[32:], i) + 4*(int(b[i%32])>>(i/32)%2)
		return halfAt(b, 108) * float64((low+16*high-32)*(q-4))
	}},
	{"q4_k", kernels.Q4_K, []int{0, 2}, func(b []byte, i int) float64 {
		scale, offset := sixBits(b[4:], i/32)
		q := int(b[16+i/64*32+i%32]) / []int{1, 16}[i/32%2] % 16
		return halfAt(b, 0)*float64(scale*q) - halfAt(b, 2)*float64(offset)
	}},
	{"q5_k", kernels.Q5_K, []int{0, 2}, func(b []byte, i int) float64 {
		scale, offset := sixBits(b[4:], i/32)
		q := int(b[48+i/64*32+i%32])/[]int{1, 16}[i/32%2]%16 + 16*(int(b[16+i%32])>>(i/32)%2)
		return halfAt(b, 0)*float64(scale*q) - halfAt(b, 2)*float64(offset)
	}},
	{"q6_k", kernels.Q6_K, []int{208}, func(b []byte, i int) float64 {
		// Halves of 128 weights; in each, four runs of 32.
		half, run, at := i/128, i%128/32, i%32
		low := int(b[64*half+32*(run%2)+at]) / []int{1, 16}[run/2] % 16
		high := int(b[128+32*half+at]) >> (2 * run) % 4
		return halfAt(b, 208) * float64(int8(b[192+i/16])) * float64(low+16*high-32)
	}},
	{"iq4_nl", kernels.IQ4_NL, []int{0}, func(b []byte, i int) float64 {
		levels := []float64{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
		return halfAt(b, 0) * levels[nibble(b[2:], i)]
	}},
	{"mxfp4", kernels.MXFP4, nil, func(b []byte, i int) float64 {
		// E2M1: exponent 0 is subnormal, with steps of a half.
		q := nibble(b[1:], i)
		v := math.Ldexp(1+float64(q%2)/2, q/2%4-1)
		if q/2%4 == 0 {
			v = float64(q%2) / 2
		}
		if q >= 8 {
			v = -v
		}
		return math.Ldexp(v, int(b[0])-127)
	}},
}

// halfAt returns the half float at an offset, by the definition of the format.
func halfAt(b []byte, at int) float64 {
	u := int(b[at]) | int(b[at+1])<<8
	v := 0.0
	switch exponent, fraction := u>>10&31, float64(u&1023)/1024; {
	case exponent == 31 && fraction == 0:
		v = math.Inf(1)
	case exponent == 31:
		return math.NaN()
	case exponent == 0:
		v = math.Ldexp(fraction, -14)
	default:
		v = math.Ldexp(1+fraction, exponent-15)
	}
	return math.Copysign(v, float64(1-u>>15*2))
}

// nibble returns code i of 32, the first 16 in the low halves of the bytes.
func nibble(b []byte, i int) int { return int(b[i%16]) / []int{1, 16}[i/16] % 16 }

func bit(b []byte, i int) int { return int(b[i/8]) >> (i % 8) % 2 }

// pair returns code i of 256 of two bits: 128 weights lie in 32 bytes.
func pair(b []byte, i int) int { return int(b[i/128*32+i%32]) >> (i % 128 / 32 * 2) % 4 }

// sixBits returns scale and offset of sub-block j of eight, which are packed
// into 12 bytes as four times six bits with the rest in their upper two.
func sixBits(b []byte, j int) (scale, offset int) {
	if j < 4 {
		return int(b[j]) % 64, int(b[j+4]) % 64
	}
	return int(b[j+4])%16 + int(b[j-4])/64*16, int(b[j+4])/16 + int(b[j])/64*16
}

// random returns n weights of the layout whose codes are any and whose scales
// are moderate; or any too if wild.
func (l *layout) random(r *rand.Rand, n int, wild bool) []byte {
	weights, size := l.typ.Block()
	data := make([]byte, n/weights*size)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	if wild {
		return data
	}
	for at := 0; at < len(data); at += size {
		b := data[at : at+size]
		for _, h := range l.halfs {
			binary.LittleEndian.PutUint16(b[h:], uint16(0x2000+r.IntN(0x0800))|uint16(r.IntN(2)<<15))
		}
		switch l.typ {
		case kernels.F32:
			binary.LittleEndian.PutUint32(b, math.Float32bits(float32(r.NormFloat64())))
		case kernels.F16:
			binary.LittleEndian.PutUint16(b, kernels.ToF16(float32(r.NormFloat64())))
		case kernels.BF16:
			binary.LittleEndian.PutUint16(b, kernels.ToBF16(float32(r.NormFloat64())))
		case kernels.MXFP4:
			b[0] = byte(120 + r.IntN(8))
		}
	}
	return data
}

// exponents returns an MXFP4 block of every exponent.
func (l *layout) exponents(r *rand.Rand) []byte {
	_, size := l.typ.Block()
	data := l.random(r, 256*32, true)
	for e := range 256 {
		data[e*size] = byte(e)
	}
	return data
}

// decode returns all weights by the definition of the format.
func (l *layout) decode(data []byte) []float64 {
	weights, size := l.typ.Block()
	out := make([]float64, len(data)/size*weights)
	for i := range out {
		out[i] = l.weight(data[i/weights*size:][:size], i%weights)
	}
	return out
}

// lengths returns row lengths up to about 100 weights, or three blocks.
func (l *layout) lengths() []int {
	weights, _ := l.typ.Block()
	var all []int
	for n := weights; n <= max(100, 3*weights); n += weights {
		all = append(all, n)
	}
	return all
}

// A weight is the format's number, rounded to single precision once.
func TestDequantizeAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for _, l := range layouts {
		for _, n := range append(l.lengths(), 0) {
			for round := range 8 {
				data := l.random(r, n, round > 0)
				if l.typ == kernels.MXFP4 && n > 0 && round == 1 {
					data = l.exponents(r)
				}
				n := len(l.decode(data))
				dst := newFence(gaussians(r, n, 1))
				kernels.Dequantize(l.typ, dst.values(), data)
				for i, want := range l.decode(data) {
					got, want := dst.values()[i], float32(want)
					if got != want && !(got != got && want != want) {
						t.Fatalf("%s: weight %d of %d is %g, want %g", l.name, i, n, got, want)
					}
				}
				dst.requireWhole(t, l.name)
			}
		}
	}
}

// Every half float, every bfloat16.
func TestHalfsAgainstFloat64(t *testing.T) {
	b := make([]byte, 2)
	for u := range 1 << 16 {
		binary.LittleEndian.PutUint16(b, uint16(u))
		want := halfAt(b, 0)
		got := float64(kernels.FromF16(uint16(u)))
		if math.IsNaN(want) {
			require.True(t, math.IsNaN(got) && math.IsNaN(float64(kernels.FromF16(kernels.ToF16(float32(got))))), "half %#x", u)
		} else {
			require.Equal(t, math.Float64bits(want), math.Float64bits(got), "half %#x", u)
			require.EqualValues(t, u, kernels.ToF16(float32(got)), "half %#x", u)
		}
		x := kernels.FromBF16(uint16(u))
		require.EqualValues(t, u, math.Float32bits(x)>>16)
		if x == x {
			require.EqualValues(t, u, kernels.ToBF16(x), "bfloat16 %#x", u)
		} else {
			back := kernels.FromBF16(kernels.ToBF16(x))
			require.True(t, back != back, "bfloat16 %#x", u)
		}
	}
	// Rounding is to the nearest, and to the even one of two.
	r := rand.New(rand.NewPCG(2, 2))
	for range 100_000 {
		x := float32(math.Ldexp(r.NormFloat64(), r.IntN(30)-24))
		if r.IntN(3) == 0 { // half way between two halfs or two bfloat16s
			x = math.Float32frombits(math.Float32bits(x)&^0xffff | 0x8000)
			if r.IntN(2) == 0 {
				x = math.Float32frombits(math.Float32bits(x)&^0x1fff | 0x1000)
			}
		}
		for _, f := range []struct {
			name string
			from func(uint16) float32
			to   func(float32) uint16
		}{{"half", kernels.FromF16, kernels.ToF16}, {"bfloat16", kernels.FromBF16, kernels.ToBF16}} {
			u := f.to(x)
			off := math.Abs(float64(f.from(u)) - float64(x))
			for _, other := range []uint16{u - 1, u + 1} {
				d := math.Abs(float64(f.from(other)) - float64(x))
				if d < off || d == off && off > 0 && u%2 == 1 && (other^u)>>15 == 0 {
					t.Fatalf("%g became %s %g, but %g is nearer or even", x, f.name, f.from(u), f.from(other))
				}
			}
		}
	}
}

func TestNewMatrix(t *testing.T) {
	for _, l := range layouts {
		weights, size := l.typ.Block()
		for _, rows := range []int{1, 2, 7} {
			for _, blocks := range []int{1, 2, 5} {
				cols, length := blocks*weights, rows*blocks*size
				m, err := kernels.NewMatrix(l.typ, rows, cols, make([]byte, length))
				require.NoError(t, err, l.name)
				require.Equal(t, []int{rows, cols, length}, []int{m.Rows, m.Cols, len(m.Data)})
				for _, n := range []int{0, 1, length - 1, length + 1, 2 * length, length + blocks*size} {
					_, err := kernels.NewMatrix(l.typ, rows, cols, make([]byte, n))
					require.Error(t, err, "%s: %d bytes for %d × %d", l.name, n, rows, cols)
				}
				_, err = kernels.NewMatrix(l.typ, -rows, cols, make([]byte, length))
				require.Error(t, err)
				for _, cols := range []int{0, -cols, math.MaxInt - weights + 1} {
					_, err = kernels.NewMatrix(l.typ, rows, cols, make([]byte, length))
					require.Error(t, err, "%s: %d columns", l.name, cols)
				}
				if weights > 1 {
					_, err = kernels.NewMatrix(l.typ, rows, cols+1, make([]byte, length))
					require.ErrorContains(t, err, "whole number of blocks", l.name)
				}
			}
		}
	}
	for _, typ := range []kernels.Type{4, 5, 9, 15, 16, 24, 28, 40, 1 << 31} {
		_, err := kernels.NewMatrix(typ, 1, 256, make([]byte, 1024))
		require.ErrorContains(t, err, fmt.Sprintf("no arithmetic for type %d", uint32(typ)))
		weights, size := typ.Block()
		require.Zero(t, weights+size)
	}
}

func TestRowAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	for _, l := range layouts {
		for _, cols := range l.lengths() {
			const rows = 5
			data := l.random(r, rows*cols, false)
			m, err := kernels.NewMatrix(l.typ, rows, cols, data)
			require.NoError(t, err)
			want := l.decode(data)
			for i := range rows {
				dst := newFence(gaussians(r, cols, 1))
				m.Row(dst.values(), i)
				requireNear(t, want[i*cols:(i+1)*cols], dst.values(), 6e-8, 0, l.name)
				dst.requireWhole(t, l.name)
			}
		}
	}
}
