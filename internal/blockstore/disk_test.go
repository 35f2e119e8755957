package blockstore

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPrivate: prompts are nobody's business but their owner's.
func TestPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "cache")
	s := Open(Options{Dir: dir})
	defer s.Close()
	s.Put(single(1), blobOf(single(1), 10))
	require.Equal(t, uint64(0), s.Stats().Damaged)
	if goruntime.GOOS == "windows" {
		t.Skip("no permissions of that kind")
	}
	require.NoError(t, filepath.WalkDir(filepath.Dir(dir), func(path string, e os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := e.Info()
		require.NoError(t, err)
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		require.Equal(t, want, info.Mode().Perm(), path)
		return nil
	}))
}

// TestWritableByOthers: who can write to the folder decides what a model computes.
func TestWritableByOthers(t *testing.T) {
	if goruntime.GOOS == "windows" {
		t.Skip("no permissions of that kind")
	}
	dir := t.TempDir()
	for _, mode := range []fs.FileMode{0o770, 0o702, 0o720, 0o777} {
		require.NoError(t, os.Chmod(dir, mode))
		s := Open(Options{Dir: dir, Memory: 1 << 20})
		require.ErrorContains(t, s.Stats().Err, dir+": others than its owner may write to it")
		s.Put(single(1), blobOf(single(1), 10))
		requireBlob(t, s, single(1), 10) // from memory
		s.Close()
		require.Empty(t, files(t, dir))
	}
	require.NoError(t, os.Chmod(dir, 0o755))
	s := Open(Options{Dir: dir})
	defer s.Close()
	require.NoError(t, s.Stats().Err)
}

// TestEveryByte: a file with any byte changed, or cut, or longer, is not found,
// counted, and deleted.
func TestEveryByte(t *testing.T) {
	const size = 40
	dir, k := t.TempDir(), chain(5, 1)[0]
	s := Open(Options{Dir: dir, Version: 7})
	defer s.Close()
	s.Put(k, blobOf(k, size))
	path := s.disk.path(k)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, good, int(fileSize(size)))

	damaged := uint64(0)
	check := func(data []byte, what string) {
		t.Helper()
		require.NoError(t, os.WriteFile(path, data, 0o600))
		_, ok := s.Get(k, size)
		require.False(t, ok, what)
		damaged++
		require.Equal(t, damaged, s.Stats().Damaged, what)
		require.NoFileExists(t, path, what)
	}
	for i := range good {
		for _, bits := range []byte{1, 0x80, 0xff} {
			bad := slices.Clone(good)
			bad[i] ^= bits
			check(bad, fmt.Sprintf("byte %d", i))
		}
	}
	for n := range good {
		check(good[:n], fmt.Sprintf("cut to %d", n))
	}
	check(append(slices.Clone(good), 0), "one byte more")
	check(append(slices.Clone(good), good...), "twice")
	check(append(slices.Clone(good[:headerSize]), make([]byte, size)...), "zeros")

	require.NoError(t, os.WriteFile(path, good, 0o600))
	requireBlob(t, s, k, size)
	require.NoError(t, s.Stats().Err)
}

// TestWrongFile: whole files that are others'.
func TestWrongFile(t *testing.T) {
	const size = 40
	dir, keys := t.TempDir(), []Key{single(1), single(2)}
	s := Open(Options{Dir: dir, Version: 1})
	for _, k := range keys {
		s.Put(k, blobOf(k, size))
	}
	one, err := os.ReadFile(s.disk.path(keys[0]))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.disk.path(keys[1]), one, 0o600))
	_, ok := s.Get(keys[1], size)
	require.False(t, ok, "another key's")
	require.Equal(t, uint64(1), s.Stats().Damaged)
	require.Equal(t, fileSize(size), s.Stats().Disk)
	s.Close()

	s = Open(Options{Dir: dir, Version: 2})
	defer s.Close()
	_, ok = s.Get(keys[0], size)
	require.False(t, ok, "another version's")
	require.Equal(t, Stats{Misses: 1, Damaged: 1}, s.Stats())
	require.Empty(t, files(t, dir))
	s.Put(keys[0], blobOf(keys[0], size))
	requireBlob(t, s, keys[0], size)
}

// TestHostile: a folder full of traps. Nothing outside is read or changed, and
// nothing waits, fails or panics.
func TestHostile(t *testing.T) {
	const size = 40
	outside := t.TempDir()
	k := single(1)
	// Outside lies a whole blob of the key, under all names that could lead to it.
	s := Open(Options{Dir: outside})
	s.Put(k, blobOf(k, size))
	folder, name := place(k)
	s.Close()
	target := filepath.Join(outside, filepath.FromSlash(name))
	before, err := os.ReadFile(target)
	require.NoError(t, err)

	for what, set := range map[string]func(dir string) error{
		"file is a link out": func(dir string) error {
			return os.Symlink(target, filepath.Join(dir, filepath.FromSlash(name)))
		},
		"file is a relative link out": func(dir string) error {
			rel, err := filepath.Rel(filepath.Join(dir, folder), target)
			if err != nil {
				return err
			}
			return os.Symlink(rel, filepath.Join(dir, filepath.FromSlash(name)))
		},
		"file is a link to nothing": func(dir string) error {
			return os.Symlink("nothing", filepath.Join(dir, filepath.FromSlash(name)))
		},
		"file is a link to itself": func(dir string) error {
			return os.Symlink(filepath.Base(name), filepath.Join(dir, filepath.FromSlash(name)))
		},
		"file is a folder": func(dir string) error {
			return os.Mkdir(filepath.Join(dir, filepath.FromSlash(name)), 0o700)
		},
		"file is a full folder": func(dir string) error {
			return os.MkdirAll(filepath.Join(dir, filepath.FromSlash(name), "x"), 0o700)
		},
		"file is a pipe": func(dir string) error {
			return mkfifo(filepath.Join(dir, filepath.FromSlash(name)))
		},
		"folder is a link out": func(dir string) error {
			if err := os.Remove(filepath.Join(dir, folder)); err != nil {
				return err
			}
			return os.Symlink(filepath.Join(outside, folder), filepath.Join(dir, folder))
		},
		"folder is a file": func(dir string) error {
			if err := os.Remove(filepath.Join(dir, folder)); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, folder), nil, 0o600)
		},
		"lock is a link out": func(dir string) error {
			return os.Symlink(target, filepath.Join(dir, lockName))
		},
		"lock is a pipe": func(dir string) error {
			return mkfifo(filepath.Join(dir, lockName))
		},
		"lock is a folder": func(dir string) error {
			return os.Mkdir(filepath.Join(dir, lockName), 0o700)
		},
		"temporaries are links and pipes": func(dir string) error {
			at := filepath.Join(dir, filepath.FromSlash(name))
			return errorsOf(os.Symlink(target, at+".0123456789abcdef"+temporarySuffix),
				mkfifo(at+".0123456789abcdee"+temporarySuffix), os.Mkdir(at+".0123456789abcded"+temporarySuffix, 0o700))
		},
		"strange names": func(dir string) error {
			return errorsOf(os.WriteFile(filepath.Join(dir, folder, "..."), nil, 0o600),
				os.WriteFile(filepath.Join(dir, folder, "\xff\n"), nil, 0o600),
				os.WriteFile(filepath.Join(dir, folder, filepath.Base(name)+".tmp"), nil, 0o600),
				os.Mkdir(filepath.Join(dir, "zz"), 0o700),
				os.WriteFile(filepath.Join(dir, "00"), nil, 0o600))
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
			if err := set(dir); err != nil {
				t.Skip(err)
			}
			s := Open(Options{Dir: dir, Memory: 1 << 20})
			_, ok := s.Get(k, size)
			require.False(t, ok)
			s.Put(k, blobOf(k, size))
			requireBlob(t, s, k, size)
			t.Log(s.Stats())
			s.disk.mu.Lock()
			s.disk.limit = 1 // everything is deleted
			s.disk.mu.Unlock()
			if s.disk.lock != nil {
				s.disk.mu.Lock()
				s.disk.prune(0)
				s.disk.mu.Unlock()
			}
			s.Close()
			after, err := os.ReadFile(target)
			require.NoError(t, err)
			require.Equal(t, before, after)
			require.Len(t, files(t, outside), 1)
		})
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestUnusable: a folder that cannot be made is said, and memory goes on.
func TestUnusable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{file, filepath.Join(file, "below"), "a\x00b"} {
		s := Open(Options{Dir: dir, Memory: 1 << 20})
		require.ErrorContains(t, s.Stats().Err, dir)
		s.Put(single(1), blobOf(single(1), 10))
		requireBlob(t, s, single(1), 10)
		_, ok := s.Get(single(2), 10)
		require.False(t, ok)
		s.Close()
	}
}
