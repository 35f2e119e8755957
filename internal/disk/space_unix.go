//go:build linux || darwin

package disk

import "golang.org/x/sys/unix"

// free returns how many bytes an ordinary user may still write to the file
// system of dir; false if it does not say.
func free(dir string) (uint64, bool) {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil || s.Bsize <= 0 {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true
}
