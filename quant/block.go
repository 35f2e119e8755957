package quant

import (
	"fmt"

	"lladakit/internal/gguf"
	"lladakit/kernels"
)

// quantizeBlocks writes src in block format t. importance is empty or as long as a
// row, of which src has a whole number.
func quantizeBlocks(t gguf.Type, dst []byte, src, importance []float32) (overflows int) {
	n, size := t.Block()
	if cols := len(importance); cols > 0 && (len(src)%cols != 0 || cols%n != 0) {
		panic(fmt.Sprintf("quant: %d weights with importance of %d to %s", len(src), cols, t))
	}
	switch {
	case t == gguf.Q8_0:
		return kernels.QuantizeQ8_0(dst, src)
	case t == gguf.Q4_0 && len(importance) == 0:
		return kernels.QuantizeQ4_0(dst, src)
	case (t == gguf.Q4_K || t == gguf.Q5_K) && len(importance) == 0:
		return quantizeInStep(t, dst, src)
	}
	var part []float32
	for i := 0; i < len(src); i += n {
		if len(importance) > 0 {
			col := i % len(importance)
			part = importance[col : col+n]
		}
		overflows += quantizeBlock(t, dst[i/n*size:][:size], src[i:i+n], part)
	}
	return overflows
}

// quantizeBlock writes one block. importance is nil or has a value for each
// weight.
func quantizeBlock(t gguf.Type, dst []byte, src, importance []float32) (overflows int) {
	var b super
	switch t {
	case gguf.Q4_0:
		return searchQ4_0((*[18]byte)(dst), (*[32]float32)(src), importance)
	case gguf.Q4_1:
		return searchQ4_1((*[20]byte)(dst), (*[32]float32)(src), importance)
	case gguf.Q5_0:
		return searchQ5_0((*[22]byte)(dst), (*[32]float32)(src), importance)
	case gguf.Q5_1:
		return searchQ5_1((*[24]byte)(dst), (*[32]float32)(src), importance)
	case gguf.IQ4_NL:
		return searchIQ4_NL((*[18]byte)(dst), (*[32]float32)(src), importance)
	case gguf.MXFP4:
		quantizeMXFP4((*[17]byte)(dst), (*[32]float32)(src))
	case gguf.Q2_K:
		b, overflows = layoutQ2_K.search((*[256]float32)(src), importance)
		packQ2_K((*[84]byte)(dst), &b)
	case gguf.Q3_K:
		b, overflows = layoutQ3_K.search((*[256]float32)(src), importance)
		packQ3_K((*[110]byte)(dst), &b)
	case gguf.Q4_K:
		b, overflows = layoutQ4_K.search((*[256]float32)(src), importance)
		packQ4_K((*[144]byte)(dst), &b)
	case gguf.Q5_K:
		b, overflows = layoutQ5_K.search((*[256]float32)(src), importance)
		packQ5_K((*[176]byte)(dst), &b)
	case gguf.Q6_K:
		b, overflows = layoutQ6_K.search((*[256]float32)(src), importance)
		packQ6_K((*[210]byte)(dst), &b)
	default:
		panic("quant: Quantize to " + t.String()) // Bytes keeps such types out
	}
	return overflows
}
