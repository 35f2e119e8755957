//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package datasets

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// openFlags keep the opening from following a link that somebody laid, and from waiting
// for the other end of a pipe.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// tryLock takes the lock of a file, which ends when the file is closed or the process
// dies. It returns false if somebody else has it, and errNoLocks where the file system
// knows no locks.
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
