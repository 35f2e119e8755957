package mmap

import (
	"bytes"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func TestOpen(t *testing.T) {
	page := os.Getpagesize()
	for _, size := range []int{1, 100, page - 1, page, page + 1, 5*page + 17} {
		want := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
		f, err := Open(write(t, want))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, f.Data), "size %d", size)
		assert.EqualValues(t, size, f.Info.Size())
		require.NoError(t, f.Close())
		assert.Nil(t, f.Data)
		assert.NoError(t, f.Close(), "second Close")
	}
}

func TestOpenEmpty(t *testing.T) {
	f, err := Open(write(t, nil))
	require.NoError(t, err)
	assert.Empty(t, f.Data)
	f.Release(0, 10)
	WillNeed(f.Data)
	assert.NoError(t, f.Close())
	assert.NoError(t, f.Close())
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir)
	assert.ErrorContains(t, err, "not a regular file")
	assert.ErrorContains(t, err, dir)

	_, err = Open(filepath.Join(dir, "absent"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "absent")
}

// Whatever the advice, the bytes stay as they were.
func TestAdvice(t *testing.T) {
	page := int64(os.Getpagesize())
	want := bytes.Repeat([]byte{1, 2, 3, 5, 7}, int(2*page))
	size := int64(len(want))
	f, err := Open(write(t, want))
	require.NoError(t, err)
	defer f.Close()

	edges := []int64{math.MinInt64, -1, 0, 1, page - 1, page, page + 1, 3*page + 5,
		size - page, size - 1, size, size + 1, math.MaxInt64}
	for _, off := range edges {
		for _, n := range edges {
			f.Release(off, n)
		}
	}
	for _, off := range edges {
		for _, end := range edges {
			if 0 <= off && off <= end && end <= size {
				WillNeed(f.Data[off:end])
			}
		}
	}
	assert.True(t, bytes.Equal(want, f.Data))
	require.NoError(t, f.Close())
	f.Release(0, size)
	WillNeed(f.Data)
}

// Reslicing Data must not change what Close unmaps.
func TestCloseAfterReslice(t *testing.T) {
	f, err := Open(write(t, make([]byte, 100)))
	require.NoError(t, err)
	f.Data = f.Data[10:20]
	assert.NoError(t, f.Close())
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		off, n     int64
		start, end int
		ok         bool
	}{
		{0, 10, 0, 10, true},
		{3, 4, 3, 7, true},
		{3, 100, 3, 10, true},
		{3, math.MaxInt64, 3, 10, true},
		{9, 1, 9, 10, true},
		{10, 1, 0, 0, false},
		{-1, 5, 0, 0, false},
		{0, 0, 0, 0, false},
		{0, -1, 0, 0, false},
	} {
		start, end, ok := clip(c.off, c.n, 10)
		assert.Equal(t, []any{c.start, c.end, c.ok}, []any{start, end, ok}, "%+v", c)
	}
}
