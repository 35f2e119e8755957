//go:build arm64 && !purego

package kernels

import (
	"math"
	"unsafe"
)

// The functions in assembly take pointers and whole vectors. Those below take
// slices, and deal with what is left over.

func interleaveFast(dst, src []byte, blocks int, p *packing) {
	if blocks == 0 {
		return
	}
	row := blocks * p.size
	dst, src = dst[:tileRows*row], src[:tileRows*row]
	interleave(&dst[0], &src[0], row, blocks, p.size, p.halfAt, p.halfs, p.dwordAt, p.dwords/4, p.dwords%4)
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
