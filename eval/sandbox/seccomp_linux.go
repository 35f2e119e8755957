//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// allowed are the system calls that an interpreter of plain programs needs. All others
// fail with EPERM: those of sockets, of processes, of other owners, modes and attributes
// of files, and those that do not exist yet. So do all of the x32 and 32-bit interfaces.
var allowed = []string{
	// files that may be opened by Landlock or mounts
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek",
	"open", "openat", "close", "close_range", "dup", "dup2", "dup3", "pipe", "pipe2",
	"stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2",
	"getdents", "getdents64", "readlink", "readlinkat", "getcwd", "chdir", "fchdir",
	"ftruncate", "fsync", "fdatasync", "umask", "fadvise64", "copy_file_range", "sendfile",
	"poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
	// memory
	"mmap", "mprotect", "munmap", "mremap", "madvise", "brk",
	// itself
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack",
	"getpid", "getppid", "gettid", "getpgid", "getpgrp", "getsid",
	"getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups",
	"getrlimit", "getrusage", "getpriority", "times", "uname", "sysinfo", "sched_getaffinity", "sched_yield",
	"futex", "set_robust_list", "set_tid_address", "rseq", "arch_prctl", "restart_syscall",
	"getrandom", "exit", "exit_group", "wait4", "waitid", "pause",
	// time
	"nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time",
	"alarm", "getitimer", "setitimer",
	// the interpreter is started by the filtered thread; what it starts itself stays filtered
	"execve",
}

// allowedInScratch change files; in tier B there are none to change.
var allowedInScratch = []string{
	"mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2",
	"symlink", "symlinkat", "link", "linkat", "creat", "truncate",
}

// Flags of open files, as in ioctls.h.
const (
	fionbio  = 0x5421
	fionclex = 0x5450
	fioclex  = 0x5451
)

// newThread are the flags of clone with which C libraries start a thread.
var newThread = []uint64{
	unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD | unix.CLONE_SYSVSEM |
		unix.CLONE_SETTLS | unix.CLONE_PARENT_SETTID | unix.CLONE_CHILD_CLEARTID, // glibc
	unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD | unix.CLONE_SYSVSEM |
		unix.CLONE_SETTLS | unix.CLONE_PARENT_SETTID | unix.CLONE_CHILD_CLEARTID | unix.CLONE_DETACHED, // musl
}

// policy returns the filter of system calls of a process with the number pid.
func (st *stage) policy(pid int, known map[string]int) seccomp.Policy {
	names := allowed
	if st.Tier == Namespaces {
		names = append(names[:len(names):len(names)], allowedInScratch...)
	}
	allow := seccomp.SyscallGroup{Action: seccomp.ActionAllow}
	for _, name := range names {
		if _, ok := known[name]; ok { // not every architecture has all
			allow.Names = append(allow.Names, name)
		}
	}
	when := func(name string, conditions ...seccomp.Condition) {
		allow.NamesWithCondtions = append(allow.NamesWithCondtions, seccomp.NameWithConditions{Name: name, Conditions: conditions})
	}
	equal := func(argument uint32, value uint64) seccomp.Condition {
		return seccomp.Condition{Argument: argument, Operation: seccomp.Equal, Value: value}
	}
	for _, name := range []string{"kill", "tgkill"} {
		when(name, equal(0, uint64(pid)))
	}
	// limits can be read
	when("prlimit64", equal(0, 0), equal(2, 0))
	// no locks, no signals to owners, no sizes of pipes
	for _, command := range []uint64{unix.F_DUPFD, unix.F_DUPFD_CLOEXEC, unix.F_GETFD, unix.F_SETFD, unix.F_GETFL, unix.F_SETFL} {
		when("fcntl", equal(1, command))
	}
	for _, request := range []uint64{unix.TCGETS, unix.TIOCGWINSZ, fionbio, fioclex, fionclex} {
		when("ioctl", equal(1, request))
	}
	if st.Threads {
		for _, flags := range newThread {
			when("clone", equal(0, flags))
		}
	}
	// What clone3 is asked cannot be seen. C libraries use clone where it is missing.
	missing := seccomp.SyscallGroup{Names: []string{"clone3"}, Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)}
	return seccomp.Policy{
		DefaultAction: seccomp.ActionErrno,
		Syscalls:      []seccomp.SyscallGroup{allow, missing},
	}
}

// filter returns the filter as the kernel takes it. All of it is made before memory
// is limited.
func (st *stage) filter() ([]bpf.RawInstruction, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, err
	}
	policy := st.policy(os.Getpid(), info.SyscallNames)
	program, err := policy.Assemble()
	if err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	return bpf.Assemble(program)
}

// load filters the calling thread's system calls from now on.
func load(filter []bpf.RawInstruction) error {
	program := struct {
		len    uint16
		filter *bpf.RawInstruction // has the layout of struct sock_filter
	}{uint16(len(filter)), &filter[0]}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	return nil
}
