package quant

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
)

const fullRecipe = `target: q4_k_m
pure: true
output: q6_k
embedding: f32
tensors:
  - match: 'blk\.[0-3]\.attn_.*'
    type: q8_0
  - match: '1'
    type: bf16
experts:
  - layers: 1-19,25
    matrix: [gate, up]
    types:
      - top25%:q8_0
      - 0-3,40:q5_k
      - rest:q4_0
  - layers: 5
    types:
      - bottom2:mxfp4
fixed:
  blk.0.ffn_down.weight: q6_k
  blk.1.ffn_gate_exps.weight: [q8_0*3, q4_0, q8_0*12]
`

func fullRecipeValue() *Recipe {
	return &Recipe{
		Target: targetQ4_KM, Pure: true, Output: ptr(gguf.Q6_K), Embedding: ptr(gguf.F32),
		Rules: []Rule{{`blk\.[0-3]\.attn_.*`, gguf.Q8_0}, {"1", gguf.BF16}},
		Experts: []ExpertRule{{
			Layers: Numbers{{1, 19}, {25, 25}}, Matrix: []string{"gate", "up"},
			Types: []Selection{
				{By: SelectTop, Count: 25, Percent: true, Type: gguf.Q8_0},
				{Listed: Numbers{{0, 3}, {40, 40}}, Type: gguf.Q5_K},
				{By: SelectRest, Type: gguf.Q4_0},
			},
		}, {
			Layers: Numbers{{5, 5}}, Types: []Selection{{By: SelectBottom, Count: 2, Type: gguf.MXFP4}},
		}},
		Fixed: []Fixed{
			{"blk.0.ffn_down.weight", []gguf.Type{gguf.Q6_K}},
			{"blk.1.ffn_gate_exps.weight", slices.Concat(slices.Repeat([]gguf.Type{gguf.Q8_0}, 3), []gguf.Type{gguf.Q4_0}, slices.Repeat([]gguf.Type{gguf.Q8_0}, 12))},
		},
	}
}

func TestRecipeFile(t *testing.T) {
	got, err := ReadRecipe(strings.NewReader(fullRecipe))
	require.NoError(t, err)
	assert.Equal(t, fullRecipeValue(), got)
	for range 3 {
		out, err := got.Marshal()
		require.NoError(t, err)
		assert.Equal(t, fullRecipe, string(out))
	}
	out, err := (&Recipe{}).Marshal()
	require.NoError(t, err)
	assert.Equal(t, "target: f32\n", string(out))
}

// The page's example is a recipe.
func TestRecipePage(t *testing.T) {
	page, err := os.ReadFile("RECIPES.md")
	require.NoError(t, err)
	_, example, ok := strings.Cut(string(page), "```yaml\n")
	require.True(t, ok)
	example, _, _ = strings.Cut(example, "```")
	r, err := ReadRecipe(strings.NewReader(example))
	require.NoError(t, err)
	assert.Len(t, r.Fixed[1].Types, 16)
	for _, name := range TargetNames() {
		assert.Contains(t, string(page), "`"+name+"`")
	}
}

// Other ways to write the same.
func TestRecipeFileForms(t *testing.T) {
	const text = `# a comment
---
"fixed": {blk.0.ffn_down.weight: [Q6_K], blk.1.ffn_gate_exps.weight: q8_0*2 q8_0 q4_0 q8_0*12}
experts:
- {layers: [1-19, 25], matrix: 'Gate,up', types: 'top25%:q8_0 0-3,40:q5_k rest:Q4_0'}
- types: [bottom2:mxfp4]
  layers: [5]
tensors: [{match: 'blk\.[0-3]\.attn_.*', type: Q8_0}, {type: bf16, match: 1}]
embedding: F32
output: Q6_K
pure: true
target: Q4_K_M
...
`
	got, err := ReadRecipe(strings.NewReader(text))
	require.NoError(t, err)
	assert.Equal(t, fullRecipeValue(), got)

	got, err = ReadRecipe(strings.NewReader("target: q8_0\npure: false\ntensors: []\nexperts: []\nfixed: {}\n"))
	require.NoError(t, err)
	assert.Equal(t, &Recipe{Target: target(t, "q8_0")}, got)
}

func TestRecipeFileErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "line 1: the recipe is empty"},
		{"# nothing\n", "line 1: the recipe is empty"},
		{"---\n", `line 2: want a mapping, not a single value`},
		{"q8_0", "line 1: want a mapping, not a single value"},
		{"- target", "line 1: want a mapping, not a list"},
		{"pure: true", `line 1: the key "target" is missing`},
		{"target: q8_0\nTarget: q8_0", `line 2: unknown key "Target": want embedding, experts, fixed, output, pure, target, tensors`},
		{"target: q8_0\npure: true\ntarget: q4_0", `line 3: the key "target" was already given on line 1`},
		{"target: q8_0\n<<: {pure: true}", `line 2: "<<" is of type merge, not a text`},
		{"target: q8_0\n? [a]\n: b", "line 2: want a single value, not a list"},
		{"target: q9_0", `line 1: type "q9_0" is not one of f32,`},
		{"target:", `line 1: "" is of type null, not a text`},
		{"target: [q8_0]", "line 1: want a single value, not a list"},
		{"target: {a: b}", "line 1: want a single value, not a mapping"},
		{"target: 1.5", `line 1: "1.5" is of type float, not a text`},
		{"target: 2001-01-01", "is of type timestamp, not a text"},
		{"target: !!binary cThfMA==", "is of type binary, not a text"},
		{"target: !x q8_0", `is of type x, not a text`},
		{"target: q8_0\npure: yes", `line 2: "yes" is neither true nor false`},
		{"target: q8_0\npure: !!bool x", "neither true nor false"},
		{"target: q8_0\npure: []", "line 2: want a single value, not a list"},
		{"target: q8_0\noutput: q4_k_m", `line 2: type "q4_k_m" is not one of f32,`},
		{"target: q8_0\nembedding: true", `line 2: "true" is of type bool, not a text`},
		{"target: q8_0\ntensors: {match: a, type: q8_0}", "line 2: want a list, not a mapping"},
		{"target: q8_0\ntensors:\n - match: a", `line 3: want the keys "match" and "type"`},
		{"target: q8_0\ntensors:\n - type: q8_0", `line 3: want the keys "match" and "type"`},
		{"target: q8_0\ntensors:\n - match: a(\n   type: q8_0", "line 3: error parsing regexp: missing closing )"},
		{"target: q8_0\ntensors:\n - match: ''\n   type: q8_0", "line 3: the expression is empty"},
		{"target: q8_0\ntensors:\n - match: a\n   type: q8_0\n   layer: 3", `line 5: unknown key "layer": want match, type`},
		{"target: q8_0\nexperts:\n - layers: 1", `line 3: the key "types" is missing`},
		{"target: q8_0\nexperts:\n - layers: x\n   types: rest:q8_0", `line 3: "x" is not a number`},
		{"target: q8_0\nexperts:\n - layers: []\n   types: rest:q8_0", "line 3: nothing is given"},
		{"target: q8_0\nexperts:\n - layers: 0x1\n   types: rest:q8_0", `line 3: "0x1" is not a number`},
		{"target: q8_0\nexperts:\n - matrix:\n   - up\n   - left\n   types: rest:q8_0", `line 5: matrix "left" is not one of`},
		{"target: q8_0\nexperts:\n - types:\n   - top3:q8_0\n   - most:q8_0", `line 5: selector "most" is not topN`},
		{"target: q8_0\nexperts:\n - types: rest:q8_0 top3:q8_0", "line 3: \"rest:q8_0\": nothing can follow the rest"},
		{"target: q8_0\nfixed: [a]", "line 2: want a mapping, not a list"},
		{"target: q8_0\nfixed:\n  a: q8_0\n  a: q8_0", `line 4: the key "a" was already given on line 3`},
		{"target: q8_0\nfixed:\n  '': q8_0", "line 3: the name of the tensor is empty"},
		{"target: q8_0\nfixed:\n  a: []", "line 3: nothing is given"},
		{"target: q8_0\nfixed:\n  a: q8_0*x", `line 3: "x" is not a number`},
		{"target: q8_0\nfixed:\n  a: q8_0*0", `line 3: "q8_0*0" is for no expert`},
		{"target: q8_0\nfixed:\n  a: q8_0*2*2", `"2*2" is not a number`},
		{"target: q8_0\nfixed:\n  a: q8_0*1048576\n  b: q8_0", "line 4: \"q8_0\": fixed tensors have more than 1048576 types together"},
		{"target: q8_0\nfixed:\n  a: [[q8_0]]", "line 3: want a single value, not a list"},
		{"target: q8_0\n---\ntarget: q4_0", "line 2: a second document begins"},
		{"target: &a q8_0\noutput: *a", "line 2: an alias (*a): recipes have none"},
		{"target: q8_0\n\noutput: *a", "line 3: unknown anchor 'a' referenced"},
		{"target: \"q8_0", "line 1: found unexpected end of stream"},
		{"target: q8_0\n\toutput: q8_0", "line 2: found a tab character"},
		{"target: q8_0\nfixed: {a: q8_0", "did not find expected ',' or '}'"},
		{"target: q8_0\noutput: q8\x00", "line 2: a character is not allowed"},
		{"target: q8_0\n\n# \xff", "line 3: a character is not allowed"},
	} {
		_, err := ReadRecipe(strings.NewReader(c.text))
		if assert.Error(t, err, c.text) {
			assert.Contains(t, err.Error(), c.want, c.text)
			assert.Regexp(t, `^line [0-9]+: [^\n]+$`, err.Error(), c.text)
		}
	}
}

// Files that are small and mean much, or are simply large.
func TestRecipeFileBombs(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString("target: q8_0\na: &a [x,x,x,x,x,x,x,x,x]\n")
	for c := 'b'; c < 'k'; c++ {
		fmt.Fprintf(&laughs, "%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	_, err := ReadRecipe(strings.NewReader(laughs.String()))
	require.ErrorContains(t, err, `line 2: unknown key "a"`)
	_, err = ReadRecipe(strings.NewReader("target: q8_0\nfixed:\n  t: &t [q8_0*9,q8_0*9]\n  u: [*t,*t]\n"))
	require.ErrorContains(t, err, "line 4: an alias (*t): recipes have none")

	_, err = ReadRecipe(strings.NewReader("target: q8_0\n" + strings.Repeat("#", maxRecipeBytes)))
	require.EqualError(t, err, "line 2: a recipe has no more than 16 MiB")
	_, err = ReadRecipe(strings.NewReader("target: q8_0\n" + strings.Repeat("#\n", 1<<20)))
	require.NoError(t, err)
	_, err = ReadRecipe(strings.NewReader("target: " + strings.Repeat("[", 1<<20)))
	require.ErrorContains(t, err, "line 1: ")
}

// Names and expressions of any characters survive.
func TestRecipeFileText(t *testing.T) {
	for _, s := range []string{
		"~", "null", "true", "1", "1.5", "<<", "*a", "&a", "!a", "#", "a #b", "a: b", "- a", " a", "a ", "'", `"`, `\`, "%", "@", "`",
		"a\nb", "\n", "a\tb", "é", "\u2028", "\u0085", "\ufeff", "😀", "[a", "{a", "?", "=", strings.Repeat("x", 5000),
	} {
		r := &Recipe{Fixed: []Fixed{{s, []gguf.Type{gguf.Q8_0}}}}
		rule := Rule{s, gguf.Q4_0}
		if _, err := rule.compile(); err == nil {
			r.Rules = []Rule{rule}
		}
		out, err := r.Marshal()
		require.NoError(t, err)
		got, err := ReadRecipe(bytes.NewReader(out))
		require.NoError(t, err, "%q", out)
		assert.Equal(t, r, got)
	}
	_, err := (&Recipe{Fixed: []Fixed{{"\xff", []gguf.Type{gguf.Q8_0}}}}).Marshal()
	assert.ErrorContains(t, err, "invalid UTF-8")
}

// FuzzReadRecipe looks for panics, for errors without a line, and for recipes
// that change when written and read again.
func FuzzReadRecipe(f *testing.F) {
	f.Add([]byte(fullRecipe))
	f.Add([]byte("target: q8_0\nfixed: {\"a\\x01\": q8_0*2}\n"))
	f.Add([]byte("target: &a q8_0\noutput: *a\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ReadRecipe(bytes.NewReader(data))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") {
				t.Fatalf("no line: %v", err)
			}
			return
		}
		out, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadRecipe(bytes.NewReader(out))
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		assert.Equal(t, r, again)
		twice, err := again.Marshal()
		if err != nil || !bytes.Equal(out, twice) {
			t.Fatalf("%v\n%s\n%s", err, out, twice)
		}
		// Any model, any recipe: an outcome or an error.
		_, _ = r.Plan(classify("tiny"), func(int) []float64 { return make([]float64, 16) })
	})
}

// FuzzParseExpertRule looks for panics and for rules whose text form is another
// rule.
func FuzzParseExpertRule(f *testing.F) {
	f.Add("layers=1-19,30 matrix=gate,up experts=top25%:q8_0 0-31,40:q5_k bottom3:q4_0 rest:q4_0")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseExpertRule(text)
		if err != nil {
			return
		}
		again, err := ParseExpertRule(r.String())
		if err != nil {
			t.Fatal(err)
		}
		assert.Equal(t, r, again)
	})
}
