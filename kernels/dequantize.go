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
	case F16:
		WidenF16(dst, src)
	case BF16:
		WidenBF16(dst, src)
	default:
		dequantize(t, dst, src)
	}
}

// dequantize is Dequantize in the plain way.
func dequantize(t Type, dst []float32, src []byte) {
	switch t {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(src[4*i:]))
		}
	case F16:
		widenF16Plain(dst, src)
	case BF16:
		widenBF16Plain(dst, src)
	case Q4_0:
		for ; len(dst) > 0; dst, src = dst[32:], src[18:] {
			dequantizeQ4_0((*[32]float32)(dst), (*[18]byte)(src))
		}
	case Q4_1:
		for ; len(dst) > 0; dst, src = dst[32:], src[20:] {
			dequantizeQ4_1((*[32]float32)(dst), (*[20]byte)(src))
		}
	case Q5_0:
		for ; len(dst) > 0; dst, src = dst[32:], src[22:] {
			dequantizeQ5_0((*[32]float32)(dst), (*[22]byte)(src))
		}
	case Q5_1:
		for ; len(dst) > 0; dst, src = dst[32:], src[24:] {
			dequantizeQ5_1((*[32]float32)(dst), (*[24]byte)(src))
		}
	case Q8_0:
		for ; len(dst) > 0; dst, src = dst[32:], src[34:] {
			dequantizeQ8_0((*[32]float32)(dst), (*[34]byte)(src))
		}
	case Q2_K:
		for ; len(dst) > 0; dst, src = dst[256:], src[84:] {
			dequantizeQ2_K((*[256]float32)(dst), (*[84]byte)(src))
		}
	case Q3_K:
		for ; len(dst) > 0; dst, src = dst[256:], src[110:] {
			dequantizeQ3_K((*[256]float32)(dst), (*[110]byte)(src))
		}
	case Q4_K:
		for ; len(dst) > 0; dst, src = dst[256:], src[144:] {
			dequantizeQ4_K((*[256]float32)(dst), (*[144]byte)(src))
		}
	case Q5_K:
		for ; len(dst) > 0; dst, src = dst[256:], src[176:] {
			dequantizeQ5_K((*[256]float32)(dst), (*[176]byte)(src))
		}
	case Q6_K:
		for ; len(dst) > 0; dst, src = dst[256:], src[210:] {
			dequantizeQ6_K((*[256]float32)(dst), (*[210]byte)(src))
		}
	case IQ4_NL:
		for ; len(dst) > 0; dst, src = dst[32:], src[18:] {
			dequantizeIQ4_NL((*[32]float32)(dst), (*[18]byte)(src))
		}
	case MXFP4:
		for ; len(dst) > 0; dst, src = dst[32:], src[17:] {
			dequantizeMXFP4((*[32]float32)(dst), (*[17]byte)(src))
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
