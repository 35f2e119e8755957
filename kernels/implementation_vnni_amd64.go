//go:build !purego

package kernels

import "golang.org/x/sys/cpu"

// hasVNNI reports whether the processor has, and the system keeps, what avx512vnni
// needs beyond avx2: the instructions and the registers. Package cpu knows of no
// AVX-512 where the system does not save its registers.
func hasVNNI() bool {
	return cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512VNNI
}

// avx512vnni is avx2 but for products of weights, and of keys and values in whole
// numbers.
var avx512vnni = withVNNI(avx2)

func withVNNI(m implementation) implementation {
	m.name = "avx512vnni"
	m.tileRows = 32
	m.attend = attendVNNI
	m.tiles = map[Type][]tileFunc{
		Q4_0:   {tileQ4_0x1VNNI, tileQ4_0x2VNNI, tileQ4_0x3VNNI, tileQ4_0x4VNNI, tileQ4_0x5VNNI, tileQ4_0x6VNNI},
		Q4_1:   {tileQ4_1x1VNNI, tileQ4_1x2VNNI, tileQ4_1x3VNNI, tileQ4_1x4VNNI, tileQ4_1x5VNNI, tileQ4_1x6VNNI},
		Q5_0:   {tileQ5_0x1VNNI, tileQ5_0x2VNNI, tileQ5_0x3VNNI, tileQ5_0x4VNNI},
		Q5_1:   {tileQ5_1x1VNNI, tileQ5_1x2VNNI, tileQ5_1x3VNNI, tileQ5_1x4VNNI},
		Q8_0:   {tileQ8_0x1VNNI, tileQ8_0x2VNNI, tileQ8_0x3VNNI, tileQ8_0x4VNNI, tileQ8_0x5VNNI, tileQ8_0x6VNNI},
		IQ4_NL: {tileIQ4_NLx1VNNI, tileIQ4_NLx2VNNI, tileIQ4_NLx3VNNI, tileIQ4_NLx4VNNI, tileIQ4_NLx5VNNI, tileIQ4_NLx6VNNI},
		Q4_K:   {tileQ4_Kx1VNNI, tileQ4_Kx2VNNI, tileQ4_Kx3VNNI, tileQ4_Kx4VNNI},
		Q5_K:   {tileQ5_Kx1VNNI, tileQ5_Kx2VNNI, tileQ5_Kx3VNNI, tileQ5_Kx4VNNI},
		Q6_K:   {tileQ6_Kx1VNNI, tileQ6_Kx2VNNI, tileQ6_Kx3VNNI, tileQ6_Kx4VNNI},
	}
	m.dots = map[Type]*[4]dotsFunc{
		F32:  {dotsF32x1VNNI, dotsF32x2VNNI, dotsF32x3VNNI, dotsF32x4VNNI},
		F16:  {dotsF16x1VNNI, dotsF16x2VNNI, dotsF16x3VNNI, dotsF16x4VNNI},
		BF16: {dotsBF16x1VNNI, dotsBF16x2VNNI, dotsBF16x3VNNI, dotsBF16x4VNNI},
	}
	return m
}

func attendVNNI(dst []float32, a *Activations, rows []int32, keys, values *Matrix, n int, s *AttendScratch) {
	attendWith(&wordProducts{scoreWordsVNNI, gatherWordsVNNI}, dst, a, rows, keys, values, n, s)
}
