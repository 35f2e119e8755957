//go:build unix

package mmap

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A pipe without a writer must be refused, not waited for.
func TestOpenPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, unix.Mknod(path, unix.S_IFIFO|0o600, 0))
	_, err := Open(path)
	assert.ErrorContains(t, err, "not a regular file")
}
