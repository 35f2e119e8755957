package blockstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// chain returns the keys of n blocks of a text with the given number.
func chain(text, n int) []Key {
	k, keys := Root([]byte("test")), []Key{}
	for i := range n {
		k = Chain(k, 1, []int32{int32(text), int32(i)})
		keys = append(keys, k)
	}
	return keys
}

// single returns the key of a blob that stands alone.
func single(i int) Key { return Root(binary.LittleEndian.AppendUint64(nil, uint64(i))) }

// blobOf returns what belongs to a key: other bytes for every key.
func blobOf(k Key, size int) []byte {
	rng := rand.New(rand.NewChaCha8(k.sum))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// has returns which of the keys a store has, with the right blobs. It asks the
// memory alone, and changes no order.
func (m *memory) has(keys []Key) (has []bool) {
	for _, k := range keys {
		has = append(has, m.entries[k.sum] != nil)
	}
	return has
}

// requireBlob requires the store to have a key's blob.
func requireBlob(t testing.TB, s *Store, k Key, size int) {
	t.Helper()
	b, ok := s.Get(k, size)
	require.True(t, ok)
	require.Equal(t, blobOf(k, size), b)
}

// files returns the paths of all files under a folder, but for the lock.
func files(t testing.TB, dir string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != lockName {
			all = append(all, path)
		}
		return err
	}))
	return all
}

// bytesIn returns the length of all files under a folder.
func bytesIn(t testing.TB, dir string) (n int64) {
	t.Helper()
	for _, path := range files(t, dir) {
		if info, err := os.Stat(path); err == nil { // another process may delete
			n += info.Size()
		}
	}
	return n
}

func (d *disk) path(k Key) string {
	_, name := place(k)
	return filepath.Join(d.dir, filepath.FromSlash(name))
}

func TestStore(t *testing.T) {
	const size = 1000
	for _, opt := range []Options{
		{},
		{Memory: 1 << 20},
		{Dir: "disk"},
		{Memory: 1 << 20, Dir: "both"},
		{Memory: 1 << 20, Dir: "small", Disk: fileSize(size) - 1},
		{Memory: bytesOf(size) - 1, Dir: "tiny"},
	} {
		t.Run(fmt.Sprintf("%+v", opt), func(t *testing.T) {
			keeps := opt.Memory >= bytesOf(size)
			stores := opt.Dir != "" && opt.Disk == 0
			if opt.Dir != "" {
				opt.Dir = filepath.Join(t.TempDir(), opt.Dir, "deep")
			}
			s := Open(opt)
			keys := chain(1, 3)
			want := Stats{}
			for _, k := range keys {
				_, ok := s.Get(k, size)
				require.False(t, ok)
				mine := blobOf(k, size)
				s.Put(k, mine)
				clear(mine) // the store has its own
				s.Put(k, blobOf(k, size))
				b, ok := s.Get(k, size)
				require.Equal(t, keeps || stores, ok)
				want.Misses++
				switch {
				case keeps:
					want.Hits++
					want.Memory += bytesOf(size)
				case stores:
					want.DiskHits++
				default:
					want.Misses++
				}
				if stores {
					want.Disk += fileSize(size)
				}
				if ok {
					require.Equal(t, blobOf(k, size), b)
				}
			}
			require.Equal(t, want, s.Stats())
			if opt.Dir != "" {
				require.Equal(t, want.Disk, bytesIn(t, opt.Dir))
			}
			s.Close()
			s.Close()
			_, ok := s.Get(keys[0], size)
			require.False(t, ok)
			s.Put(keys[0], blobOf(keys[0], size))
			want.Misses++
			require.Equal(t, want, s.Stats())

			s = Open(opt)
			defer s.Close()
			require.Equal(t, Stats{Disk: want.Disk}, s.Stats())
			for range 2 {
				for _, k := range keys {
					b, ok := s.Get(k, size)
					require.Equal(t, stores, ok)
					if ok {
						require.Equal(t, blobOf(k, size), b)
					}
				}
			}
			if stores && keeps {
				require.Equal(t, uint64(3), s.Stats().DiskHits)
				require.Equal(t, uint64(3), s.Stats().Hits)
			}
		})
	}
}

func TestEmptyBlob(t *testing.T) {
	dir := t.TempDir()
	for _, opt := range []Options{{Memory: 1 << 10}, {Dir: dir}} {
		s := Open(opt)
		s.Put(single(1), nil)
		b, ok := s.Get(single(1), 0)
		require.True(t, ok)
		require.Empty(t, b)
		s.Close()
	}
}

// TestOtherSize: a blob of another size is not what is looked for, and does not stay
// in the way of the one that is.
func TestOtherSize(t *testing.T) {
	for _, opt := range []Options{{Memory: 1 << 20}, {Dir: t.TempDir()}, {Memory: 1 << 20, Dir: t.TempDir()}} {
		s := Open(opt)
		for _, size := range []int{100, 99, 101, 0} {
			k := single(1)
			_, ok := s.Get(k, size)
			require.False(t, ok)
			s.Put(k, blobOf(k, size))
			requireBlob(t, s, k, size)
		}
		s.Put(single(1), blobOf(single(1), 7)) // without asking before
		requireBlob(t, s, single(1), 7)
		s.Close()
	}
}

// TestNoPredecessor: a block without the one before is of no use and not kept.
func TestNoPredecessor(t *testing.T) {
	dir := t.TempDir()
	s := Open(Options{Memory: 1 << 20, Dir: dir})
	defer s.Close()
	keys := chain(1, 3)
	s.Put(keys[2], blobOf(keys[2], 10))
	s.Put(keys[1], blobOf(keys[1], 10))
	require.Zero(t, s.Stats().Memory)
	require.Empty(t, files(t, dir))
	for _, k := range keys {
		s.Put(k, blobOf(k, 10))
	}
	require.Len(t, files(t, dir), 3)
	require.NoError(t, os.Remove(s.disk.path(keys[0])))
	other := Open(Options{Memory: 1 << 20, Dir: dir})
	defer other.Close()
	requireBlob(t, other, keys[1], 10)
	require.Zero(t, other.Stats().Memory)
}

// TestConcurrent is for the race detector: goroutines use the same and different
// keys of two stores in one folder, with limits that drop much.
func TestConcurrent(t *testing.T) {
	const size, limit = 300, 40 * 512
	dir := t.TempDir()
	stores := []*Store{
		Open(Options{Memory: 10 * bytesOf(size), Dir: dir, Disk: limit}),
		Open(Options{Memory: 10 * bytesOf(size), Dir: dir, Disk: limit}),
	}
	var g sync.WaitGroup
	for w := range 8 {
		g.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 3))
			s := stores[w%2]
			for range 150 {
				for _, k := range chain(rng.IntN(10), 1+rng.IntN(6)) {
					b, ok := s.Get(k, size)
					if !ok {
						s.Put(k, blobOf(k, size))
					} else if !bytes.Equal(blobOf(k, size), b) {
						t.Error("another blob")
					}
				}
				s.Stats()
			}
		})
	}
	g.Wait()
	hits := uint64(0)
	for _, s := range stores {
		st := s.Stats()
		assert.NoError(t, st.Err)
		assert.Zero(t, st.Damaged)
		assert.LessOrEqual(t, st.Memory, 10*bytesOf(size))
		hits += st.Hits + st.DiskHits
		checkMemory(t, &s.memory)
		s.Close()
	}
	assert.Positive(t, hits)
	assert.LessOrEqual(t, bytesIn(t, dir), int64(limit+limit/16+4*fileSize(size)))
	for _, path := range files(t, dir) {
		assert.NotContains(t, path, temporarySuffix)
	}
}

// TestCloseWaits: operations that run while the store is closed end well.
func TestCloseWaits(t *testing.T) {
	dir := t.TempDir()
	for range 20 {
		s := Open(Options{Memory: 1 << 16, Dir: dir})
		var g sync.WaitGroup
		for w := range 4 {
			g.Go(func() {
				for i := range 20 {
					k := single(i + w)
					if b, ok := s.Get(k, 50); ok {
						assert.Equal(t, blobOf(k, 50), b)
					}
					s.Put(k, blobOf(k, 50))
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		s.Close()
		g.Wait()
		assert.NoError(t, s.Stats().Err)
		assert.Zero(t, s.Stats().Damaged)
	}
}
