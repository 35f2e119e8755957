package disk_test

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/disk"
)

func TestCheckSpace(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, disk.CheckSpace(dir, 0))
	require.NoError(t, disk.CheckSpace(filepath.Join(dir, "missing"), math.MaxUint64), "a system that does not say is believed")
	if runtime.GOOS == "linux" || runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		err := disk.CheckSpace(dir, math.MaxUint64)
		require.ErrorIs(t, err, disk.ErrSpace)
		assert.ErrorContains(t, err, dir)
	}
}

func TestCreatePartial(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.gguf")
	a, err := disk.CreatePartial(path)
	require.NoError(t, err)
	defer a.Close()
	b, err := disk.CreatePartial(path)
	require.NoError(t, err)
	defer b.Close()
	assert.NotEqual(t, a.Name(), b.Name())
	assert.Equal(t, dir, filepath.Dir(a.Name()))
	assert.NoFileExists(t, path)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), nil, 0o666))
	want, err := os.Stat(filepath.Join(dir, "other"))
	require.NoError(t, err)
	got, err := a.Stat()
	require.NoError(t, err)
	assert.Equal(t, want.Mode(), got.Mode())
}

func TestCreatePartialOverOthers(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, os.DevNull} {
		_, err := disk.CreatePartial(path)
		require.ErrorContains(t, err, "not a regular file", path)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}
