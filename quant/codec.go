package quant

import (
	"encoding/binary"
	"fmt"
	"math"

	"lladakit/internal/gguf"
	"lladakit/kernels"
)

// Types lists the formats that Quantize writes.
var Types = []gguf.Type{
	gguf.F32, gguf.F16, gguf.BF16,
	gguf.Q8_0, gguf.Q6_K, gguf.Q5_1, gguf.Q5_K, gguf.Q5_0, gguf.Q4_1, gguf.Q4_K, gguf.Q4_0, gguf.IQ4_NL,
	gguf.MXFP4, gguf.Q3_K, gguf.Q2_K,
}

// Bytes returns the size of n weights in format t. It is an error when t is
// not one of Types or n is not a whole number of blocks.
func Bytes(t gguf.Type, n int) (int, error) {
	size, err := kernels.Type(t).RowBytes(n)
	if err != nil {
		return 0, fmt.Errorf("quant: %d weights do not go into %s", n, t)
	}
	return size, nil
}

// Quantize writes src in format t to dst, which has Bytes(t, len(src)) bytes.
//
// Without importance, src is a whole number of blocks. Q8_0 and Q4_0 are rounded
// to the scale of the greatest magnitude; the other block formats search for the
// scales with the smallest sum of squared errors.
//
// With importance, which has a value for each column of the matrix, src is a whole
// number of rows. The value is how much the squares of errors in that column
// count, as a rule the mean square of the activations it is multiplied with. A
// value that is negative, zero or not finite counts as almost nothing; where a
// block has no others, all its weights count alike. Every block format but Q8_0
// and MXFP4 then searches; those two and the float formats take no notice.
//
// The float formats round to nearest, ties to even. Block formats have no code
// for infinities and NaNs: those count as zero there. It returns how many
// finite weights became infinite because the format's range is too small; where a
// block's scale is, that is all of the block.
func Quantize(t gguf.Type, dst []byte, src, importance []float32) (overflows int) {
	switch t {
	case gguf.F32:
		for i, x := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(x))
		}
	case gguf.F16:
		for i, x := range src {
			h := kernels.ToF16(x)
			if h&0x7fff == 0x7c00 && !math.IsInf(float64(x), 0) {
				overflows++
			}
			binary.LittleEndian.PutUint16(dst[2*i:], h)
		}
	case gguf.BF16:
		for i, x := range src {
			h := kernels.ToBF16(x)
			if h&0x7fff == 0x7f80 && !math.IsInf(float64(x), 0) {
				overflows++
			}
			binary.LittleEndian.PutUint16(dst[2*i:], h)
		}
	default:
		return quantizeBlocks(t, dst, src, importance)
	}
	return overflows
}

// Dequantize writes the weights in src, of format t, to dst; src holds
// Bytes(t, len(dst)) bytes.
func Dequantize(t gguf.Type, dst []float32, src []byte) {
	kernels.Dequantize(kernels.Type(t), dst, src)
}

// finite returns x, or zero for an infinity or a NaN.
func finite(x float32) float32 {
	if x-x != 0 {
		return 0
	}
	return x
}

// inverse returns 1/d, or zero where d is too small for that.
func inverse(d float32) float32 {
	return finite(1 / d)
}

// putScale stores a block's scale and reports whether it overflowed.
func putScale(dst []byte, d float32) (overflowed bool) {
	h := kernels.ToF16(d)
	binary.LittleEndian.PutUint16(dst, h)
	return h&0x7fff == 0x7c00
}

// quantizeQ8_0: d = max|x|/127, q = x/d rounded half away from zero. The
// quotient uses d before it is rounded to half precision.
func quantizeQ8_0(dst *[34]byte, src *[32]float32) (overflows int) {
	var most float32
	for _, x := range src {
		most = max(most, abs(finite(x)))
	}
	d := most / 127
	id := inverse(d)
	for i, x := range src {
		dst[2+i] = byte(int8(math.Round(float64(finite(x) * id))))
	}
	if putScale(dst[:], d) {
		return len(src)
	}
	return 0
}

// quantizeQ4_0: d = m/-8 for m the weight of the greatest magnitude, so that m
// itself has the code 0; q = x/d + 8.5 cut to 0..15.
func quantizeQ4_0(dst *[18]byte, src *[32]float32) (overflows int) {
	var most, m float32
	for _, x := range src {
		x = finite(x)
		if a := abs(x); a > most {
			most, m = a, x
		}
	}
	d := m / -8
	id := inverse(d)
	// The conversion keeps the two roundings apart where the processor could
	// fuse them, so that a file has the same bytes wherever it is made.
	code := func(x float32) byte { return byte(min(15, int8(float32(finite(x)*id)+8.5))) }
	for k := range 16 {
		dst[2+k] = code(src[k]) | code(src[k+16])<<4
	}
	if putScale(dst[:], d) {
		return len(src)
	}
	return 0
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
