package kernels

import (
	"math"

	"github.com/x448/float16"
)

// halfs widens every half float by look-up: block scales are halfs, and the
// conversion is too slow to repeat for every block.
var halfs = func() *[1 << 16]float32 {
	var t [1 << 16]float32
	for i := range t {
		t[i] = float16.Frombits(uint16(i)).Float32()
	}
	return &t
}()

// FromF16 widens a half float exactly.
func FromF16(bits uint16) float32 { return halfs[bits] }

// ToF16 rounds to the nearest half float, ties to even; overflow gives an
// infinity.
func ToF16(x float32) uint16 { return float16.Fromfloat32(x).Bits() }

// FromBF16 widens a bfloat16 exactly.
func FromBF16(bits uint16) float32 { return math.Float32frombits(uint32(bits) << 16) }

// ToBF16 rounds to the nearest bfloat16, ties to even. A NaN stays a NaN.
func ToBF16(x float32) uint16 {
	u := math.Float32bits(x)
	if u&0x7fffffff > 0x7f800000 {
		return uint16(u>>16) | 0x40 // rounding up could carry a NaN into an infinity
	}
	return uint16((u + 0x7fff + u>>16&1) >> 16)
}

// WidenF16 is FromF16 of len(dst) values in src, little endian.
func WidenF16(dst []float32, src []byte) { active.widenF16(dst, src[:2*len(dst)]) }

// WidenBF16 is FromBF16 of len(dst) values in src, little endian.
func WidenBF16(dst []float32, src []byte) { active.widenBF16(dst, src[:2*len(dst)]) }

// NarrowF16 writes ToF16 of every value to dst, little endian.
func NarrowF16(dst []byte, src []float32) { active.narrowF16(dst[:2*len(src)], src) }

// NarrowBF16 writes ToBF16 of every value to dst, little endian.
func NarrowBF16(dst []byte, src []float32) { active.narrowBF16(dst[:2*len(src)], src) }

func widenF16Plain(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = FromF16(le.Uint16(src[2*i:]))
	}
}

func widenBF16Plain(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = FromBF16(le.Uint16(src[2*i:]))
	}
}

func narrowF16Plain(dst []byte, src []float32) {
	for i, v := range src {
		le.PutUint16(dst[2*i:], ToF16(v))
	}
}

func narrowBF16Plain(dst []byte, src []float32) {
	for i, v := range src {
		le.PutUint16(dst[2*i:], ToBF16(v))
	}
}
