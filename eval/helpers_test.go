package eval_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/internal/tiny"
	"lladakit/internal/tokenizer"
	"lladakit/quant"
	"lladakit/runtime"
)

// load converts the trained checkpoint and loads it.
func load(t testing.TB, opt convert.Options) *runtime.Model {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, tiny.Unpack(filepath.Join(dir, "tiny")))
	c, err := convert.Open(filepath.Join(dir, "tiny"))
	require.NoError(t, err)
	defer c.Close()
	plan, err := c.Plan(opt)
	require.NoError(t, err)
	path := filepath.Join(dir, "model.gguf")
	_, err = plan.Write(t.Context(), path)
	require.NoError(t, err)
	m, err := runtime.Load(path, runtime.LoadOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

func plain(typ gguf.Type) convert.Options { return convert.Options{Recipe: quant.Plain(typ)} }

// problems returns prompts of held-out problems from on, in turn of each kind.
func problems(t testing.TB, m *runtime.Model, from, n int) [][]int32 {
	t.Helper()
	words, err := tiny.WordProblems()
	require.NoError(t, err)
	codes, err := tiny.CodeProblems()
	require.NoError(t, err)
	var all [][]int32
	for i := range n {
		user := words[from+i/2].User()
		if i%2 == 1 {
			user = codes[from+i/2].User()
		}
		ids, err := m.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: user}})
		require.NoError(t, err)
		all = append(all, ids)
	}
	return all
}

func settings(m *runtime.Model) runtime.Options {
	opt := m.Defaults()
	opt.GenLength = 96
	return opt
}
