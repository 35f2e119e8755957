package quant

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
)

func TestEncodable(t *testing.T) {
	for _, c := range []struct {
		want gguf.Type
		cols int
		got  gguf.Type
	}{
		{gguf.Q4_K, 512, gguf.Q4_K}, {gguf.Q4_K, 288, gguf.Q5_0}, {gguf.Q4_K, 48, gguf.F16},
		{gguf.Q5_K, 288, gguf.Q5_1}, {gguf.Q6_K, 288, gguf.Q8_0}, {gguf.Q6_K, 24, gguf.F16},
		{gguf.Q2_K, 32, gguf.Q4_0}, {gguf.Q3_K, 32, gguf.Q4_0}, {gguf.Q3_K, 33, gguf.F16},
		{gguf.Q8_0, 33, gguf.F16}, {gguf.Q4_0, 48, gguf.F16}, {gguf.MXFP4, 48, gguf.F16}, {gguf.IQ4_NL, 16, gguf.F16},
		{gguf.BF16, 33, gguf.BF16}, {gguf.F32, 1, gguf.F32},
	} {
		assert.Equal(t, c.got, encodable(c.want, c.cols), "%v %d", c.want, c.cols)
	}
	// The output matrix with odd rows: q6_k, q8_0, f16.
	for cols, want := range map[int]gguf.Type{256: gguf.Q6_K, 96: gguf.Q8_0, 48: gguf.F16} {
		for _, name := range []string{"q4_0", "q4_k_m", "q6_k"} {
			got, err := (&Recipe{Target: target(t, name)}).Plan([]Tensor{{Name: "o", Class: Output, Layer: -1, Layers: 2, Cols: cols, Rows: 2}}, nil)
			require.NoError(t, err)
			assert.Equal(t, want, got[0].Type, "%s %d", name, cols)
		}
	}
}

func TestPrecedence(t *testing.T) {
	r := &Recipe{Target: target(t, "q4_k_m")}
	plan := func() map[string]Choice { return planned(t, "mini", r, nil) }
	const qkv, down = "blk.0.attn_qkv.weight", "blk.4.ffn_down_exps.weight"
	assert.Equal(t, gguf.Q6_K, plan()[qkv].Type)

	r.Pure = true
	pure := plan()
	for _, x := range classify("mini") {
		want := gguf.Q4_K
		if x.Class == Exact {
			want = gguf.F32
		}
		assert.Equal(t, want, pure[x.Name].Type, x.Name)
	}

	// Rules by name: over pure, the first wins, and vectors and routers stay.
	r.Rules = []Rule{{`^BLK\.0\.attn_`, gguf.Q5_1}, {`attn_|output|token|down_exps|norm|gate_inp`, gguf.Q8_0}}
	assert.Equal(t, gguf.Q5_1, plan()[qkv].Type)
	assert.Equal(t, gguf.Q8_0, plan()["blk.1.attn_qkv.weight"].Type)
	assert.Equal(t, gguf.Q8_0, plan()["output.weight"].Type)
	assert.Equal(t, gguf.Q8_0, plan()["token_embd.weight"].Type)
	assert.Equal(t, gguf.F32, plan()["output_norm.weight"].Type)
	assert.Equal(t, gguf.F32, plan()["blk.1.ffn_gate_inp.weight"].Type)
	assert.Equal(t, gguf.Q4_K, plan()["blk.1.ffn_up_exps.weight"].Type)

	// Output and embedding: over rules. Float32 is a wish like any other.
	r.Output, r.Embedding = ptr(gguf.Q5_K), ptr(gguf.F32)
	assert.Equal(t, gguf.Q5_K, plan()["output.weight"].Type)
	assert.Equal(t, gguf.F32, plan()["token_embd.weight"].Type)

	// Expert rules: over rules by name, for stacks only; experts that no rule
	// has keep what the stack would have.
	r.Experts = []ExpertRule{rule(t, "layers=4 experts=0-2:q6_k"), rule(t, "layers=4-5 experts=2-3:q4_0")}
	q := []gguf.Type{gguf.Q6_K, gguf.Q6_K, gguf.Q6_K, gguf.Q4_0}
	assert.Equal(t, append(q, slices.Repeat([]gguf.Type{gguf.Q8_0}, 252)...), plan()[down].Experts)
	assert.Equal(t, gguf.Q8_0, plan()[down].Type)
	assert.Equal(t, append(q, slices.Repeat([]gguf.Type{gguf.Q4_K}, 252)...), plan()["blk.4.ffn_up_exps.weight"].Experts)
	assert.Nil(t, plan()["blk.4.ffn_up_shexp.weight"].Experts)
	assert.Nil(t, plan()["blk.6.ffn_up_exps.weight"].Experts)

	// Fixed: over everything.
	r.Fixed = []Fixed{
		{down, []gguf.Type{gguf.Q5_0}}, {"output.weight", []gguf.Type{gguf.Q4_1}}, {"output_norm.weight", []gguf.Type{gguf.F32}},
		{"blk.4.ffn_gate_exps.weight", slices.Concat(slices.Repeat([]gguf.Type{gguf.Q8_0}, 128), slices.Repeat([]gguf.Type{gguf.Q4_0}, 128))},
		{"blk.5.ffn_gate_exps.weight", slices.Repeat([]gguf.Type{gguf.Q4_1}, 256)},
	}
	assert.Equal(t, Choice{Type: gguf.Q5_0}, plan()[down])
	assert.Equal(t, gguf.Q4_1, plan()["output.weight"].Type)
	mixed := plan()["blk.4.ffn_gate_exps.weight"]
	assert.Equal(t, gguf.Q8_0, mixed.Type, "equally frequent: that of the lowest expert")
	assert.Equal(t, []gguf.Type{gguf.Q8_0, gguf.Q4_0}, mixed.Experts[127:129])
	assert.Equal(t, Choice{Type: gguf.Q4_1}, plan()["blk.5.ffn_gate_exps.weight"])
	assert.NotNil(t, plan()["blk.4.ffn_up_exps.weight"].Experts)
}

// A rule changes the tensors that it matches and no other.
func TestRulesAreLocal(t *testing.T) {
	r := &Recipe{Target: target(t, "q4_k_m")}
	want := planned(t, "mini", r, nil)
	r.Rules = []Rule{{`blk\.0\.attn_qkv`, gguf.Q8_0}}
	got := planned(t, "mini", r, nil)
	assert.Equal(t, gguf.Q8_0, got["blk.0.attn_qkv.weight"].Type)
	want["blk.0.attn_qkv.weight"] = got["blk.0.attn_qkv.weight"]
	assert.Equal(t, want, got)
}

// Projections to values are ranked among themselves by layer, in whatever
// order they are given.
func TestValueRank(t *testing.T) {
	var tensors []Tensor
	for l := range 40 {
		x := Tensor{Name: fmt.Sprint(l), Class: Other, Layer: l, Layers: 40, Cols: 256, Rows: 1}
		if l%2 == 1 {
			x.Class = ValueLike // 20 of 40 layers
		}
		tensors = append(tensors, x)
	}
	slices.Reverse(tensors)
	choices, err := (&Recipe{Target: target(t, "q4_k_m")}).Plan(tensors, nil)
	require.NoError(t, err)
	var got []int
	for i, c := range choices {
		if c.Type == gguf.Q6_K {
			got = append(got, (tensors[i].Layer-1)/2)
		}
	}
	slices.Sort(got)
	assert.Equal(t, []int{0, 1, 4, 7, 10, 13, 16, 17, 18, 19}, got)
}

func TestParseRule(t *testing.T) {
	r, err := ParseRule(`blk\.[0-3]\.a=b=Q6_K`)
	require.NoError(t, err)
	assert.Equal(t, Rule{`blk\.[0-3]\.a=b`, gguf.Q6_K}, r)
	assert.Equal(t, `blk\.[0-3]\.a=b=q6_k`, r.String())
	for text, want := range map[string]string{
		"attn":         "want REGEX=TYPE",
		"attn=":        `type "" is not one of f32`,
		"attn=q4_k_m":  `type "q4_k_m" is not one of f32`,
		"attn=iq1_s":   `type "iq1_s" is not one of f32`,
		"=q8_0":        "the expression is empty",
		"a(=q8_0":      "missing closing ): `a(`",
		"a)|(b=q8_0":   "unexpected )",
		"(?=x)=q8_0":   "invalid or unsupported Perl syntax",
		"a\xff=q8_0":   "invalid UTF-8",
		"a{1001}=q8_0": "invalid repeat count",
	} {
		_, err := ParseRule(text)
		require.ErrorContains(t, err, want, text)
		assert.ErrorContains(t, err, fmt.Sprintf("tensor rule %q", text))
	}
}

func TestPlanErrors(t *testing.T) {
	q8 := []gguf.Type{gguf.Q8_0}
	for want, r := range map[string]Recipe{
		"unknown target 99":                           {Target: 99},
		"unknown target -1":                           {Target: -1},
		"output: type i8 is not one":                  {Output: ptr(gguf.I8)},
		"embedding: type type(77) is not one":         {Embedding: ptr(gguf.Type(77))},
		`tensor rule "(=q8_0": error parsing`:         {Rules: []Rule{{"(", gguf.Q8_0}}},
		`tensor rule "a=iq1_s": type iq1_s is not`:    {Rules: []Rule{{"a", gguf.IQ1_S}}},
		`tensor rule "atn=q8_0" matches no tensor`:    {Rules: []Rule{{"attn", gguf.Q8_0}, {"atn", gguf.Q8_0}}},
		"fixed: a name is empty":                      {Fixed: []Fixed{{"", q8}}},
		`tensor "output.weight" is given twice`:       {Fixed: []Fixed{{"output.weight", q8}, {"output.weight", q8}}},
		`tensor "output.weight" has no type`:          {Fixed: []Fixed{{"output.weight", nil}}},
		`tensor "output.weight": type i8`:             {Fixed: []Fixed{{"output.weight", []gguf.Type{gguf.I8}}}},
		`fixed: the model has no tensor "out"`:        {Fixed: []Fixed{{"out", q8}}},
		"fixed: there are more than 1048576 types":    {Fixed: []Fixed{{"output.weight", make([]gguf.Type, 1<<20+1)}}},
		`"output.weight": fixed with 2 types, but it`: {Fixed: []Fixed{{"output.weight", []gguf.Type{gguf.Q8_0, gguf.F16}}}},
		"fixed with 15 types, but it has 16 experts":  {Fixed: []Fixed{{"blk.1.ffn_up_exps.weight", make([]gguf.Type, 15)}}},
		`"output_norm.weight": fixed as q8_0, but it`: {Fixed: []Fixed{{"output_norm.weight", q8}}},
		"rows of 64 weights are not whole blocks of 256": {
			Fixed: []Fixed{{"blk.1.ffn_down_exps.weight", []gguf.Type{gguf.Q6_K}}}},
	} {
		_, err := r.Plan(classify("tiny"), nil)
		assert.ErrorContains(t, err, want)
	}
	// A rule behind one that takes all of its tensors is idle, no error.
	_, err := (&Recipe{Rules: []Rule{{"attn", gguf.Q8_0}, {"attn_qkv", gguf.F16}}}).Plan(classify("tiny"), nil)
	assert.NoError(t, err)

	for want, x := range map[string]Tensor{
		"0 rows of 8 weights":                 {Name: "x", Class: Other, Cols: 8},
		"1 rows of 0 weights":                 {Name: "x", Class: Exact, Rows: 1},
		"-1 matrices":                         {Name: "x", Class: Other, Cols: 1, Rows: 1, Experts: -1},
		"layer 3 is outside the model's 3":    {Name: "x", Class: Down, Cols: 1, Rows: 1, Layer: 3, Layers: 3},
		"layer -1 is outside the model's 100": {Name: "x", Class: Down, Cols: 1, Rows: 1, Layer: -1, Layers: 100},
	} {
		_, err := (&Recipe{}).Plan([]Tensor{x}, nil)
		require.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, `tensor "x"`)
	}
}

// The zero recipe keeps everything in float32.
func TestZeroRecipe(t *testing.T) {
	for name, c := range planned(t, "mini", &Recipe{}, nil) {
		assert.Equal(t, Choice{Type: gguf.F32}, c, name)
	}
}
