//go:build !purego

package peak

import "golang.org/x/sys/cpu"

func supported() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

// hasVNNI reports whether products of bytes are faster than with AVX2.
func hasVNNI() bool {
	return cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512VNNI
}
