package quant

import (
	"encoding/binary"

	"lladakit/kernels"
)

// The layouts of 32 weights with a scale of their own, found by search. Byte k of
// the nibbles has weight k in its low and weight k+16 in its high half.

// gridQ4_0 and gridQ5_0 have starts on both sides: whether the greatest weight is
// better off on the longer side of zero or on the shorter one is for the others
// to decide.
var (
	gridQ4_0 = grid{-8, 7, []float64{-9.5, -8.75, -8.25, -7.75, -7.25, 6.75, 7.25, 7.75, 8.5}}
	gridQ5_0 = grid{-16, 15, []float64{-18, -17, -16.5, -16, -15.5, 14.5, 15, 15.5, 16, 17}}
	gridQ4_1 = grid{0, 15, []float64{13.5, 14, 14.5, 15, 15.75, 16.5, 17.5}}
	gridQ5_1 = grid{0, 31, []float64{29.5, 30, 30.5, 31, 31.75, 33}}
)

func searchQ4_0(dst *[18]byte, src *[32]float32, importance []float32) (overflows int) {
	var codes [32]uint8
	overflows = gridQ4_0.block((*[2]byte)(dst[:]), &codes, src, importance)
	packNibbles((*[16]byte)(dst[2:]), &codes)
	return overflows
}

func searchQ5_0(dst *[22]byte, src *[32]float32, importance []float32) (overflows int) {
	var codes [32]uint8
	overflows = gridQ5_0.block((*[2]byte)(dst[:]), &codes, src, importance)
	packFifths((*[4]byte)(dst[2:]), &codes)
	packNibbles((*[16]byte)(dst[6:]), &codes)
	return overflows
}

func searchQ4_1(dst *[20]byte, src *[32]float32, importance []float32) (overflows int) {
	var codes [32]uint8
	overflows = gridQ4_1.offsetBlock((*[4]byte)(dst[:]), &codes, src, importance)
	packNibbles((*[16]byte)(dst[4:]), &codes)
	return overflows
}

func searchQ5_1(dst *[24]byte, src *[32]float32, importance []float32) (overflows int) {
	var codes [32]uint8
	overflows = gridQ5_1.offsetBlock((*[4]byte)(dst[:]), &codes, src, importance)
	packFifths((*[4]byte)(dst[4:]), &codes)
	packNibbles((*[16]byte)(dst[8:]), &codes)
	return overflows
}

// block searches the scale of a block, writes it to dst, and sets the codes,
// counted from g.lo.
func (g *grid) block(dst *[2]byte, codes *[32]uint8, src *[32]float32, importance []float32) (overflows int) {
	var x, w [32]float64
	weigh(x[:], w[:], src[:], importance)
	d, _ := g.scale(x[:], w[:])
	bits, d := half(d)
	binary.LittleEndian.PutUint16(dst[:], bits)
	id := reciprocal(d)
	for i, x := range x {
		codes[i] = uint8(code(x*id, g.lo, g.hi) - g.lo)
	}
	if infinite(bits) {
		return len(src)
	}
	return 0
}

// offsetBlock searches the scale and the offset of a block, writes them to dst,
// and sets the codes.
func (g *grid) offsetBlock(dst *[4]byte, codes *[32]uint8, src *[32]float32, importance []float32) (overflows int) {
	var x, w [32]float64
	weigh(x[:], w[:], src[:], importance)
	d, m, _ := g.offsetScale(x[:], w[:], false)
	dBits, d := half(d)
	if d == 0 { // too small for a half, or all weights alike
		m = mean(x[:], w[:])
	}
	mBits, m := half(m)
	binary.LittleEndian.PutUint16(dst[:], dBits)
	binary.LittleEndian.PutUint16(dst[2:], mBits)
	id := reciprocal(d)
	for i, x := range x {
		codes[i] = uint8(code((x-m)*id, 0, g.hi))
	}
	if infinite(dBits) || infinite(mBits) {
		return len(src)
	}
	return 0
}

// mean returns Σwx/Σw, the best offset where there is no scale.
func mean(x, w []float64) float64 {
	var sx, sw float64
	for i, x := range x {
		sx += float64(w[i] * x)
		sw += w[i]
	}
	return sx * reciprocal(sw)
}

// half rounds a scale to half precision. rounded is what to divide by: the value
// of the bits, or d where that would be an infinity.
func half(d float64) (bits uint16, rounded float64) {
	bits = kernels.ToF16(float32(d))
	if infinite(bits) {
		return bits, d
	}
	return bits, float64(kernels.FromF16(bits))
}

func infinite(bits uint16) bool { return bits&0x7fff == 0x7c00 }

func packNibbles(dst *[16]byte, codes *[32]uint8) {
	for k := range dst {
		dst[k] = codes[k]&15 | codes[k+16]<<4
	}
}

// packFifths writes bit 4 of code i to bit i.
func packFifths(dst *[4]byte, codes *[32]uint8) {
	var bits uint32
	for i, q := range codes {
		bits |= uint32(q>>4) << i
	}
	binary.LittleEndian.PutUint32(dst[:], bits)
}
