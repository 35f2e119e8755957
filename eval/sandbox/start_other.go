//go:build darwin || (linux && !amd64 && !arm64)

package sandbox

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
)

func canDrop(Tier) bool { return false }

func executable() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

func (s *Sandbox) isolate(cmd *exec.Cmd, _ *stage) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
}

// confine sets limits of the process, soft and hard ones, as far as the system has them.
func (st *stage) confine() error {
	if st.Tier != Unsafe {
		return errors.New("it is for Linux on amd64 and arm64")
	}
	for resource, most := range map[int]uint64{
		syscall.RLIMIT_CORE: 0, syscall.RLIMIT_CPU: st.CPU, syscall.RLIMIT_FSIZE: 1 << 20, syscall.RLIMIT_AS: st.Memory,
	} {
		syscall.Setrlimit(resource, &syscall.Rlimit{Cur: most, Max: most})
	}
	return nil
}

func execution(args, env []string) (func() error, error) {
	return func() error { return syscall.Exec(args[0], args, env) }, nil
}

// nameless returns a file that has no name any more.
func nameless(b []byte) (*os.File, error) {
	file, err := os.CreateTemp("", "llada-sandbox-*")
	if err != nil {
		return nil, err
	}
	err = os.Remove(file.Name())
	if err == nil {
		_, err = file.Write(b)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
