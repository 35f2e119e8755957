//go:build !unix

package bench

import (
	"os"
	"os/exec"
)

// group changes nothing where there are no groups of processes: the command itself
// ends when its context does.
func group(*exec.Cmd) {}

// endGroup does nothing either.
func endGroup(*os.Process) {}

// mostMemory is not known.
func mostMemory(*os.ProcessState) int64 { return 0 }
