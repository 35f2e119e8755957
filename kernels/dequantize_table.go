package kernels

import "math"

// Blocks of 32 weights whose nibbles are looked up in a table. The nibbles lie
// as in the layouts of dequantize_legacy.go.

// ValuesIQ4_NL gives the 16 multiples of a block's scale that IQ4_NL has codes for, in
// ascending order: close together around zero, where most weights are.
var ValuesIQ4_NL = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// ValuesMXFP4 gives the 16 multiples of half a block's scale that MXFP4 has
// codes for: twice the numbers of the E2M1 float, sign in the upper bit.
var ValuesMXFP4 = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// dequantizeIQ4_NL: d, 16 bytes of nibbles; w = d·ValuesIQ4_NL[q].
func dequantizeIQ4_NL(dst *[32]float32, b *[18]byte) {
	d := halfs[le.Uint16(b[:])]
	for k, q := range b[2:] {
		dst[k] = d * float32(ValuesIQ4_NL[q&15])
		dst[k+16] = d * float32(ValuesIQ4_NL[q>>4])
	}
}

// dequantizeMXFP4: an exponent, 16 bytes of nibbles; w = 2^(e-128)·ValuesMXFP4[q].
// The product is exact, or an infinity where e is 253 or more.
func dequantizeMXFP4(dst *[32]float32, b *[17]byte) {
	d := halfE8M0(b[0])
	for k, q := range b[1:] {
		dst[k] = d * float32(ValuesMXFP4[q&15])
		dst[k+16] = d * float32(ValuesMXFP4[q>>4])
	}
}

// halfE8M0 returns 2^(e-128), half of what an E8M0 scale stands for. The two
// smallest are subnormal.
func halfE8M0(e byte) float32 {
	if e < 2 {
		return math.Float32frombits(1 << (21 + e))
	}
	return math.Float32frombits(uint32(e-1) << 23)
}
