package disk_test

import (
	"path/filepath"
	goruntime "runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/disk"
)

func TestLock(t *testing.T) {
	switch goruntime.GOOS {
	case "linux", "darwin", "windows":
	default:
		t.Skip("no locks here")
	}
	path := filepath.Join(t.TempDir(), "lock")
	f, err := disk.Lock(path)
	require.NoError(t, err)
	_, err = disk.Lock(path)
	require.ErrorIs(t, err, disk.ErrLocked)
	assert.Contains(t, err.Error(), path)
	require.NoError(t, f.Close())
	f, err = disk.Lock(path)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
