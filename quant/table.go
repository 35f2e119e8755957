package quant

import (
	"encoding/binary"
	"math"

	"lladakit/kernels"
)

// The layouts of 32 weights whose codes stand for uneven steps. The middle between
// two neighbouring values is a multiple of a half in both, so that the nearest
// code can be looked up: at 2·v rounded up, which of two takes the lower.

// codesIQ4_NL gives the code nearest to v at 2·v rounded up, plus 254.
var codesIQ4_NL = func() (t [481]uint8) {
	values, q := kernels.ValuesIQ4_NL, uint8(0)
	for i := range t {
		if q < 15 && i-254 > int(values[q])+int(values[q+1]) {
			q++
		}
		t[i] = q
	}
	return t
}()

func codeIQ4_NL(v float64) uint8 {
	if v <= -127 {
		return 0
	}
	if v >= 113 {
		return 15
	}
	return codesIQ4_NL[254+int(math.Ceil(2*v))]
}

// startsIQ4_NL are as those of a grid.
var startsIQ4_NL = [...]float64{-147, -137, -132, -127, -122, -117, -112, -107, 98, 103, 108, 113, 118, 123, 133}

// searchIQ4_NL is as grid.scale and grid.block, with the table's values in place
// of whole numbers.
func searchIQ4_NL(dst *[18]byte, src *[32]float32, importance []float32) (overflows int) {
	var x, w [32]float64
	weigh(x[:], w[:], src[:], importance)
	var best, d float64
	try := func(id float64) bool {
		var xq, qq float64
		for i, x := range x {
			q := float64(kernels.ValuesIQ4_NL[codeIQ4_NL(x*id)])
			wq := w[i] * q
			xq += float64(wq * x)
			qq += float64(wq * q)
		}
		gain := xq * xq
		if gain <= best*qq {
			return false
		}
		best, d = gain/qq, xq/qq
		return true
	}
	if m := farthest(x[:]); m != 0 {
		for _, place := range startsIQ4_NL {
			try(place / m)
		}
		for range steps {
			if !try(reciprocal(d)) {
				break
			}
		}
	}
	bits, d := half(d)
	binary.LittleEndian.PutUint16(dst[:], bits)
	id := reciprocal(d)
	var codes [32]uint8
	for i, x := range x {
		codes[i] = codeIQ4_NL(x * id)
	}
	packNibbles((*[16]byte)(dst[2:]), &codes)
	if infinite(bits) {
		return len(src)
	}
	return 0
}

// quantizeMXFP4 chooses between two exponents. With the first, the greatest
// magnitude is 4 to 8 in E2M1, which ends at 6; that is what the format's authors
// propose. The second is one more, which halves the grid and cuts nothing off.
// The smaller sum of squared errors decides.
func quantizeMXFP4(dst *[17]byte, src *[32]float32) {
	var most float32
	for _, x := range src {
		most = max(most, abs(finite(x)))
	}
	if most == 0 {
		*dst = [17]byte{}
		return
	}
	// most = f·2^k with 1/2 <= f < 1 is to be 8 to 16 in units of 2^(e-128), half
	// the scale.
	_, k := math.Frexp(float64(most))
	e := max(0, k-4+128)
	codes, err := codesMXFP4(src, e)
	// With more than 252, the greatest codes would be infinities.
	if e < 252 {
		if wider, errWider := codesMXFP4(src, e+1); errWider < err {
			codes, e = wider, e+1
		}
	}
	dst[0] = byte(e)
	packNibbles((*[16]byte)(dst[1:]), &codes)
}

// codesMXFP4 returns the codes for exponent e, and the sum of squared errors.
func codesMXFP4(src *[32]float32, e int) (codes [32]uint8, err float64) {
	unit := math.Ldexp(1, e-128)
	id := 1 / unit
	for i, x := range src {
		v := float64(finite(x)) * id
		q := codeMXFP4(math.Abs(v))
		diff := math.Abs(v) - float64(kernels.ValuesMXFP4[q])
		err += float64(diff * diff)
		if v < 0 && q > 0 {
			q |= 8
		}
		codes[i] = q
	}
	return codes, err * unit * unit
}

// codesOfMXFP4 gives the code nearest to v >= 0 at 2·v rounded up.
var codesOfMXFP4 = [...]uint8{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6}

func codeMXFP4(v float64) uint8 {
	if v > 10 {
		return 7
	}
	return codesOfMXFP4[int(math.Ceil(2*v))]
}
