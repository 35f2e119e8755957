package convert_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/quant"
)

// A conversion that is interrupted after any step leaves nothing, and what was
// there before.
func TestWriteInterrupted(t *testing.T) {
	dir := large().write(t)
	for _, size := range []uint64{0, 100_000} {
		steps := 0
		opt := convert.Options{Recipe: quant.Plain(gguf.Q4_0), Threads: 2, SplitSize: size, Progress: func(done, total int64) { steps++ }}
		_, r := convertTo(t, dir, opt)
		require.Greater(t, steps, len(toyTensors))
		require.Equal(t, size > 0, len(r.Paths) > 1)
		for stop := 0; stop <= steps; stop += 5 {
			if steps-stop < 5 {
				stop = steps // the last weight is written, the file has no name yet
			}
			ctx, cancel := context.WithCancel(t.Context())
			step := 0
			opt.Progress = func(int64, int64) {
				if step++; step == stop {
					cancel()
				}
			}
			if stop == 0 {
				cancel()
			}
			out := t.TempDir()
			old := map[string]string{}
			for _, p := range r.Paths {
				p = filepath.Join(out, filepath.Base(p))
				old[p] = "old"
				require.NoError(t, os.WriteFile(p, []byte("old"), 0o666))
			}
			c, err := convert.Open(dir)
			require.NoError(t, err)
			p, err := c.Plan(opt)
			require.NoError(t, err)
			_, err = p.Write(ctx, filepath.Join(out, "out.gguf"))
			assert.ErrorIs(t, err, context.Canceled, "after %d steps", stop)
			assert.Equal(t, old, contents(t, out), "after %d steps", stop)
			require.NoError(t, c.Close())
			cancel()
		}
	}
}

// An error in the last shard leaves none of the others.
func TestWriteSplitError(t *testing.T) {
	f := toy()
	put(f, "lm_head.weight", 1535, 0x7fc0)
	refused(t, f.write(t), convert.Options{SplitSize: 1}, "lm_head.weight", "1 weights are not finite")
}

// Should one of the names be impossible at the very end, the files that have
// theirs already go too: a part of a model is no model.
func TestWriteRenameError(t *testing.T) {
	c, err := convert.Open(toy().write(t))
	require.NoError(t, err)
	defer c.Close()
	out := t.TempDir()
	p, err := c.Plan(convert.Options{SplitSize: 1, Progress: func(done, total int64) {
		if done == total {
			assert.NoError(t, os.Mkdir(filepath.Join(out, "x-00003-of-00026.gguf"), 0o777))
		}
	}})
	require.NoError(t, err)
	_, err = p.Write(t.Context(), filepath.Join(out, "x.gguf"))
	assert.ErrorContains(t, err, "x-00003-of-00026.gguf")
	assert.Empty(t, contents(t, out))
}

func TestWriteReplaces(t *testing.T) {
	dir := toy().write(t)
	want, _ := convertTo(t, dir, convert.Options{})
	out := t.TempDir()
	path := filepath.Join(out, "x.gguf")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	_, err := run(t, dir, path, convert.Options{})
	require.NoError(t, err)
	whole, err := os.ReadFile(want)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{path: string(whole)}, contents(t, out))
}

// The file has the permissions of any new file, not those of a temporary one.
func TestWritePermissions(t *testing.T) {
	path, _ := convertTo(t, toy().write(t), convert.Options{})
	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, os.WriteFile(plain, nil, 0o666))
	want, err := os.Stat(plain)
	require.NoError(t, err)
	got, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, want.Mode(), got.Mode())
}

func TestWriteRefusesTargets(t *testing.T) {
	f := toy()
	f.extra["generation_config.json"] = "{}"
	dir := f.write(t)
	other := t.TempDir()
	link := filepath.Join(other, "link.gguf")
	require.NoError(t, os.Symlink(filepath.Join(dir, shard1), link))
	hard := filepath.Join(other, "hard.gguf")
	require.NoError(t, os.Link(filepath.Join(dir, shard2), hard))
	before, beforeOther := contents(t, dir), contents(t, other)
	for path, want := range map[string]string{
		"":                                "the output has no name",
		dir:                               "is not a regular file",
		dir + "/":                         "is not a regular file",
		filepath.Join(dir, shard1):        "is a file of the checkpoint",
		filepath.Join(dir, shard2):        "is a file of the checkpoint",
		filepath.Join(dir, "config.json"): "is a file of the checkpoint",
		filepath.Join(dir, "generation_config.json"): "is a file of the checkpoint",
		filepath.Join(dir, index):                    "is a file of the checkpoint",
		filepath.Join(dir, ".", "..", "toy", shard1): "is a file of the checkpoint",
		link: "is a file of the checkpoint",
		hard: "is a file of the checkpoint",
		filepath.Join(other, "no", "folder.gguf"): "no such file or directory",
		filepath.Join(dir, shard1, "x.gguf"):      "not a directory",
	} {
		_, err := run(t, dir, path, convert.Options{Recipe: quant.Plain(gguf.Q4_0)})
		require.Error(t, err, path)
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "\n")
		assert.Equal(t, before, contents(t, dir), path)
		assert.Equal(t, beforeOther, contents(t, other), path)
	}

	// A folder where the third of the shards should be.
	out := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(out, fmt.Sprintf("x-00003-of-%05d.gguf", len(toyTensors))), 0o777))
	_, err := run(t, dir, filepath.Join(out, "x.gguf"), convert.Options{SplitSize: 1})
	assert.ErrorContains(t, err, "x-00003-of-00026.gguf is not a regular file")
	assert.Empty(t, contents(t, out))
}

// A new file in the checkpoint's own folder is allowed.
func TestWriteIntoCheckpoint(t *testing.T) {
	dir := toy().write(t)
	before := contents(t, dir)
	path := filepath.Join(dir, "out.gguf")
	_, err := run(t, dir, path, convert.Options{})
	require.NoError(t, err)
	after := contents(t, dir)
	assert.Contains(t, after, path)
	delete(after, path)
	assert.Equal(t, before, after)
}

func TestProgress(t *testing.T) {
	dir := large().write(t)
	var last, total int64
	var want int64
	for _, e := range readCheckpoint(t, dir) {
		want += int64(len(e.data))
	}
	convertTo(t, dir, convert.Options{SplitSize: 100_000, Progress: func(done, all int64) {
		assert.Greater(t, done, last)
		last, total = done, all
	}})
	assert.Equal(t, want, total)
	assert.Equal(t, total, last)
}

// One plan may be written several times, even at once.
func TestWriteConcurrently(t *testing.T) {
	c, err := convert.Open(large().write(t))
	require.NoError(t, err)
	defer c.Close()
	p, err := c.Plan(convert.Options{Recipe: quant.Plain(gguf.Q8_0), Threads: 3})
	require.NoError(t, err)
	out := t.TempDir()
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			_, err := p.Write(t.Context(), filepath.Join(out, fmt.Sprint(i)))
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	files := contents(t, out)
	require.Len(t, files, 3)
	assert.Equal(t, files[filepath.Join(out, "0")], files[filepath.Join(out, "1")])
	assert.Equal(t, files[filepath.Join(out, "0")], files[filepath.Join(out, "2")])
}

// The result of a file with holes is larger than any disk here.
func TestWriteWithoutSpace(t *testing.T) {
	f := toy()
	f.config["vocab_size"], f.config["hidden_size"] = 1<<20, 1<<20
	dir := sparse(t, f)
	err := refused(t, dir, convert.Options{}, "not enough free disk space", "MiB needed")
	assert.ErrorIs(t, err, convert.ErrSpace)
}
