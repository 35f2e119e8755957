package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock is false if somebody else has the lock. It locks one byte far behind the end,
// since on Windows a locked byte cannot be read by others.
func tryLock(f *os.File) bool {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
	return !errors.Is(err, windows.ERROR_LOCK_VIOLATION)
}
