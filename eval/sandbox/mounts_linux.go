//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	// scratch is what a program may write.
	scratch = "/tmp"

	// mountPoint is where the new root is put together. It is on every machine, and
	// nothing in it is needed.
	mountPoint = "/proc"
)

var devices = []string{"/dev/null", "/dev/zero", "/dev/urandom"}

// newRoot leaves in sight what the interpreter reads, three devices and an empty folder
// to write. There is no /proc.
func (st *stage) newRoot() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV
	if err := unix.Mount("root", mountPoint, "tmpfs", flags, "size=1m,nr_inodes=4k,mode=755"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	for _, path := range st.Reads {
		if err := bind(path, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV); err != nil {
			return err
		}
	}
	for _, path := range devices {
		if err := bind(path, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC); err != nil {
			return err
		}
	}
	tmp := mountPoint + scratch
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmp", tmp, "tmpfs", flags|unix.MS_NOEXEC, "size=16m,nr_inodes=1k,mode=777"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	if err := unix.Chdir(mountPoint); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	// With nothing mounted below: /tmp stays writable.
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("mount_setattr: %w", err)
	}
	if err := unix.Sethostname([]byte("sandbox")); err != nil {
		return fmt.Errorf("sethostname: %w", err)
	}
	return unix.Chdir(scratch)
}

// bind shows a file or folder in the new root, with all that is mounted within.
func bind(path string, attributes uint64) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	target := filepath.Join(mountPoint, path)
	folder := target
	if !info.IsDir() {
		folder = filepath.Dir(target)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if !info.IsDir() {
		if err := os.WriteFile(target, nil, 0o444); err != nil {
			return err
		}
	}
	if err := unix.Mount(path, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount %s: %w", path, err)
	}
	err = unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attributes})
	if err != nil {
		return fmt.Errorf("mount_setattr %s: %w", path, err)
	}
	return nil
}
