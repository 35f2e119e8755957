package bench

import "golang.org/x/sys/unix"

// affinity returns nil: processes may use all processors.
func affinity() []int { return nil }

func processorName() string {
	name, _ := unix.Sysctl("machdep.cpu.brand_string")
	return name
}
