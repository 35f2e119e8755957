//go:build unix

package bench

import (
	"os"
	"os/exec"
	goruntime "runtime"
	"syscall"
)

// group makes a command and all that it starts end together when its context ends.
func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// endGroup ends what a command that has ended left behind in its group.
func endGroup(p *os.Process) {
	syscall.Kill(-p.Pid, syscall.SIGKILL) // mostly there is no such group any more
}

// mostMemory returns the most bytes that a process had in memory.
func mostMemory(p *os.ProcessState) int64 {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if goruntime.GOOS == "darwin" || goruntime.GOOS == "ios" {
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) << 10 // elsewhere it is in KiB
}
