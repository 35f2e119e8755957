package runtime_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/quant"
	"lladakit/runtime"
)

// packed loads a file in one way and returns the logits of a window.
func packed(t *testing.T, path string, pack runtime.Pack, ids []int) [][]float32 {
	t.Helper()
	m, err := runtime.Load(path, runtime.LoadOptions{Pack: pack})
	require.NoError(t, err)
	defer m.Close()
	if pack != "" {
		require.Equal(t, pack, m.Packed)
	}
	return logits(t, m, ids, 32)
}

// TestPack requires that where the weights lie changes no bit, with types per
// expert, too.
func TestPack(t *testing.T) {
	c := golden(t)[0]
	ids := c.Expected.Logits.IDs
	experts, err := quant.ParseExpertRule("experts=0-2:q8_0 3-4:q4_1 rest:q4_0")
	require.NoError(t, err)
	mixed := quant.Plain(gguf.Q5_0)
	mixed.Experts = []quant.ExpertRule{experts}
	for name, recipe := range map[string]quant.Recipe{"q4_0": quant.Plain(gguf.Q4_0), "q8_0": quant.Plain(gguf.Q8_0), "mixed": mixed} {
		path := convertGolden(t, c.Dir, recipe)
		want := packed(t, path, runtime.PackNone, ids)
		require.Equal(t, want, packed(t, path, runtime.PackMemory, ids), name)
		require.Equal(t, want, packed(t, path, "", ids), name)
		require.Equal(t, want, packed(t, path, runtime.PackFile, ids), name)

		// The second load maps the same file, unless the model has changed.
		info, err := os.Stat(path + ".packed")
		require.NoError(t, err)
		require.Equal(t, want, packed(t, path, runtime.PackFile, ids), name)
		again, err := os.Stat(path + ".packed")
		require.NoError(t, err)
		require.True(t, os.SameFile(info, again), name)
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)))
		require.Equal(t, want, packed(t, path, runtime.PackFile, ids), name)
		again, err = os.Stat(path + ".packed")
		require.NoError(t, err)
		require.False(t, os.SameFile(info, again), name)

		// A torn file is written anew.
		require.NoError(t, os.Truncate(path+".packed", info.Size()-1))
		require.Equal(t, want, packed(t, path, runtime.PackFile, ids), name)
	}
}

// A file that was packed for one implementation is not used by another that
// interleaves other numbers of rows.
func TestPackOfAnotherImplementation(t *testing.T) {
	c := golden(t)[0]
	ids := c.Expected.Logits.IDs
	path := convertGolden(t, c.Dir, quant.Plain(gguf.Q4_0))
	for _, name := range append(kernels.Implementations(), kernels.Implementations()...) {
		restore, err := kernels.Use(name)
		require.NoError(t, err)
		require.Equal(t, packed(t, path, runtime.PackNone, ids), packed(t, path, runtime.PackFile, ids), name)
		restore()
	}
}

func convertGolden(t *testing.T, dir string, recipe quant.Recipe) string {
	t.Helper()
	c, err := convert.Open(dir)
	require.NoError(t, err)
	defer c.Close()
	plan, err := c.Plan(convert.Options{Recipe: recipe})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "model.gguf")
	_, err = plan.Write(t.Context(), path)
	require.NoError(t, err)
	return path
}

func TestPackInterrupted(t *testing.T) {
	path := convertGolden(t, golden(t)[0].Dir, quant.Plain(gguf.Q4_0))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := runtime.LoadContext(ctx, path, runtime.LoadOptions{Pack: runtime.PackFile, Progress: func(int64, int64) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, left, 1)
}

func TestParsePack(t *testing.T) {
	for _, name := range []string{"", "memory", "file", "none"} {
		p, err := runtime.ParsePack(name)
		require.NoError(t, err)
		assert.EqualValues(t, name, p)
	}
	_, err := runtime.ParsePack("disk")
	require.ErrorContains(t, err, "is not one of memory, file, none")
}
