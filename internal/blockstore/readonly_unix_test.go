//go:build unix

package blockstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadOnly: what is in a folder that cannot be written to is found, and the rest
// kept in memory. It runs in a process that is not root's, for whom no folder is
// read-only.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	s := Open(Options{Dir: dir})
	k := single(1)
	s.Put(k, blobOf(k, 100))
	path := s.disk.path(k)
	s.Close()
	require.NoError(t, os.Remove(filepath.Join(dir, lockName)))
	for p := filepath.Dir(path); ; p = filepath.Dir(p) {
		require.NoError(t, os.Chmod(p, 0o555))
		defer os.Chmod(p, 0o700)
		if p == dir {
			break
		}
	}
	require.NoError(t, os.Chmod(path, 0o444))
	// Root's process becomes one that may not pass the folders of tests.
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o711))
	for p := filepath.Dir(dir); os.Geteuid() == 0 && p != filepath.Dir(p); p = filepath.Dir(p) {
		if info, err := os.Stat(p); err != nil || info.Mode()&0o001 == 0 {
			t.Skipf("%s is for its owner alone", p)
		}
	}
	c, out := start(t, "read only", dir, 0)
	text, err := io.ReadAll(out)
	require.NoError(t, err)
	require.NoError(t, c.Wait(), string(text))
	require.Equal(t, []string{path}, files(t, dir))
}

// readOnly checks a folder that cannot be written to.
func readOnly(dir string) error {
	if os.Geteuid() == 0 {
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
	}
	s := Open(Options{Dir: dir, Memory: 1 << 20})
	defer s.Close()
	if err := s.Stats().Err; !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("error at opening: %v", err)
	}
	for i := range 4 {
		k := single(i)
		b, ok := s.Get(k, 100)
		if ok != (i == 1) || ok && !bytes.Equal(blobOf(k, 100), b) {
			return fmt.Errorf("blob %d: %v", i, ok)
		}
		s.Put(k, blobOf(k, 100))
		if b, ok = s.Get(k, 100); !ok || !bytes.Equal(blobOf(k, 100), b) {
			return fmt.Errorf("blob %d is not in memory", i)
		}
	}
	return nil
}
