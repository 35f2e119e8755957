// Package disk writes files that have their names only when they are complete,
// after a look at whether there is room for them.
package disk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// ErrSpace is returned, wrapped, when a disk cannot hold what is to be written.
var ErrSpace = errors.New("not enough free disk space")

// CheckSpace returns an error unless dir's file system says that need bytes may be
// written to it, or does not say.
func CheckSpace(dir string, need uint64) error {
	if free, ok := free(dir); ok && free < need {
		return fmt.Errorf("%s: %w: %d MiB needed, %d MiB free", dir, ErrSpace, need>>20, free>>20)
	}
	return nil
}

// Partial returns a name beside path for what will have that name, which nothing
// else has.
func Partial(path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%016x.partial", filepath.Base(path), rand.Uint64()))
}

// CreatePartial creates the file Partial(path), for whoever may have files made here. It
// returns an error if path is there and anything but a regular file: a device such as
// /dev/null would be replaced, and a folder cannot be, which is better known now than
// when the file is complete.
//
// Note: os.CreateTemp would make a file that only its owner can read.
func CreatePartial(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is there and not a regular file", path)
	}
	return os.OpenFile(Partial(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}
