package convert_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/internal/tiny"
	"lladakit/quant"
)

// tinyCheckpoint opens the embedded trained checkpoint.
func tinyCheckpoint(t testing.TB) *convert.Checkpoint {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	require.NoError(t, tiny.Unpack(dir))
	c, err := convert.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// uneven returns an importance by which the first expert of every layer does
// half of the work, and one matrix matters a thousand times more than others.
func uneven(c *convert.Checkpoint) *quant.Importance {
	r := rand.New(rand.NewPCG(3, 4))
	m := &quant.Importance{Entries: map[string]*quant.Columns{}}
	for _, t := range c.Config.Tensors() {
		if t.Exact() || t.GGUF == "token_embd.weight" {
			continue
		}
		e := &quant.Columns{Cols: t.Shape[len(t.Shape)-1], Sensitivity: 0.01}
		if t.GGUF == "blk.0.attn_output.weight" {
			e.Sensitivity = 10
		}
		for i := range len(t.HF) {
			e.Counts = append(e.Counts, 100)
			e.Shares2 = append(e.Shares2, 1)
			if i == 0 && len(t.HF) > 1 {
				e.Shares2[0] = float32(len(t.HF) - 1)
			}
			for range e.Cols {
				e.Sum2 = append(e.Sum2, 100*r.Float32())
			}
		}
		m.Entries[t.GGUF] = e
	}
	return m
}

// TestFit requires that files keep to their sizes, that more room means less
// error, that the recipe alone makes the same file again, from the checkpoint
// and from a GGUF file of it, and that the importance is heard.
func TestFit(t *testing.T) {
	c := tinyCheckpoint(t)
	exact := filepath.Join(t.TempDir(), "exact.gguf")
	plan, err := c.Plan(convert.Options{Recipe: quant.Plain(gguf.BF16)})
	require.NoError(t, err)
	_, err = plan.Write(t.Context(), exact)
	require.NoError(t, err)
	source, err := convert.OpenGGUF(exact, false)
	require.NoError(t, err)
	defer source.Close()

	opt := convert.Options{Importance: uneven(c)}
	last := 0.0
	for _, size := range []uint64{2_200_000, 4_000_000} {
		b, err := c.Fit(t.Context(), opt, size)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, b.Gap, 0.0)
		assert.Less(t, b.Gap, 0.05)
		if last != 0 {
			assert.Less(t, b.Error, last)
		}
		last = b.Error

		made := opt
		made.Recipe = b.Recipe
		first := written(t, c, made)
		assert.EqualValues(t, b.Bytes, len(first))
		assert.LessOrEqual(t, uint64(len(first)), size)
		assert.Greater(t, uint64(len(first)), size*98/100)

		text, err := b.Recipe.Marshal()
		require.NoError(t, err)
		again, err := quant.ReadRecipe(bytes.NewReader(text))
		require.NoError(t, err)
		made.Recipe = *again
		assert.True(t, bytes.Equal(first, written(t, c, made)), "made by the recipe file")

		if size == 2_200_000 {
			checkUneven(t, b)
			other, err := source.Fit(t.Context(), opt, size)
			require.NoError(t, err)
			assert.Equal(t, b.Recipe, other.Recipe)
		}
	}
	_, err = c.Fit(t.Context(), opt, 500_000)
	require.ErrorIs(t, err, quant.ErrBudget)
}

// checkUneven requires that a recipe follows the importance of uneven.
func checkUneven(t *testing.T, b *convert.Budget) {
	types := map[string][]gguf.Type{}
	for _, f := range b.Recipe.Fixed {
		types[f.Name] = f.Types
	}
	bits := func(typ gguf.Type) float64 {
		n, bytes := typ.Block()
		return 8 * float64(bytes) / float64(n)
	}
	assert.Greater(t, bits(types["blk.0.attn_output.weight"][0]), bits(types["blk.1.attn_output.weight"][0]))
	gate := types["blk.1.ffn_gate_exps.weight"]
	require.Len(t, gate, 16)
	for _, typ := range gate[1:] {
		assert.Greater(t, bits(gate[0]), bits(typ))
	}
}

// TestFitKeepsWishes requires that formats given by name are not chosen again.
func TestFitKeepsWishes(t *testing.T) {
	c := tinyCheckpoint(t)
	wish := quant.Fixed{Name: "output.weight", Types: []gguf.Type{gguf.Q8_0}}
	b, err := c.Fit(t.Context(), convert.Options{Recipe: quant.Recipe{Fixed: []quant.Fixed{wish}}}, 2_000_000)
	require.NoError(t, err)
	assert.Equal(t, wish, b.Recipe.Fixed[0])
	plan, err := c.Plan(convert.Options{Recipe: b.Recipe})
	require.NoError(t, err)
	for _, x := range plan.Tensors {
		if x.Name == "output.weight" {
			assert.Equal(t, gguf.Q8_0, x.Type)
		}
	}
}

// written returns the file of a plan.
func written(t testing.TB, c *convert.Checkpoint, opt convert.Options) []byte {
	t.Helper()
	plan, err := c.Plan(opt)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "out.gguf")
	_, err = plan.Write(t.Context(), path)
	require.NoError(t, err)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}
