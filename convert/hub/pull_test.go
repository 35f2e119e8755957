package hub

import (
	"context"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/disk"
)

func states(r *Result) (fetched []string) {
	for _, f := range r.Files {
		if f.State == Fetched {
			fetched = append(fetched, f.Name)
		}
	}
	return fetched
}

func TestPull(t *testing.T) {
	h := newHub(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	o := h.options(dir)
	var last [2]int64
	o.Progress = func(_ Stage, done, total int64) {
		assert.LessOrEqual(t, done, total)
		last = [2]int64{done, total}
	}
	result, err := Pull(t.Context(), o)
	require.NoError(t, err)
	h.pulled(dir, result)
	assert.Equal(t, []any{testRepo, "main", testCommit, dir}, []any{result.Repo, result.Revision, result.Commit, result.Folder})
	assert.Equal(t, wanted, states(result))
	var total int64
	for _, f := range result.Files {
		total += f.Size
	}
	assert.Equal(t, [2]int64{total, total}, last)

	// What is there is not asked for again, hashed or not.
	asked, stored := h.count()
	for _, verify := range []bool{false, true} {
		o.Verify = verify
		var hashed atomic.Int64
		o.Progress = func(stage Stage, done, _ int64) {
			assert.Equal(t, Checking, stage)
			hashed.Store(done)
		}
		result, err = Pull(t.Context(), o)
		require.NoError(t, err)
		h.pulled(dir, result)
		assert.Empty(t, states(result))
		assert.Equal(t, map[bool]int64{true: total}[verify], hashed.Load())
	}
	a, s := h.count()
	assert.Equal(t, []int{asked, stored}, []int{a, s})
}

// TestPullThere: files that somebody else put there are used if they are right, and replaced
// only by who asks for it if they are not; --verify finds what a time does not show.
func TestPullThere(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, large), h.files[large], 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"model_type": "TINY"}`), 0o666))
	o := h.options(dir)
	o.Replace = true
	result, err := Pull(t.Context(), o)
	require.NoError(t, err)
	h.pulled(dir, result)
	assert.NotContains(t, states(result), large)
	assert.Contains(t, states(result), "config.json")

	path := filepath.Join(dir, large)
	info, err := os.Stat(path)
	require.NoError(t, err)
	bad := slices.Clone(h.files[large])
	bad[77] ^= 1
	require.NoError(t, os.WriteFile(path, bad, 0o666))
	require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	o = h.options(dir)
	o.Verify = true
	result, err = Pull(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, []string{large}, states(result))
	h.pulled(dir, result)
}

func TestPullRevision(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	_, err := Pull(t.Context(), h.options(dir))
	require.NoError(t, err)
	h.commit = strings.Repeat("ab", 20)
	h.files["config.json"] = []byte(`{"model_type": "tiny2"}`)
	h.files["two.safetensors"] = noise(3, 1000)
	result, err := Pull(t.Context(), h.options(dir))
	require.NoError(t, err)
	h.pulled(dir, result)
	assert.Equal(t, []string{"config.json", "two.safetensors"}, states(result))

	h.files["two.safetensors"] = noise(4, 1000)
	delete(h.files, "README.md")
	o := h.options(dir)
	o.Include = []string{"config.json"}
	o.Revision = h.commit
	result, err = Pull(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, []string{"README.md", "two.safetensors"}, result.Stale)

	o.Revision = testCommit
	_, err = Pull(t.Context(), o)
	require.ErrorIs(t, err, ErrHub, "the hub answers with another commit")
}

// TestPullInterrupted: what an interrupted pull brought is not fetched again, and damage to it
// is found.
func TestPullInterrupted(t *testing.T) {
	for _, damage := range []bool{false, true} {
		h := newHub(t)
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		o := h.options(dir)
		o.Include, o.Parallel = []string{large}, 1
		var total int64
		o.Progress = func(_ Stage, done, all int64) {
			if total = all; done > 3*testChunk {
				cancel()
			}
		}
		_, err := Pull(ctx, o)
		require.ErrorIs(t, err, context.Canceled)
		assert.NoFileExists(t, filepath.Join(dir, large))
		if damage {
			parts, err := filepath.Glob(filepath.Join(dir, stateFolder, "*"+partialEnd))
			require.NoError(t, err)
			i := slices.IndexFunc(parts, func(p string) bool { return filepath.Base(p) != manifestFile+partialEnd })
			data, err := os.ReadFile(parts[i])
			require.NoError(t, err)
			data[5] ^= 1
			require.NoError(t, os.WriteFile(parts[i], data, 0o666))
		}
		first := total
		o.Progress = func(_ Stage, _, all int64) { total = all }
		_, err = Pull(t.Context(), o)
		require.NoError(t, err)
		h.sound(dir)
		assert.FileExists(t, filepath.Join(dir, large))
		if damage {
			assert.Greater(t, total, first, "it came once more")
		} else {
			assert.Less(t, total, first-2*testChunk)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := filepath.Join(t.TempDir(), "x")
	_, err := Pull(ctx, newHub(t).options(dir))
	require.ErrorIs(t, err, context.Canceled)
	assert.NoDirExists(t, dir)
}

func TestPullLocked(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	var once sync.Once
	o := h.options(dir)
	o.step = func(string) {
		once.Do(func() {
			_, err := Pull(t.Context(), h.options(dir))
			assert.ErrorIs(t, err, disk.ErrLocked)
		})
	}
	_, err := Pull(t.Context(), o)
	require.NoError(t, err)
}

func TestPullSpace(t *testing.T) {
	if goruntime.GOOS != "linux" && goruntime.GOOS != "darwin" {
		t.Skip("the system does not say what room there is")
	}
	h := newHub(t)
	for i := range 15 {
		h.files[strconv.Itoa(i)+".safetensors"] = nil
	}
	h.listed = func(all []map[string]any) {
		for _, f := range all {
			if lfs, ok := f["lfs"].(map[string]any); ok && f["rfilename"] != large && f["rfilename"] != "two.safetensors" {
				f["size"], lfs["size"] = maxSize, maxSize
			}
		}
	}
	dir := t.TempDir()
	_, err := Pull(t.Context(), h.options(dir))
	require.ErrorIs(t, err, disk.ErrSpace)
	asked, _ := h.count()
	assert.Zero(t, asked)
	h.files["15.safetensors"], h.files["16.safetensors"] = nil, nil
	_, err = Pull(t.Context(), h.options(dir))
	require.ErrorIs(t, err, ErrHub)
	assert.ErrorContains(t, err, "16 TiB")
}

// TestPullGated: the list of a gated repository is public, and its files are not.
func TestPullGated(t *testing.T) {
	h := newHub(t)
	h.gated = true
	dir := t.TempDir()
	_, err := Pull(t.Context(), h.options(dir))
	require.ErrorIs(t, err, ErrUnavailable)
	assert.ErrorContains(t, err, "accept its licence at "+h.endpoint.URL+"/"+testRepo+" with the account of the token")
	assert.NoFileExists(t, filepath.Join(dir, "config.json"))
}

// TestPullEnds: nothing of a pull runs on, however it ended, and no connection stays.
func TestPullEnds(t *testing.T) {
	h := newHub(t, whole, torn(100, whole), plain)
	before := goruntime.NumGoroutine()
	for _, after := range []int64{0, 1, testChunk, 3 * testChunk, 1 << 30} {
		h.mu.Lock()
		h.stored = 0
		h.mu.Unlock()
		ctx, cancel := context.WithCancel(t.Context())
		o := h.options(t.TempDir())
		o.Progress = func(_ Stage, done, _ int64) {
			if done > after {
				cancel()
			}
		}
		_, err := Pull(ctx, o)
		assert.Equal(t, after < 1<<30, err != nil, "%v", err)
		cancel()
	}
	// One is that which looks.
	assert.Eventually(t, func() bool { return goruntime.NumGoroutine() <= before+1 }, 10*time.Second, 5*time.Millisecond)
}

func TestPullOver(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, large), 0o777))
	_, err := Pull(t.Context(), h.options(dir))
	require.ErrorContains(t, err, "is there and not a file")
	assert.DirExists(t, filepath.Join(dir, large))
}
