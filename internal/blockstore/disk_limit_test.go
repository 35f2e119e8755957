package blockstore

import (
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	locks "lladakit/internal/disk"
)

// TestDiskFull: writing ends at the first failure, wherever in the file, and leaves
// nothing behind. What is there stays readable.
func TestDiskFull(t *testing.T) {
	const size = 100
	for fails := range 2 {
		for _, short := range []int{0, 1, 50} {
			dir := t.TempDir()
			s := Open(Options{Dir: dir, Memory: 2 * bytesOf(size)})
			s.Put(single(0), blobOf(single(0), size))
			writes := 0
			s.disk.write = func(f *os.File, p []byte) (int, error) {
				if writes++; writes <= fails {
					return f.Write(p)
				}
				n, err := f.Write(p[:short])
				require.NoError(t, err)
				return n, &fs.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
			}
			for i := 1; i < 10; i++ {
				s.Put(single(i), blobOf(single(i), size))
				requireBlob(t, s, single(i), size)
			}
			require.Equal(t, fails+1, writes, "no more after the first")
			require.ErrorIs(t, s.Stats().Err, syscall.ENOSPC)
			require.ErrorContains(t, s.Stats().Err, dir+": ")
			require.Len(t, files(t, dir), 1)
			require.Equal(t, fileSize(size), s.Stats().Disk)
			requireBlob(t, s, single(0), size)
			s.Close()
		}
	}
}

// TestFolderEmptied: somebody deletes everything under a running store.
func TestFolderEmptied(t *testing.T) {
	dir := t.TempDir()
	s := Open(Options{Dir: dir})
	defer s.Close()
	k := single(1)
	for range 3 {
		s.Put(k, blobOf(k, 10))
		requireBlob(t, s, k, 10)
		folder, _ := place(k)
		require.NoError(t, os.RemoveAll(filepath.Join(dir, folder)))
		_, ok := s.Get(k, 10)
		require.False(t, ok)
	}
	require.NoError(t, s.Stats().Err)
	require.NoError(t, os.RemoveAll(dir))
	s.Put(k, blobOf(k, 10))
	_, ok := s.Get(k, 10)
	require.False(t, ok)
	require.Error(t, s.Stats().Err)
}

// TestDiskLimit: one process never exceeds the limit, and deletes what was used
// longest ago.
func TestDiskLimit(t *testing.T) {
	const size = 500
	for _, limit := range []int64{fileSize(size) - 1, fileSize(size), 3*fileSize(size) + 1, 40 * fileSize(size)} {
		dir := t.TempDir()
		s := Open(Options{Dir: dir, Disk: limit})
		start := time.Now().Add(-time.Hour)
		for i := range 60 {
			k := single(i)
			s.Put(k, blobOf(k, size))
			require.LessOrEqual(t, bytesIn(t, dir), limit)
			require.Equal(t, bytesIn(t, dir), s.Stats().Disk)
			if limit < fileSize(size) {
				require.Zero(t, s.Stats().Disk)
				continue
			}
			if int64(i+1)*fileSize(size) <= limit {
				require.Zero(t, s.Stats().Pruned)
			}
			requireBlob(t, s, k, size)
			at := start.Add(time.Duration(i) * time.Second)
			require.NoError(t, os.Chtimes(s.disk.path(k), at, at))
		}
		// The last ones are there, without a gap.
		n := len(files(t, dir))
		require.Equal(t, uint64(max(0, 60-n)), s.Stats().Pruned+60*boolToInt(n == 0))
		for i := 60 - n; i < 60; i++ {
			requireBlob(t, s, single(i), size)
		}
		if limit > 10*fileSize(size) {
			require.Greater(t, n, 30)
		}
		// One that needs most of the room gets it.
		if large := int(limit*3/4) - headerSize; large > 0 {
			s.Put(single(-1), blobOf(single(-1), large))
			requireBlob(t, s, single(-1), large)
			require.LessOrEqual(t, bytesIn(t, dir), limit)
		}
		s.Close()
	}
}

func boolToInt(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// TestDiskOrder: of chains the ends are deleted first, and use counts, of blobs that
// are in memory, too.
func TestDiskOrder(t *testing.T) {
	const size = 100
	dir := t.TempDir()
	s := Open(Options{Dir: dir, Memory: 1 << 20})
	defer s.Close()
	a, b := chain(1, 8), chain(2, 8)
	for _, k := range append(slices.Clone(a), b...) {
		s.Put(k, blobOf(k, size))
	}
	times := func(keys []Key) (all []time.Time) {
		for _, k := range keys {
			info, err := os.Stat(s.disk.path(k))
			require.NoError(t, err)
			all = append(all, info.ModTime())
		}
		return all
	}
	descending := func(times []time.Time) bool {
		return slices.IsSortedFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	}
	require.True(t, descending(times(a)))
	require.True(t, descending(times(b)))
	require.True(t, times(b)[7].After(times(a)[0]))

	before := times(a)
	requireBlob(t, s, a[0], size)
	require.Equal(t, before, times(a), "noted a moment ago")
	for _, e := range s.memory.entries {
		e.touched = e.touched.Add(-2 * touchEvery)
	}
	for _, k := range a {
		requireBlob(t, s, k, size)
	}
	require.True(t, descending(times(a)))
	require.True(t, times(a)[7].After(times(b)[0]))

	// Half of everything has to go: the ends of b, and with b all gone those of a.
	for want := 15; want >= 0; want-- {
		s.disk.mu.Lock()
		s.disk.limit = int64(want) * fileSize(size)
		s.disk.prune(0)
		s.disk.mu.Unlock()
		for _, keys := range [][]Key{a, b} {
			there := 0
			for i, k := range keys {
				if _, err := os.Stat(s.disk.path(k)); err == nil {
					require.Equal(t, i, there, "a gap")
					there++
				}
			}
			if &keys[0] == &a[0] && there < 8 {
				require.LessOrEqual(t, len(files(t, dir)), 8, "a goes after b")
			}
		}
	}
	require.Empty(t, files(t, dir))
}

// TestChainLargerThanDisk: its beginning stays.
func TestChainLargerThanDisk(t *testing.T) {
	const size = 100
	dir := t.TempDir()
	keys := chain(1, 40)
	for range 3 {
		s := Open(Options{Dir: dir, Disk: 16 * fileSize(size)})
		found := 0
		for i, k := range keys {
			if _, ok := s.Get(k, size); ok {
				require.Equal(t, i, found, "a gap")
				found++
			} else {
				s.Put(k, blobOf(k, size))
			}
			require.LessOrEqual(t, bytesIn(t, dir), 16*fileSize(size))
		}
		s.Close()
	}
	s := Open(Options{Dir: dir})
	defer s.Close()
	for _, k := range keys[:14] {
		requireBlob(t, s, k, size)
	}
}

// TestFutureTimes: files of a clock that was wrong do not stay for ever.
func TestFutureTimes(t *testing.T) {
	const size = 100
	dir := t.TempDir()
	s := Open(Options{Dir: dir, Disk: 2 * fileSize(size)})
	defer s.Close()
	s.Put(single(1), blobOf(single(1), size))
	future := time.Now().Add(1000 * time.Hour)
	require.NoError(t, os.Chtimes(s.disk.path(single(1)), future, future))
	s.Put(single(2), blobOf(single(2), size))
	s.Put(single(3), blobOf(single(3), size))
	_, ok := s.Get(single(1), size)
	require.False(t, ok)
	requireBlob(t, s, single(3), size)
}

// TestTemporaries: those of the dead are deleted, those of the living are not.
func TestTemporaries(t *testing.T) {
	dir := t.TempDir()
	living := Open(Options{Dir: dir})
	defer living.Close()
	k := single(1)
	folder, name := place(k)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, folder), 0o700))
	dead := filepath.Join(dir, name+".0123456789abcdef"+temporarySuffix)
	require.NoError(t, os.WriteFile(dead, []byte("half a blo"), 0o600))
	f, temporary, err := living.disk.temporary(name)
	require.NoError(t, err)
	defer f.Close()

	s := Open(Options{Dir: dir})
	defer s.Close()
	assert.Zero(t, s.Stats().Disk)
	if _, err := locks.TryLock(f); err != nil { // no locks here: age tells
		require.Len(t, files(t, dir), 2)
		old := time.Now().Add(-2 * abandoned)
		require.NoError(t, os.Chtimes(dead, old, old))
		s.disk.scan()
	}
	require.Equal(t, []string{filepath.Join(dir, filepath.FromSlash(temporary))}, files(t, dir))
}

// TestCleanedWhileWriting: a temporary file deleted under its writer is a blob lost,
// and no more.
func TestCleanedWhileWriting(t *testing.T) {
	if goruntime.GOOS == "windows" {
		t.Skip("open files cannot be deleted")
	}
	dir := t.TempDir()
	s := Open(Options{Dir: dir})
	defer s.Close()
	s.disk.write = func(f *os.File, p []byte) (int, error) {
		for _, path := range files(t, dir) {
			require.NoError(t, os.Remove(path))
		}
		return f.Write(p)
	}
	s.Put(single(1), blobOf(single(1), 10))
	_, ok := s.Get(single(1), 10)
	require.False(t, ok)
	require.Equal(t, Stats{Misses: 1}, s.Stats())
	s.disk.write = nil
	s.Put(single(1), blobOf(single(1), 10))
	requireBlob(t, s, single(1), 10)
}

// TestPrunedByOther: while another process prunes, nothing waits, and the limit
// holds.
func TestPrunedByOther(t *testing.T) {
	const size = 100
	dir := t.TempDir()
	s := Open(Options{Dir: dir, Disk: 2 * fileSize(size)})
	defer s.Close()
	other := Open(Options{Dir: dir})
	defer other.Close()
	locked, err := locks.TryLock(other.disk.lock)
	if err != nil {
		t.Skip(err)
	}
	require.True(t, locked)
	for i := range 5 {
		s.Put(single(i), blobOf(single(i), size))
	}
	require.Len(t, files(t, dir), 2)
	require.Zero(t, s.Stats().Pruned)
	locks.Unlock(other.disk.lock)
	s.Put(single(4), blobOf(single(4), size))
	requireBlob(t, s, single(4), size)
	require.NoError(t, s.Stats().Err)
}
