//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package blockstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// openFlags keep the opening of a pipe from waiting.
const openFlags = syscall.O_NONBLOCK

// tryLock takes the lock of a file, which ends when the file is closed or the
// process dies. It returns false if somebody else has it, and errNoLocks where the
// file system knows no locks.
func tryLock(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return false, fmt.Errorf("%w: %w", errNoLocks, err)
		}
	}
}

// unlock gives the lock of a file back.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// checkOwner reports what makes a folder one that others may write to.
func checkOwner(info fs.FileInfo) error {
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("others than its owner may write to it (chmod go-w would end that)")
	}
	me := os.Geteuid()
	if s, ok := info.Sys().(*syscall.Stat_t); ok && me != 0 && s.Uid != 0 && int(s.Uid) != me {
		return fmt.Errorf("it belongs to the user with the number %d", s.Uid)
	}
	return nil
}
