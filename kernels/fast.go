//go:build (amd64 || arm64) && !purego

package kernels

import (
	"math"
	"unsafe"
)

// assembly returns the implementation with a name that the functions in assembly make:
// they have the same names and parameters for all processors.
func assembly(name string) implementation {
	return implementation{
		name: name,
		tiles: map[Type][]tileFunc{
			Q4_0:   {tileQ4_0x1, tileQ4_0x2, tileQ4_0x3, tileQ4_0x4},
			Q4_1:   {tileQ4_1x1, tileQ4_1x2, tileQ4_1x3, tileQ4_1x4},
			Q5_0:   {tileQ5_0x1, tileQ5_0x2, tileQ5_0x3, tileQ5_0x4},
			Q5_1:   {tileQ5_1x1, tileQ5_1x2, tileQ5_1x3, tileQ5_1x4},
			Q8_0:   {tileQ8_0x1, tileQ8_0x2, tileQ8_0x3, tileQ8_0x4},
			IQ4_NL: {tileIQ4_NLx1, tileIQ4_NLx2, tileIQ4_NLx3, tileIQ4_NLx4},
			Q4_K:   {tileQ4_Kx1, tileQ4_Kx2, tileQ4_Kx3, tileQ4_Kx4},
			Q5_K:   {tileQ5_Kx1, tileQ5_Kx2, tileQ5_Kx3, tileQ5_Kx4},
			Q6_K:   {tileQ6_Kx1, tileQ6_Kx2, tileQ6_Kx3, tileQ6_Kx4},
		},
		dots: map[Type]*[4]dotsFunc{
			F32:  {dotsF32x1, dotsF32x2, dotsF32x3, dotsF32x4},
			F16:  {dotsF16x1, dotsF16x2, dotsF16x3, dotsF16x4},
			BF16: {dotsBF16x1, dotsBF16x2, dotsBF16x3, dotsBF16x4},
		},
		tileRows:   8,
		interleave: interleaveFast,
		quantize:   quantizeFast,
		attend:     attendFast,
		dot:        dotFast,
		rmsNorm:    rmsNormFast,
		softmax:    softmaxFast,
		siluMul:    siluMulFast,
		sigmoid:    sigmoidFast,
		addScaled:  addScaledFast,
		greatest:   greatestFast,
		shares:     sharesFast,
		widenF16:   widenF16Fast,
		widenBF16:  widenBF16Fast,
		narrowF16:  narrowF16Fast,
		narrowBF16: narrowBF16Fast,

		quantizeQ8_0: quantizeQ8_0Fast,
		quantizeQ4_0: quantizeQ4_0Fast,

		lineSums:   lineSumsFast,
		lineErrors: lineErrorsFast,
		lineCodes:  lineCodesFast,
	}
}

// The functions in assembly take pointers and whole vectors. Those below take slices,
// and deal with what is left over.

// interleaveFast moves eight rows at a time to their places in the tile.
func interleaveFast(dst, src []byte, blocks, tileRows int, p *packing) {
	if blocks == 0 {
		return
	}
	row := blocks * p.size
	dst, src = dst[:tileRows*row], src[:tileRows*row]
	for r := 0; r < tileRows; r += 8 {
		interleave(&dst[0], &src[r*row], row, blocks, tileRows, r, p.size, p.halfAt, p.halfs, p.dwordAt, p.dwords/4, p.dwords%4)
	}
}

func quantizeFast(dst []block, src []float32) {
	if n := len(dst); n > 0 {
		src = src[:n*blockLen]
		quantizeBlocks(&dst[0].q[0], &src[0], n)
	}
}

func dotFast(w, x []float32) (sum float32) {
	n := len(w) &^ 7
	if n > 0 {
		dotsF32x1(&sum, 0, (*byte)(unsafe.Pointer(&w[0])), 0, &x[0], nil, nil, nil, n/8, 1)
	}
	return dotRest(sum, w[n:], x[n:])
}

func rmsNormFast(dst, x, weight []float32, eps float32) {
	n := len(x) &^ 7
	var s [8]float64
	if n > 0 {
		squares(&x[0], n/8, &s[0])
	}
	scale := rmsScale(&s, x[n:], len(x), eps)
	if n > 0 {
		norms(&dst[0], &x[0], &weight[0], scale, n/8)
	}
	for i := n; i < len(x); i++ {
		dst[i] = x[i] * scale * weight[i]
	}
}

func softmaxFast(x []float32) {
	n := len(x) &^ 7
	var best, second, rest [8]float32
	high := float32(math.Inf(-1))
	if n > 0 {
		maxima(&x[0], n/8, &best[0], &second[0])
		for _, v := range best {
			high = max(high, v)
		}
	}
	for _, v := range x[n:] {
		high = max(high, v)
	}
	var sum float32
	if n > 0 {
		sum = exps(&x[0], high, n/8)
	}
	if n < len(x) {
		copy(rest[:], x[n:])
		exps(&rest[0], high, 1)
		copy(x[n:], rest[:])
		for _, e := range x[n:] {
			sum += e
		}
	}
	if n > 0 {
		divides(&x[0], sum, n/8)
	}
	for i := n; i < len(x); i++ {
		x[i] /= sum
	}
}

func siluMulFast(dst, gate, up []float32) {
	n := len(gate) &^ 7
	if n > 0 {
		silus(&dst[0], &gate[0], &up[0], n/8)
	}
	if n < len(gate) {
		var g, u [8]float32
		copy(g[:], gate[n:])
		copy(u[:], up[n:])
		silus(&g[0], &g[0], &u[0], 1)
		copy(dst[n:], g[:])
	}
}

func sigmoidFast(x []float32) {
	n := len(x) &^ 7
	if n > 0 {
		sigmoids(&x[0], n/8)
	}
	if n < len(x) {
		var v [8]float32
		copy(v[:], x[n:])
		sigmoids(&v[0], 1)
		copy(x[n:], v[:])
	}
}

func addScaledFast(dst, x []float32, scale float32) {
	n := len(x) &^ 7
	if n > 0 {
		adds(&dst[0], &x[0], scale, n/8)
	}
	addScaledPlain(dst[n:], x[n:], scale)
}

func greatestFast(x []float32) (at int, best, second float32) {
	n := len(x) &^ 7
	if n == 0 {
		return greatestPlain(x)
	}
	var firsts, seconds [8]float32
	maxima(&x[0], n/8, &firsts[0], &seconds[0])
	_, best, second = greatestPlain(firsts[:])
	for _, v := range seconds {
		second = max(second, v)
	}
	i, b, s := greatestPlain(x[n:])
	switch {
	case b > best:
		return n + i, b, max(best, s)
	case best == float32(math.Inf(-1)): // maybe nothing but NaNs
		return 0, best, second
	}
	return find(&x[0], best, n/8), best, max(second, b)
}

func sharesFast(x []float32, high float32) (sum, weighted float64) {
	n := len(x) &^ 7
	if n > 0 {
		sum, weighted = shares(&x[0], high, n/8)
	}
	s, w := sharesPlain(x[n:], high)
	return sum + s, weighted + w
}

func widenF16Fast(dst []float32, src []byte) {
	n := len(dst) &^ 7
	if n > 0 {
		widenF16(&dst[0], &src[0], n/8)
	}
	widenF16Plain(dst[n:], src[2*n:])
}

func widenBF16Fast(dst []float32, src []byte) {
	n := len(dst) &^ 7
	if n > 0 {
		widenBF16(&dst[0], &src[0], n/8)
	}
	widenBF16Plain(dst[n:], src[2*n:])
}

func narrowF16Fast(dst []byte, src []float32) {
	n := len(src) &^ 7
	if n > 0 {
		narrowF16(&dst[0], &src[0], n/8)
	}
	narrowF16Plain(dst[2*n:], src[n:])
}

func narrowBF16Fast(dst []byte, src []float32) {
	n := len(src) &^ 7
	if n > 0 {
		narrowBF16(&dst[0], &src[0], n/8)
	}
	narrowBF16Plain(dst[2*n:], src[n:])
}

func quantizeQ8_0Fast(dst []byte, src []float32) (overflows int) {
	n := len(src) / blockLen
	if n == 0 {
		return 0
	}
	dst = dst[:34*n]
	return quantizeQ8_0(&dst[0], &src[0], n)
}

func quantizeQ4_0Fast(dst []byte, src []float32) (overflows int) {
	n := len(src) / blockLen
	if n == 0 {
		return 0
	}
	dst = dst[:18*n]
	return quantizeQ4_0(&dst[0], &src[0], n)
}

func lineSumsFast(x *SubBlocks, id, m *[8]float64, hi float64, q, qq, xq *[8]float64) {
	lineSums(&x[0][0], &id[0], &m[0], hi, &q[0], &qq[0], &xq[0])
}

func lineErrorsFast(x *SubBlocks, id, m *[8]float64, hi float64, d, errors *[8]float64) {
	lineErrors(&x[0][0], &id[0], &m[0], hi, &d[0], &errors[0])
}

func lineCodesFast(x *SubBlocks, id, m *[8]float64, hi float64, codes *[blockLen][8]int8) {
	lineCodes(&x[0][0], &id[0], &m[0], hi, &codes[0][0])
}
