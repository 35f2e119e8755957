//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package disk

import "os"

func tryLock(*os.File) (bool, error) { return false, ErrNoLocks }

func unlock(*os.File) {}
