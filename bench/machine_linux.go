package bench

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// affinity returns the processors that the process may use, nil where that is not
// known.
func affinity() []int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	all := make([]int, 0, runtime.NumCPU())
	for n := range 64 * len(set) {
		if set.IsSet(n) {
			all = append(all, n)
		}
	}
	return all
}

// processorName returns "": the system has a file that says it.
func processorName() string { return "" }
