//go:build !purego

package kernels

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// fast returns the implementations in assembly that this processor can run.
func fast() []*implementation {
	// All Macs have what neon needs, whether or not their system is new enough to say so.
	if !cpu.ARM64.HasASIMDDP && runtime.GOOS != "darwin" {
		return nil
	}
	return []*implementation{&neon}
}

// neon needs the dot products of bytes that Armv8.4 has, and some of Armv8.2.
var neon = assembly("neon")
