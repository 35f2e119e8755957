//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inside is the user and group of programs in namespaces.
const inside = 1000

// executable is this program, also when its file was replaced or removed.
func executable() string { return "/proc/self/exe" }

// canDrop says if programs can run as a user that nothing belongs to.
func canDrop(t Tier) bool { return t != Unsafe && os.Geteuid() == 0 }

// nobody returns a number above those that systems give to users. Every program has its
// own, so that limits of users count for it alone.
func nobody() int { return 3_000_000_000 + rand.IntN(1_000_000_000) }

// isolate sets what is to be done at the start of a process.
func (s *Sandbox) isolate(cmd *exec.Cmd, st *stage) {
	// A session of its own has no terminal, and gets no interrupt from one.
	attr := &syscall.SysProcAttr{Setsid: true}
	cmd.SysProcAttr = attr
	user := nobody()
	if s.drop {
		st.User = user
	}
	if s.tier != Namespaces {
		return
	}
	st.Threads = s.drop || os.Geteuid() != 0 // the kernel does not limit those of root
	attr.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
		unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP
	if s.drop {
		// It is root until all is set up, and then nobody.
		st.User = inside
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: 0, Size: 1}, {ContainerID: inside, HostID: user, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}, {ContainerID: inside, HostID: user, Size: 1}}
		attr.GidMappingsEnableSetgroups = true
		return
	}
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: inside, HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: inside, HostID: os.Getegid(), Size: 1}}
	attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP}
}

// nameless returns a file in memory that nobody can change.
func nameless(b []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(stageName, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), stageName)
	_, err = file.Write(b)
	if err == nil {
		_, err = file.Seek(0, 0)
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// confine restricts the calling thread for good.
func (st *stage) confine() error {
	// What the parent got open from its own is not for programs.
	err := unix.CloseRange(reportFile+1, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC)
	if err != nil && st.Tier != Unsafe {
		return fmt.Errorf("close_range: %w", err)
	}
	if st.Tier == Namespaces {
		if err := st.newRoot(); err != nil {
			return err
		}
	}
	if st.Tier != Unsafe {
		if err := st.becomeNobody(); err != nil {
			return err
		}
		if err := st.restrictFiles(); err != nil {
			return err
		}
	}
	filter, err := st.filter()
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	if err := st.limit(); err != nil {
		return err
	}
	if st.Tier == Unsafe {
		return nil
	}
	return load(filter)
}

// execution returns what executes a program. It allocates no memory any more, and is not
// what Go has for it: that would set limits back.
func execution(args, env []string) (func() error, error) {
	path, err := unix.BytePtrFromString(args[0])
	if err != nil {
		return nil, err
	}
	argv, err := syscall.SlicePtrFromStrings(args)
	if err != nil {
		return nil, err
	}
	envv, err := syscall.SlicePtrFromStrings(env)
	return func() error {
		_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)),
			uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envv[0])))
		runtime.KeepAlive(path)
		runtime.KeepAlive(argv)
		runtime.KeepAlive(envv)
		return errno
	}, err
}
