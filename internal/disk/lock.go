package disk

import (
	"errors"
	"fmt"
	"os"
)

// ErrLocked is returned, wrapped, for a file that another process has locked.
var ErrLocked = errors.New("in use by another process")

// Lock opens a file for reading and writing, which is made if it is not there, and locks
// it against other processes and other Locks of this one until it is closed or the process
// dies. Where the file system knows no locks, the file is open without one.
//
// Note: a lock file must never be removed. Whoever opened it before would have a lock that
// nobody else sees.
func Lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	if !tryLock(f) {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, ErrLocked)
	}
	return f, nil
}
