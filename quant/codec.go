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
		kernels.NarrowF16(dst, src)
		return countInfinite(dst, src, 0x7c00)
	case gguf.BF16:
		kernels.NarrowBF16(dst, src)
		return countInfinite(dst, src, 0x7f80)
	default:
		return quantizeBlocks(t, dst, src, importance)
	}
	return overflows
}

// countInfinite returns how many finite weights of src are infinite in dst, whose
// formats of 16 bits have the given infinity.
func countInfinite(dst []byte, src []float32, infinity uint16) (n int) {
	// Four at a time, since there are none as a rule: what is added carries into the
	// sign for an infinity or a NaN and nothing else.
	const lanes = 0x0001_0001_0001_0001
	carry := uint64(0x8000-infinity) * lanes
	for len(src) >= 4 && (binary.LittleEndian.Uint64(dst)&(0x7fff*lanes)+carry)&(0x8000*lanes) == 0 {
		dst, src = dst[8:], src[4:]
	}
	for i, x := range src {
		if binary.LittleEndian.Uint16(dst[2*i:])&0x7fff == infinity && !math.IsInf(float64(x), 0) {
			n++
		}
	}
	return n
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

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
