package eval_test

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/eval"
	"lladakit/internal/gguf"
	"lladakit/quant"
	"lladakit/runtime"
)

// TestImportance compares with what can be known otherwise: the rows of all
// passes, the input of the first matrix, which is the norm of the embeddings of
// the tokens, and the sums over the experts.
func TestImportance(t *testing.T) {
	m := load(t, plain(gguf.BF16))
	opt := settings(m)
	prompts := problems(t, m, 0, 4)
	got, err := eval.Importance(t.Context(), m, prompts, opt, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 4, got.Chunks)

	cfg := &m.Config
	want := make([]float64, cfg.Hidden)
	rows, masked := 0, 0
	byShare := make([]uint64, 5)
	pass := func(ids []int32) {
		x := make([]float32, cfg.Hidden)
		n := 0
		for _, id := range ids {
			m.Weights.Embedding.Row(x, int(id))
			var sum float64
			for _, v := range x {
				sum += float64(v) * float64(v)
			}
			scale := 1 / math.Sqrt(sum/float64(cfg.Hidden)+float64(cfg.RMSEps))
			for i, v := range x {
				y := float64(v) * scale * float64(m.Weights.Layers[0].AttnNorm[i])
				want[i] += y * y
			}
			if id == m.MaskID {
				n++
			}
		}
		rows += len(ids)
		masked += n
		byShare[(n*4+31)/32] += uint64(len(ids))
	}
	for _, prompt := range prompts {
		trajectory, err := eval.Record(t.Context(), m, prompt, opt)
		require.NoError(t, err)
		for block := range slices.Chunk(prompt[:trajectory.Blocks[0].Start], 32) {
			pass(block)
		}
		for i, b := range trajectory.Blocks {
			for _, state := range b.States {
				pass(state)
			}
			if i+1 < len(trajectory.Blocks) {
				pass(b.Final)
			}
		}
	}
	assert.Equal(t, byShare, got.Rows)
	qkv := got.Entries["blk.0.attn_qkv.weight"]
	assert.Equal(t, []float32{float32(rows)}, qkv.Counts)
	for i, v := range want {
		require.InEpsilon(t, v, qkv.Sum2[i], 1e-5)
	}
	assert.Equal(t, []float32{float32(masked)}, got.Entries["output.weight"].Counts, "only masked rows have logits")
	for _, name := range []string{"gate", "up", "down"} {
		e := got.Entries["blk.2.ffn_"+name+"_exps.weight"]
		require.Len(t, e.Counts, cfg.Experts)
		var uses, shares float64
		for i, n := range e.Counts {
			uses += float64(n)
			shares += float64(e.Shares2[i])
		}
		assert.EqualValues(t, rows*cfg.ExpertsUsed, uses)
		// The weights of a row sum to the scale: their squares to its square at
		// most, and to its square over their number at least.
		square := float64(rows) * float64(cfg.ExpertScale) * float64(cfg.ExpertScale)
		assert.Less(t, shares, square)
		assert.Greater(t, shares, square/float64(cfg.ExpertsUsed))
	}
	gate, up := got.Entries["blk.2.ffn_gate_exps.weight"], got.Entries["blk.2.ffn_up_exps.weight"]
	assert.Equal(t, gate, up, "they have one input")
}

// TestSensitivity requires that measuring changes nothing, and that it foretells:
// to round the most sensitive tensor does more harm than to round the least.
func TestSensitivity(t *testing.T) {
	m := load(t, plain(gguf.BF16))
	opt := settings(m)
	prompts := problems(t, m, 0, 4)
	importance, err := eval.Importance(t.Context(), m, prompts, opt, nil)
	require.NoError(t, err)
	before := weights(m)
	last := 0
	require.NoError(t, eval.MeasureSensitivity(t.Context(), m, importance, prompts, opt, func(done, total int) {
		last = done
		assert.Equal(t, len(importance.Entries), total)
	}))
	assert.Equal(t, len(importance.Entries), last)
	assert.Equal(t, before, weights(m))

	names := slices.SortedFunc(maps.Keys(importance.Entries), func(a, b string) int {
		return cmp.Compare(importance.Entries[a].Sensitivity, importance.Entries[b].Sensitivity)
	})
	require.Positive(t, importance.Entries[names[0]].Sensitivity)
	others := problems(t, m, 10, 4)
	harm := func(name string) float64 {
		recipe := quant.Plain(gguf.BF16)
		recipe.Fixed = []quant.Fixed{{Name: name, Types: []gguf.Type{gguf.Q4_0}}}
		d, err := eval.Diverge(t.Context(), load(t, convert.Options{Recipe: recipe}), m, others, opt, nil)
		require.NoError(t, err)
		return d.All.KLD.Mean
	}
	least, most := harm(names[0]), harm(names[len(names)-1])
	t.Logf("%s %.3g, %s %.3g nats", names[0], least, names[len(names)-1], most)
	assert.Less(t, 2*least, most)
}

// weights returns where the matrices' bytes are.
func weights(m *runtime.Model) map[string][]*byte {
	all := map[string][]*byte{}
	for name, matrices := range m.Matrices() {
		for _, matrix := range matrices {
			all[name] = append(all[name], &matrix.Data[0])
		}
	}
	return all
}

func TestCover(t *testing.T) {
	m := load(t, plain(gguf.Q8_0))
	counts := make([]float32, m.Config.Experts)
	for i := range counts {
		counts[i] = eval.RareRows
	}
	counts[3], counts[5] = 0, eval.RareRows-1
	c := eval.Cover(m, &quant.Importance{Entries: map[string]*quant.Columns{"blk.2.ffn_down_exps.weight": {Counts: counts}}})
	assert.Equal(t, eval.Coverage{
		Experts: m.Config.Experts, Never: []string{"layer 2 expert 3"}, Rarely: []string{"layer 2 expert 5"},
	}, c)
}
