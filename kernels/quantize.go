package kernels

import "math"

// QuantizeQ8_0 writes src, whole blocks of 32 weights, as Q8_0 to dst: d is the
// greatest magnitude over 127, and codes are x/d, with d not yet rounded to half
// precision, rounded half away from zero. What is not finite counts as zero. It
// returns how many weights became infinite because d is too large for a half
// float.
func QuantizeQ8_0(dst []byte, src []float32) (overflows int) { return active.quantizeQ8_0(dst, src) }

// QuantizeQ4_0 is QuantizeQ8_0 for Q4_0: d is m/-8 for m the first weight of the
// greatest magnitude, so that m itself has the code 0, and codes are x/d + 8.5 cut
// to 0..15.
func QuantizeQ4_0(dst []byte, src []float32) (overflows int) { return active.quantizeQ4_0(dst, src) }

func quantizeQ8_0Plain(dst []byte, src []float32) (overflows int) {
	for ; len(src) >= blockLen; dst, src = dst[34:], src[blockLen:] {
		var most float32
		for _, x := range src[:blockLen] {
			most = max(most, magnitude(finite(x)))
		}
		d := most / 127
		id := finite(1 / d)
		for i, x := range src[:blockLen] {
			dst[2+i] = byte(int8(math.Round(float64(finite(x) * id))))
		}
		overflows += putScale(dst, d)
	}
	return overflows
}

func quantizeQ4_0Plain(dst []byte, src []float32) (overflows int) {
	for ; len(src) >= blockLen; dst, src = dst[18:], src[blockLen:] {
		var most, m float32
		for _, x := range src[:blockLen] {
			x = finite(x)
			if a := magnitude(x); a > most {
				most, m = a, x
			}
		}
		d := m / -8
		id := finite(1 / d)
		// The conversion keeps the two roundings apart where the processor could
		// fuse them.
		code := func(x float32) byte { return byte(min(15, int8(float32(finite(x)*id)+8.5))) }
		for k := range 16 {
			dst[2+k] = code(src[k]) | code(src[k+16])<<4
		}
		overflows += putScale(dst, d)
	}
	return overflows
}

// finite returns x, or zero for an infinity or a NaN.
func finite(x float32) float32 {
	if x-x != 0 {
		return 0
	}
	return x
}

func magnitude(x float32) float32 {
	return math.Float32frombits(math.Float32bits(x) &^ (1 << 31))
}

// putScale stores a block's scale, and returns how many weights that makes
// infinite.
func putScale(dst []byte, d float32) (overflows int) {
	h := ToF16(d)
	le.PutUint16(dst, h)
	if h&0x7fff == 0x7c00 {
		return blockLen
	}
	return 0
}
