//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	lsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// becomeNobody gives up user, groups and capabilities of the calling thread.
//
// Note: the functions of package syscall change all threads, and cannot in programs with
// cgo, as tests with the race detector are.
func (st *stage) becomeNobody() error {
	for capability := uintptr(0); ; capability++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) { // after the last one
			break
		}
		if errors.Is(err, unix.EPERM) && st.Tier == Landlock && os.Geteuid() != 0 {
			break // an ordinary user has none, and no_new_privs keeps it so
		}
		if err != nil {
			return fmt.Errorf("capabilities: %w", err)
		}
	}
	if st.User >= 0 {
		user := uintptr(st.User)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
			return fmt.Errorf("setgroups: %w", errno)
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, user, user, user); errno != 0 {
			return fmt.Errorf("setresgid: %w", errno)
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, user, user, user); errno != 0 {
			return fmt.Errorf("setresuid: %w", errno)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

// minLandlock is the first version that knows of truncation, Linux 6.2.
const minLandlock = 3

// restrictFiles lets the calling thread read what the interpreter needs. In namespaces it
// is a second wall, and does as much as the kernel knows.
func (st *stage) restrictFiles() error {
	if version, err := lsys.LandlockGetABIVersion(); st.Tier == Landlock && (err != nil || version < minLandlock) {
		return fmt.Errorf("version %d of Landlock is needed (Linux 6.2), and there is %d", minLandlock, version)
	}
	var files, folders []string
	for _, path := range st.Reads {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.IsDir() {
			folders = append(folders, path)
		} else {
			files = append(files, path)
		}
	}
	rules := []landlock.Rule{
		landlock.RODirs(folders...), landlock.ROFiles(files...),
		landlock.RWFiles(devices[0]).IgnoreIfMissing(), landlock.ROFiles(devices[1:]...).IgnoreIfMissing(),
	}
	if st.Tier == Namespaces {
		rules = append(rules, landlock.RWDirs(scratch))
	}
	ruleset, flags, err := landlock.V11.BestEffort().NewRulesetFD(rules...)
	if err != nil {
		return err
	}
	if ruleset < 0 {
		return nil // of an old kernel, in namespaces
	}
	if err := lsys.LandlockRestrictSelf(ruleset, flags); err != nil {
		return fmt.Errorf("landlock_restrict_self: %w", err)
	}
	return unix.Close(ruleset)
}

// limit sets limits of resources, soft and hard ones. Go's own memory is beyond that of
// address space: nothing may follow that needs more.
func (st *stage) limit() error {
	limits := []struct {
		resource int
		most     uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_CPU, st.CPU},
		{unix.RLIMIT_FSIZE, 1 << 20},
		{unix.RLIMIT_NOFILE, 64},
		{unix.RLIMIT_STACK, 64 << 20},
		{unix.RLIMIT_MEMLOCK, 0},
		{unix.RLIMIT_MSGQUEUE, 0},
		{unix.RLIMIT_NPROC, 64},
		{unix.RLIMIT_AS, st.Memory},
	}
	for _, l := range limits {
		if l.resource == unix.RLIMIT_NPROC && !st.Threads {
			continue // of an ordinary user it counts all processes
		}
		var old unix.Rlimit
		if err := unix.Prlimit(0, l.resource, nil, &old); err != nil {
			return fmt.Errorf("prlimit: %w", err)
		}
		most := min(l.most, old.Max)
		if err := unix.Prlimit(0, l.resource, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
			return fmt.Errorf("prlimit: %w", err)
		}
	}
	return nil
}
