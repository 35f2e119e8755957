package disk

import (
	"errors"
	"fmt"
	"os"
)

var (
	// ErrLocked is returned, wrapped, for a file that another process has locked.
	ErrLocked = errors.New("in use by another process")

	// ErrNoLocks is returned, wrapped, where the system or the file system knows no locks.
	ErrNoLocks = errors.New("no locks of files")
)

// Lock opens a file for reading and writing, which is made if it is not there, and locks
// it as TryLock does. Where there are no locks, the file is open without one.
//
// Note: a lock file must never be removed. Whoever opened it before would have a lock that
// nobody else sees.
func Lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	if locked, err := TryLock(f); !locked && err == nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, ErrLocked)
	}
	return f, nil
}

// TryLock locks a file against other processes, and against whoever else of this one
// opened it, until Unlock, until it is closed, or until the process dies. It returns false
// if somebody else has the lock.
func TryLock(f *os.File) (bool, error) { return tryLock(f) }

// Unlock gives the lock of a file back.
func Unlock(f *os.File) { unlock(f) }
