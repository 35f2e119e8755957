package quant

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
)

// The published models, and one whose experts have rows of 64 weights.
var models = map[string]arch.Config{
	"mini": {
		Vocab: 157184, Hidden: 2048, Layers: 20, Heads: 16, KVHeads: 4, HeadDim: 128,
		DenseLayers: 1, DenseFF: 5120, Experts: 256, ExpertFF: 512, Shared: 1, SharedFF: 512,
	},
	"flash": {
		Vocab: 157184, Hidden: 4096, Layers: 32, Heads: 32, KVHeads: 4, HeadDim: 128,
		DenseLayers: 1, DenseFF: 9216, Experts: 256, ExpertFF: 1024, Shared: 1, SharedFF: 1024,
	},
	"tiny": {
		Vocab: 1024, Hidden: 256, Layers: 4, Heads: 4, KVHeads: 2, HeadDim: 64,
		DenseLayers: 1, DenseFF: 512, Experts: 16, ExpertFF: 64, Shared: 1, SharedFF: 64,
	},
}

// classify returns the tensors of a model as a caller would describe them.
func classify(model string) []Tensor {
	c := models[model]
	var out []Tensor
	for _, at := range c.Tensors() {
		t := Tensor{Name: at.GGUF, Class: Other, Layer: at.Layer, Layers: c.Layers, Rows: 1}
		t.Cols = at.Shape[len(at.Shape)-1]
		if n := len(at.Shape); n >= 2 {
			t.Rows = at.Shape[n-2]
		}
		if len(at.Shape) == 3 {
			t.Experts = at.Shape[0]
		}
		switch at.Role {
		case arch.TokenEmbedding:
			t.Class = Embedding
		case arch.Head:
			t.Class = Output
		case arch.AttnQKV:
			t.Class = ValueLike
		case arch.DenseDown, arch.ExpertDown, arch.SharedDown:
			t.Class = Down
		}
		if at.Exact() {
			t.Class = Exact
		}
		switch at.Role {
		case arch.ExpertGate:
			t.Matrix = "gate"
		case arch.ExpertUp:
			t.Matrix = "up"
		case arch.ExpertDown:
			t.Matrix = "down"
		}
		out = append(out, t)
	}
	return out
}

// planned is the outcome for a model, by the tensors' names.
func planned(t *testing.T, model string, r *Recipe, usage Usage) map[string]Choice {
	t.Helper()
	tensors := classify(model)
	choices, err := r.Plan(tensors, usage)
	require.NoError(t, err)
	require.Len(t, choices, len(tensors))
	out := map[string]Choice{}
	for i, c := range choices {
		require.True(t, wholeBlocks(c.Type, tensors[i].Cols))
		out[tensors[i].Name] = c
	}
	return out
}

func target(t *testing.T, name string) Target {
	t.Helper()
	x, err := ParseTarget(name)
	require.NoError(t, err)
	return x
}

func ptr[T any](v T) *T { return &v }

// layersOf returns the layers whose tensor of the given pattern has type typ.
func layersOf(c map[string]Choice, pattern string, layers int, typ gguf.Type) []int {
	var out []int
	for l := range layers {
		if got, ok := c[fmt.Sprintf(pattern, l)]; ok && got.Type == typ {
			out = append(out, l)
		}
	}
	return out
}

func TestTargets(t *testing.T) {
	assert.Equal(t, "f32 f16 bf16 q4_0 q4_1 q5_0 q5_1 q8_0 q2_k q3_k q4_k q5_k q6_k iq4_nl mxfp4 q4_k_s q4_k_m q5_k_s q5_k_m",
		strings.Join(TargetNames(), " "))
	for i, name := range TargetNames() {
		for _, s := range []string{name, strings.ToUpper(name)} {
			got, err := ParseTarget(s)
			require.NoError(t, err)
			assert.Equal(t, Target(i), got)
			assert.Equal(t, name, got.String())
		}
		typ, err := gguf.ParseType(name)
		assert.Equal(t, i < plainTargets, err == nil, name)
		if err == nil {
			assert.Equal(t, typ, Target(i).Base())
		}
	}
	assert.Equal(t, gguf.Q4_K, target(t, "Q4_K_M").Base())
	assert.Equal(t, gguf.Q5_K, target(t, "q5_k_s").Base())
	assert.Equal(t, "f32", Target(0).String())
	assert.Equal(t, "target(99)", Target(99).String())
	for _, s := range []string{"", "q4", "q4_k_l", "iq4_xs", "i8", "q4_0 "} {
		_, err := ParseTarget(s)
		require.ErrorContains(t, err, fmt.Sprintf("type %q is not one of f32, f16, ", s))
		assert.ErrorContains(t, err, "q5_k_m")
	}
}

// The numbers of llama.h.
func TestFileType(t *testing.T) {
	for name, want := range map[string]uint32{
		"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q3_k": 11,
		"q4_k": 14, "q4_k_s": 14, "q4_k_m": 15, "q5_k": 16, "q5_k_s": 16, "q5_k_m": 17, "q6_k": 18,
		"iq4_nl": 25, "bf16": 32, "mxfp4": 38,
	} {
		assert.Equal(t, want, target(t, name).FileType(), name)
	}
}

func TestMoreBits(t *testing.T) {
	layers := func(n int) (out []int) {
		for i := range n {
			if (place{i, n}).moreBits() {
				out = append(out, i)
			}
		}
		return out
	}
	assert.Equal(t, []int{0, 1, 4, 7, 10, 13, 16, 17, 18, 19}, layers(20))
	assert.Equal(t, []int{0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31}, layers(32))
	assert.Equal(t, []int{2, 3}, layers(4))
	assert.Equal(t, []int{0}, layers(1)) // 7/8 of one layer is none
}

// The types of each class in each layer, against the table of llama.cpp's
// choices. Layers that are not listed have the base type.
func TestMixtures(t *testing.T) {
	type raised struct {
		typ    gguf.Type
		layers []int
	}
	type row struct {
		base, embedding, output gguf.Type
		value, down             raised
	}
	mini := []int{0, 1, 4, 7, 10, 13, 16, 17, 18, 19}
	flash := []int{0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31}
	none := raised{}
	uniform := func(base, output gguf.Type) row { return row{base, base, output, none, none} }
	for _, c := range []struct {
		target      string
		mini, flash row
	}{
		{"f32", uniform(gguf.F32, gguf.F32), uniform(gguf.F32, gguf.F32)},
		{"f16", uniform(gguf.F16, gguf.F16), uniform(gguf.F16, gguf.F16)},
		{"bf16", uniform(gguf.BF16, gguf.BF16), uniform(gguf.BF16, gguf.BF16)},
		{"q8_0", uniform(gguf.Q8_0, gguf.Q8_0), uniform(gguf.Q8_0, gguf.Q8_0)},
		{"q4_0", uniform(gguf.Q4_0, gguf.Q6_K), uniform(gguf.Q4_0, gguf.Q6_K)},
		{"q4_1", uniform(gguf.Q4_1, gguf.Q6_K), uniform(gguf.Q4_1, gguf.Q6_K)},
		{"q5_0", uniform(gguf.Q5_0, gguf.Q6_K), uniform(gguf.Q5_0, gguf.Q6_K)},
		{"q5_1", uniform(gguf.Q5_1, gguf.Q6_K), uniform(gguf.Q5_1, gguf.Q6_K)},
		{"q2_k", uniform(gguf.Q2_K, gguf.Q6_K), uniform(gguf.Q2_K, gguf.Q6_K)},
		{"q3_k", uniform(gguf.Q3_K, gguf.Q6_K), uniform(gguf.Q3_K, gguf.Q6_K)},
		{"q4_k", uniform(gguf.Q4_K, gguf.Q6_K), uniform(gguf.Q4_K, gguf.Q6_K)},
		{"q5_k", uniform(gguf.Q5_K, gguf.Q6_K), uniform(gguf.Q5_K, gguf.Q6_K)},
		{"q5_k_s", uniform(gguf.Q5_K, gguf.Q6_K), uniform(gguf.Q5_K, gguf.Q6_K)},
		{"q6_k", uniform(gguf.Q6_K, gguf.Q6_K), uniform(gguf.Q6_K, gguf.Q6_K)},
		{"iq4_nl", uniform(gguf.IQ4_NL, gguf.Q6_K), uniform(gguf.IQ4_NL, gguf.Q6_K)},
		{"q4_k_s",
			row{gguf.Q4_K, gguf.Q4_K, gguf.Q6_K, raised{gguf.Q5_K, []int{0, 1, 2, 3}}, raised{gguf.Q5_K, []int{0, 1}}},
			row{gguf.Q4_K, gguf.Q4_K, gguf.Q6_K, raised{gguf.Q5_K, []int{0, 1, 2, 3}}, raised{gguf.Q5_K, []int{0, 1, 2, 3}}}},
		{"q4_k_m",
			row{gguf.Q4_K, gguf.Q4_K, gguf.Q6_K, raised{gguf.Q6_K, mini}, raised{gguf.Q6_K, mini}},
			row{gguf.Q4_K, gguf.Q4_K, gguf.Q6_K, raised{gguf.Q6_K, flash}, raised{gguf.Q6_K, flash}}},
		{"q5_k_m",
			row{gguf.Q5_K, gguf.Q5_K, gguf.Q6_K, raised{gguf.Q6_K, mini}, raised{gguf.Q6_K, mini}},
			row{gguf.Q5_K, gguf.Q5_K, gguf.Q6_K, raised{gguf.Q6_K, flash}, raised{gguf.Q6_K, flash}}},
	} {
		for model, want := range map[string]row{"mini": c.mini, "flash": c.flash} {
			t.Run(c.target+"/"+model, func(t *testing.T) {
				got := planned(t, model, &Recipe{Target: target(t, c.target)}, nil)
				for _, x := range classify(model) {
					typ := want.base
					raise := none
					switch x.Class {
					case Exact:
						typ = gguf.F32
					case Embedding:
						typ = want.embedding
					case Output:
						typ = want.output
					case ValueLike:
						raise = want.value
					case Down:
						raise = want.down
					}
					if slices.Contains(raise.layers, x.Layer) {
						typ = raise.typ
					}
					assert.Equal(t, Choice{Type: typ}, got[x.Name], x.Name)
				}
			})
		}
	}
}

// Experts alone are mxfp4, as in llama.cpp's MXFP4_MOE.
func TestMXFP4(t *testing.T) {
	got := planned(t, "mini", &Recipe{Target: target(t, "mxfp4")}, nil)
	for _, x := range classify("mini") {
		want := gguf.Q8_0
		switch {
		case x.Class == Exact:
			want = gguf.F32
		case x.Experts > 0:
			want = gguf.MXFP4
		}
		assert.Equal(t, want, got[x.Name].Type, x.Name)
	}
	pure := planned(t, "mini", &Recipe{Target: target(t, "mxfp4"), Pure: true}, nil)
	assert.Equal(t, gguf.MXFP4, pure["output.weight"].Type)
	assert.Equal(t, gguf.MXFP4, pure["blk.3.attn_qkv.weight"].Type)
}

// With an importance matrix, q4_0 and q5_0 spend a little more on the first
// eighth of the layers.
func TestWeighted(t *testing.T) {
	known := func(int) []float64 { return nil }
	for name, want := range map[string]gguf.Type{"q4_0": gguf.Q4_1, "q5_0": gguf.Q5_1} {
		r := &Recipe{Target: target(t, name)}
		got := planned(t, "mini", r, known)
		assert.Equal(t, []int{0}, layersOf(got, "blk.%d.ffn_down.weight", 20, want))
		assert.Equal(t, []int{1}, layersOf(got, "blk.%d.ffn_down_exps.weight", 20, want))
		assert.Equal(t, []int{1}, layersOf(got, "blk.%d.ffn_down_shexp.weight", 20, want))
		assert.Empty(t, layersOf(got, "blk.%d.attn_qkv.weight", 20, want))
		assert.Empty(t, layersOf(planned(t, "mini", r, nil), "blk.%d.ffn_down_exps.weight", 20, want))
	}
	for _, name := range []string{"q4_1", "q8_0", "q4_k_m", "q6_k"} {
		r := &Recipe{Target: target(t, name)}
		assert.Equal(t, planned(t, "mini", r, nil), planned(t, "mini", r, known), name)
	}
}

// Sizes of all tensors without padding. They were computed apart from this
// package, from the shapes and the table of mixtures.
func TestSizes(t *testing.T) {
	weights := map[string]uint64{"mini": 16_255_643_392, "flash": 102_889_705_216}
	for _, c := range []struct {
		model, target string
		bytes         uint64
		bits          float64
	}{
		{"mini", "f32", 65022573568, 32.000},
		{"mini", "f16", 32531397632, 16.010},
		{"mini", "q4_0", 9261358080, 4.558},
		{"mini", "q4_1", 10256587776, 5.048},
		{"mini", "q5_0", 11251817472, 5.537},
		{"mini", "q5_1", 12247047168, 6.027},
		{"mini", "q8_0", 17301158912, 8.515},
		{"mini", "q2_k", 5529246720, 2.721},
		{"mini", "q3_k", 7146494976, 3.517},
		{"mini", "q4_k", 9261358080, 4.558},
		{"mini", "q5_k", 11251817472, 5.537},
		{"mini", "q6_k", 13366680576, 6.578},
		{"mini", "iq4_nl", 9261358080, 4.558},
		{"mini", "mxfp4", 9172597760, 4.514},
		{"mini", "q4_k_s", 9299500032, 4.577},
		{"mini", "q4_k_m", 9905568768, 4.875},
		{"mini", "q5_k_s", 11251817472, 5.537},
		{"mini", "q5_k_m", 11583683584, 5.701},
		{"flash", "q4_0", 58154155008, 4.522},
		{"flash", "q8_0", 109416627200, 8.507},
		{"flash", "mxfp4", 56367070208, 4.383},
		{"flash", "q4_k_s", 58573585408, 4.554},
		{"flash", "q4_k_m", 62418975744, 4.853},
		{"flash", "q5_k_m", 73127820288, 5.686},
		{"flash", "q6_k", 84505967616, 6.571},
	} {
		tensors := classify(c.model)
		choices, err := (&Recipe{Target: target(t, c.target)}).Plan(tensors, nil)
		require.NoError(t, err)
		var bytes, count uint64
		for i := range tensors {
			x := &tensors[i]
			bytes += choices[i].Bytes(x)
			count += uint64(x.Cols) * uint64(x.Rows) * uint64(max(1, x.Experts))
		}
		assert.Equal(t, weights[c.model], count)
		assert.Equal(t, c.bytes, bytes, "%s %s", c.model, c.target)
		assert.InDelta(t, c.bits, 8*float64(bytes)/float64(count), 0.0005, "%s %s", c.model, c.target)
	}
}

// A stack of mixed experts is as large as its experts together.
func TestBytesOfExperts(t *testing.T) {
	x := &Tensor{Cols: 64, Rows: 10, Experts: 3}
	assert.Equal(t, uint64(3*10*36), (&Choice{Type: gguf.Q4_0}).Bytes(x))
	mixed := &Choice{Type: gguf.Q4_0, Experts: []gguf.Type{gguf.Q8_0, gguf.Q4_0, gguf.Q4_0}}
	assert.Equal(t, uint64(10*(68+2*36)), mixed.Bytes(x))
}

// The tiny model has rows of 64 weights in the last matrix of an expert.
func TestFallbacks(t *testing.T) {
	for _, c := range []struct {
		target      string
		early, more gguf.Type // layers 1 and 2; of four, only 2 and 3 get more bits
		fell        bool
	}{
		{"q4_0", gguf.Q4_0, gguf.Q4_0, false},
		{"q8_0", gguf.Q8_0, gguf.Q8_0, false},
		{"iq4_nl", gguf.IQ4_NL, gguf.IQ4_NL, false},
		{"q2_k", gguf.Q4_0, gguf.Q4_0, true},
		{"q3_k", gguf.Q4_0, gguf.Q4_0, true},
		{"q4_k", gguf.Q5_0, gguf.Q5_0, true},
		{"q4_k_s", gguf.Q5_0, gguf.Q5_0, true},
		{"q4_k_m", gguf.Q5_0, gguf.Q8_0, true},
		{"q5_k", gguf.Q5_1, gguf.Q5_1, true},
		{"q5_k_m", gguf.Q5_1, gguf.Q8_0, true},
		{"q6_k", gguf.Q8_0, gguf.Q8_0, true},
	} {
		got := planned(t, "tiny", &Recipe{Target: target(t, c.target)}, nil)
		assert.Equal(t, Choice{Type: c.early, Fallback: c.fell}, got["blk.1.ffn_down_exps.weight"], c.target)
		assert.Equal(t, Choice{Type: c.more, Fallback: c.fell}, got["blk.2.ffn_down_exps.weight"], c.target)
		assert.Equal(t, Choice{Type: c.more, Fallback: c.fell}, got["blk.2.ffn_down_shexp.weight"], c.target)
		assert.False(t, got["blk.2.ffn_gate_exps.weight"].Fallback, c.target)
		assert.False(t, got["output.weight"].Fallback, c.target)
	}
	mx := planned(t, "tiny", &Recipe{Target: target(t, "mxfp4")}, nil)["blk.2.ffn_down_exps.weight"]
	assert.Equal(t, Choice{Type: gguf.MXFP4}, mx)
	// Wishes fall back too.
	got := planned(t, "tiny", &Recipe{
		Rules: []Rule{{"ffn_down_exps", gguf.Q6_K}}, Experts: []ExpertRule{rule(t, "layers=3 experts=0:q4_k 1:q5_k 2:q8_0")},
	}, nil)
	assert.Equal(t, Choice{Type: gguf.Q8_0, Fallback: true}, got["blk.1.ffn_down_exps.weight"])
	last := got["blk.3.ffn_down_exps.weight"]
	assert.Equal(t, append([]gguf.Type{gguf.Q5_0, gguf.Q5_1}, slices.Repeat([]gguf.Type{gguf.Q8_0}, 14)...), last.Experts)
	assert.True(t, last.Fallback)
	assert.False(t, got["blk.3.ffn_up_exps.weight"].Fallback)
}
