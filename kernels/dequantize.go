package kernels

import (
	"encoding/binary"
	"math"
)

var le = binary.LittleEndian

// Dequantize writes the weights of src, which holds whole blocks of layout t,
// to dst. len(dst) weights are written; src must hold that many.
func Dequantize(t Type, dst []float32, src []byte) {
	switch t {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(src[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = halfs[le.Uint16(src[2*i:])]
		}
	case BF16:
		for i := range dst {
			dst[i] = FromBF16(le.Uint16(src[2*i:]))
		}
	case Q4_0:
		for ; len(dst) > 0; dst, src = dst[32:], src[18:] {
			dequantizeQ4_0((*[32]float32)(dst), (*[18]byte)(src))
		}
	case Q8_0:
		for ; len(dst) > 0; dst, src = dst[32:], src[34:] {
			dequantizeQ8_0((*[32]float32)(dst), (*[34]byte)(src))
		}
	default:
		panic("kernels: Dequantize of an unknown layout") // NewMatrix keeps such types out
	}
}

// dequantizeQ4_0: byte k holds weight k in its low and weight k+16 in its high
// nibble.
func dequantizeQ4_0(dst *[32]float32, b *[18]byte) {
	d := halfs[le.Uint16(b[:])]
	for k, q := range b[2:] {
		dst[k] = d * float32(int(q&15)-8)
		dst[k+16] = d * float32(int(q>>4)-8)
	}
}

func dequantizeQ8_0(dst *[32]float32, b *[34]byte) {
	d := halfs[le.Uint16(b[:])]
	for k, q := range b[2:] {
		dst[k] = d * float32(int8(q))
	}
}
