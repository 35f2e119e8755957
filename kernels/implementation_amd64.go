//go:build !purego

package kernels

import "golang.org/x/sys/cpu"

// fast returns the implementations in assembly that this processor can run.
func fast() []*implementation {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA || !cpu.X86.HasF16C {
		return nil
	}
	if hasVNNI() {
		return []*implementation{&avx512vnni, &avx2}
	}
	return []*implementation{&avx2}
}

// avx2 needs AVX2, FMA and F16C.
var avx2 = assembly("avx2")
