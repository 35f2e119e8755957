package convert_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/quant"
)

// requantized writes a file made of a GGUF file and returns its bytes.
func requantized(t testing.TB, path string, again bool, opt convert.Options) []byte {
	t.Helper()
	g, err := convert.OpenGGUF(path, again)
	require.NoError(t, err)
	defer g.Close()
	plan, err := g.Plan(opt)
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "out.gguf")
	_, err = plan.Write(t.Context(), out)
	require.NoError(t, err)
	data, err := os.ReadFile(out)
	require.NoError(t, err)
	return data
}

// TestRequantize requires that the way over an exact GGUF file, split or not,
// ends in the same bytes as the direct one.
func TestRequantize(t *testing.T) {
	c := tinyCheckpoint(t)
	experts, err := quant.ParseExpertRule("experts=top25%:q8_0 rest:q4_0")
	require.NoError(t, err)
	direct := convert.Options{Recipe: quant.Recipe{Target: quant.Plain(gguf.Q4_0).Target, Experts: []quant.ExpertRule{experts}}, Importance: uneven(c)}
	want := written(t, c, direct)
	for name, opt := range map[string]convert.Options{
		"f32": {}, "bf16": {Recipe: quant.Plain(gguf.BF16)}, "split": {Recipe: quant.Plain(gguf.BF16), SplitSize: 1 << 20},
	} {
		plan, err := c.Plan(opt)
		require.NoError(t, err)
		r, err := plan.Write(t.Context(), filepath.Join(t.TempDir(), "exact.gguf"))
		require.NoError(t, err)
		if opt.SplitSize > 0 {
			require.Greater(t, len(r.Paths), 3)
		}
		assert.True(t, bytes.Equal(want, requantized(t, r.Paths[0], false, direct)), name)
	}
}

// TestRequantizeQuantized requires that a quantized source is refused unless it
// is asked for, and that a file with several types of experts is a source like
// others: to its own recipe it gives its own values.
func TestRequantizeQuantized(t *testing.T) {
	c := tinyCheckpoint(t)
	experts, err := quant.ParseExpertRule("experts=0-3:q8_0 rest:q4_0")
	require.NoError(t, err)
	recipe := quant.Recipe{Target: quant.Plain(gguf.Q4_0).Target, Pure: true, Experts: []quant.ExpertRule{experts}}
	path := filepath.Join(t.TempDir(), "mixed.gguf")
	require.NoError(t, os.WriteFile(path, written(t, c, convert.Options{Recipe: recipe}), 0o600))

	_, err = convert.OpenGGUF(path, false)
	require.ErrorIs(t, err, convert.ErrRequantize)
	require.ErrorContains(t, err, "token_embd.weight")

	wide := filepath.Join(t.TempDir(), "wide.gguf")
	require.NoError(t, os.WriteFile(wide, requantized(t, path, true, convert.Options{}), 0o600))
	a, b := open(t, path), open(t, wide)
	for _, tensor := range c.Config.Tensors() {
		if len(tensor.Shape) < 3 {
			continue
		}
		mixed, err := tensor.FindExperts(a)
		require.NoError(t, err)
		plain, err := tensor.FindExperts(b)
		require.NoError(t, err)
		for e := range mixed {
			want := gguf.Q4_0
			if e < 4 {
				want = gguf.Q8_0
			}
			require.Equal(t, want, mixed[e].Tensor.Type, "%s %d", tensor.GGUF, e)
			require.Equal(t, gguf.F32, plain[e].Tensor.Type)
			values := make([]float32, tensor.Shape[1]*tensor.Shape[2])
			quant.Dequantize(want, values, mixed[e].Data)
			back := make([]byte, 4*len(values))
			quant.Quantize(gguf.F32, back, values, nil)
			require.True(t, bytes.Equal(back, plain[e].Data), "%s %d", tensor.GGUF, e)
		}
	}
}

// TestRequantizeOwnFile requires that a source is never written over.
func TestRequantizeOwnFile(t *testing.T) {
	c := tinyCheckpoint(t)
	path := filepath.Join(t.TempDir(), "exact.gguf")
	require.NoError(t, os.WriteFile(path, written(t, c, convert.Options{}), 0o600))
	g, err := convert.OpenGGUF(path, false)
	require.NoError(t, err)
	defer g.Close()
	plan, err := g.Plan(convert.Options{Recipe: quant.Plain(gguf.Q8_0)})
	require.NoError(t, err)
	_, err = plan.Write(t.Context(), path)
	require.ErrorContains(t, err, "is a file of the checkpoint")
}
