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
