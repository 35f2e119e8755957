//go:build !purego

package kernels

import "golang.org/x/sys/cpu"

// fast returns the implementations in assembly that this processor can run.
func fast() []*implementation {
	if !cpu.ARM64.HasASIMDDP {
		return nil
	}
	return []*implementation{&neon}
}

// neon needs the dot products of 8-bit numbers, which Armv8.4 has and some of Armv8.2.
var neon = implementation{
	name: "neon",
	tiles: map[Type]*[4]tileFunc{
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
	interleave: interleaveFast,
	quantize:   quantizeFast,
	attend:     attendPlain,
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

	lineSums: func(x *SubBlocks, id, m *[8]float64, hi float64, q, qq, xq *[8]float64) {
		lineSums(&x[0][0], &id[0], &m[0], hi, &q[0], &qq[0], &xq[0])
	},
	lineErrors: func(x *SubBlocks, id, m *[8]float64, hi float64, d, errors *[8]float64) {
		lineErrors(&x[0][0], &id[0], &m[0], hi, &d[0], &errors[0])
	},
	lineCodes: func(x *SubBlocks, id, m *[8]float64, hi float64, codes *[blockLen][8]int8) {
		lineCodes(&x[0][0], &id[0], &m[0], hi, &codes[0][0])
	},
}
