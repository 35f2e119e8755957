package hub

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// TestForeign: files that no pull brought, or that somebody changed since, are not lost, and
// nothing is fetched before that is known.
func TestForeign(t *testing.T) {
	for name, text := range map[string]string{
		"of another size": "mine", "of the same size": `{"model_type": "mine"}`,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			dir := t.TempDir()
			path := filepath.Join(dir, "config.json")
			put(t, path, text)
			_, err := Pull(t.Context(), h.options(dir))
			require.ErrorIs(t, err, ErrOption)
			assert.ErrorContains(t, err, path+" is there, is another")
			assert.Equal(t, text, content(t, path))
			asked, _ := h.count()
			assert.Zero(t, asked)

			require.NoError(t, os.Remove(path))
			_, err = Pull(t.Context(), h.options(dir))
			require.NoError(t, err)
			put(t, path, text)
			require.NoError(t, os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)))
			for _, verify := range []bool{false, true} {
				o := h.options(dir)
				o.Verify = verify
				_, err = Pull(t.Context(), o)
				require.ErrorIs(t, err, ErrOption, "changed since")
				assert.Equal(t, text, content(t, path))
			}
			o := h.options(dir)
			o.Replace = true
			result, err := Pull(t.Context(), o)
			require.NoError(t, err)
			h.pulled(dir, result)
		})
	}
}

// TestOurs: what a pull brought is replaced by another revision's, though its time is another,
// but not by the file of another repository.
func TestOurs(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	_, err := Pull(t.Context(), h.options(dir))
	require.NoError(t, err)
	for _, name := range wanted {
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), time.Unix(1, 0), time.Unix(1, 0)))
	}
	h.files["config.json"], h.files["two.safetensors"] = []byte("{}"), noise(3, 1000)
	h.commit = strings.Repeat("ab", 20)
	result, err := Pull(t.Context(), h.options(dir))
	require.NoError(t, err)
	h.pulled(dir, result)
	assert.Equal(t, []string{"config.json", "two.safetensors"}, states(result))

	state := filepath.Join(dir, stateFolder)
	m, err := readManifest(state)
	require.NoError(t, err)
	m.find("config.json").Repo = "other/tiny.model"
	require.NoError(t, m.write(state))
	_, err = Pull(t.Context(), h.options(dir))
	require.NoError(t, err, "the same file")
	m.find("config.json").Repo = "other/tiny.model"
	require.NoError(t, m.write(state))
	h.files["config.json"] = []byte("[]")
	_, err = Pull(t.Context(), h.options(dir))
	require.ErrorIs(t, err, ErrOption)
	assert.Equal(t, "{}", content(t, filepath.Join(dir, "config.json")))
}

// TestLinks: no link that is in the folder takes anything out of it.
func TestLinks(t *testing.T) {
	h := newHub(t)
	dir, outside := t.TempDir(), t.TempDir()
	put(t, filepath.Join(outside, "mine"), "mine")
	if err := os.Symlink(outside, filepath.Join(dir, "sub")); err != nil {
		t.Skip(err)
	}
	o := h.options(dir)
	o.Include = []string{"sub/*"}
	_, err := Pull(t.Context(), o)
	require.ErrorContains(t, err, "sub is there and not a folder")
	assert.Equal(t, []string{"mine"}, list(t, outside))

	state := filepath.Join(dir, stateFolder)
	config := h.files["config.json"]
	base := partialBase(state, &remote{Name: "config.json", Size: int64(len(config)), Blob: blob(config)})
	for _, name := range []string{filepath.Join(dir, "config.json"), filepath.Join(state, manifestFile), filepath.Join(state, manifestFile+partialEnd), base + partialEnd, base + journalEnd} {
		require.NoError(t, os.Symlink(filepath.Join(outside, "mine"), name))
	}
	o = h.options(dir)
	o.Replace = true
	result, err := Pull(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "sub")))
	h.pulled(dir, result)
	assert.Equal(t, "mine", content(t, filepath.Join(outside, "mine")))
}

// TestOthersStay: a pull of some files leaves what another has begun to fetch of the commit,
// and removes what was of others.
func TestOthersStay(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	begin := func() {
		ctx, cancel := context.WithCancel(t.Context())
		o := h.options(dir)
		o.Include, o.Parallel = []string{large}, 1
		o.Progress = func(_ Stage, done, _ int64) {
			if done > 2*testChunk {
				cancel()
			}
		}
		_, err := Pull(ctx, o)
		require.ErrorIs(t, err, context.Canceled)
	}
	begin()
	o := h.options(dir)
	o.Include = []string{"config.json"}
	_, err := Pull(t.Context(), o)
	require.NoError(t, err)
	assert.Len(t, list(t, filepath.Join(dir, stateFolder)), 4, "lock, manifest, partial and journal")
	h.files[large], h.commit = noise(7, 4*testChunk), strings.Repeat("ab", 20)
	_, err = Pull(t.Context(), o)
	require.NoError(t, err)
	assert.Len(t, list(t, filepath.Join(dir, stateFolder)), 2)
}

// TestPullMany: the manifest has all of many small files though it is not written for each,
// after a failure too.
func TestPullMany(t *testing.T) {
	h := newHub(t)
	for i := range 200 {
		h.files[fmt.Sprintf("tokenizer%d.json", i)] = fmt.Appendf(nil, "%d", i)
	}
	o := h.options(t.TempDir())
	wrote := 0
	o.step = func(what string) {
		if what == "manifest" {
			wrote++
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(_ Stage, done, _ int64) {
		if done > 250 {
			cancel()
		}
	}
	o.Include = []string{"tokenizer?*.json"}
	_, err := Pull(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
	m, err := readManifest(filepath.Join(o.Folder, stateFolder))
	require.NoError(t, err)
	assert.Len(t, m.Files, len(list(t, o.Folder))-1)
	o.Progress = nil
	result, err := Pull(t.Context(), o)
	require.NoError(t, err)
	assert.Len(t, result.Files, 200)
	assert.Less(t, wrote, 50)
}
