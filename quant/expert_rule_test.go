package quant

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
)

func rule(t *testing.T, text string) ExpertRule {
	t.Helper()
	r, err := ParseExpertRule(text)
	require.NoError(t, err)
	return r
}

func TestParseExpertRule(t *testing.T) {
	q8, q4 := gguf.Q8_0, gguf.Q4_0
	for _, c := range []struct {
		text, canonical string // "" for the same
		want            ExpertRule
	}{
		{"layers=1-19 experts=top25%:q8_0 rest:q4_0", "", ExpertRule{
			Layers: Numbers{{1, 19}},
			Types:  []Selection{{By: SelectTop, Count: 25, Percent: true, Type: q8}, {By: SelectRest, Type: q4}},
		}},
		{"experts=rest:q8_0", "", ExpertRule{Types: []Selection{{By: SelectRest, Type: q8}}}},
		{" Experts=TOP2:Q8_0\tBottom3%:q4_0  LAYERS=0,5-6 matrix=Down,gate", "layers=0,5-6 matrix=down,gate experts=top2:q8_0 bottom3%:q4_0", ExpertRule{
			Layers: Numbers{{0, 0}, {5, 6}}, Matrix: []string{"down", "gate"},
			Types: []Selection{{By: SelectTop, Count: 2, Type: q8}, {By: SelectBottom, Count: 3, Percent: true, Type: q4}},
		}},
		{"experts=0-31,40:q8_0 experts=bottom4:q4_0", "experts=0-31,40:q8_0 bottom4:q4_0", ExpertRule{
			Types: []Selection{{Listed: Numbers{{0, 31}, {40, 40}}, Type: q8}, {By: SelectBottom, Count: 4, Type: q4}},
		}},
	} {
		got, err := ParseExpertRule(c.text)
		require.NoError(t, err, c.text)
		assert.Equal(t, c.want, got, c.text)
		if c.canonical == "" {
			c.canonical = c.text
		}
		assert.Equal(t, c.canonical, got.String())
		assert.Equal(t, got, rule(t, got.String()))
	}
}

func TestParseExpertRuleErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "it has no experts=SELECTOR:TYPE",
		"layers=1":                             "it has no experts=SELECTOR:TYPE",
		"top3:q8_0":                            `"top3:q8_0": want layers=, matrix= or experts=`,
		"layer=1 experts=rest:q8_0":            `"layer=1": no such key`,
		"layers= experts=rest:q8_0":            `"layers=": "" is not a number`,
		"layers=1,,2 experts=rest:q8_0":        `"layers=1,,2": "" is not a number`,
		"layers=1-2-3 experts=rest:q8_0":       `"layers=1-2-3": "2-3" is not a number`,
		"layers=-3 experts=rest:q8_0":          `"layers=-3": "" is not a number`,
		"layers=+3 experts=rest:q8_0":          `"layers=+3": "+3" is not a number`,
		"layers=9-1 experts=rest:q8_0":         `"layers=9-1": range "9-1" runs backwards`,
		"layers=1048577 experts=rest:q8_0":     `"1048577" is not a number from 0 to 1048576`,
		"layers=1 layers=2 experts=rest:q8_0":  `"layers=2": it is given twice`,
		"matrix=gate,side experts=rest:q8_0":   `"matrix=gate,side": matrix "side" is not one of gate, up, down`,
		"matrix=up,up experts=rest:q8_0":       `matrix "up" is given twice`,
		"matrix=up matrix=up experts=1:q8_0":   `"matrix=up": it is given twice`,
		"experts=":                             `"experts=": want SELECTOR:TYPE`,
		"experts=top3":                         `"experts=top3": want SELECTOR:TYPE`,
		"experts=top3:q9_0":                    `"experts=top3:q9_0": type "q9_0" is not one of`,
		"experts=top3:q4_k_m":                  `type "q4_k_m" is not one of`,
		"experts=top:q8_0":                     `"experts=top:q8_0": "" is not a number`,
		"experts=top%:q8_0":                    `"" is not a number`,
		"experts=top1.5%:q8_0":                 `"1.5" is not a number`,
		"experts=topbottom3:q8_0":              `"bottom3" is not a number`,
		"experts=bottomtop3:q8_0":              `"top3" is not a number`,
		"experts=top0:q8_0":                    "0 experts cannot be selected",
		"experts=top0%:q8_0":                   "0% is not between 1% and 100%",
		"experts=bottom101%:q8_0":              "101% is not between 1% and 100%",
		"experts=all:q8_0":                     `selector "all" is not topN`,
		"experts=:q8_0":                        `selector "" is not topN`,
		"experts=3-:q8_0":                      `"" is not a number`,
		"experts=top3:q8_0 rest=q4_0":          `"rest=q4_0": no such key`,
		"experts=rest:q8_0 top3:q4_0":          `"rest:q8_0": nothing can follow the rest, but "top3:q4_0" does`,
		"experts=top3:q8_0 and rest:q4_0":      `"and": want SELECTOR:TYPE`,
		"experts=top3:q8_0 rest:q4_0 layers=x": `"layers=x": "x" is not a number`,
	} {
		_, err := ParseExpertRule(text)
		require.ErrorContains(t, err, want, text)
		assert.ErrorContains(t, err, fmt.Sprintf("expert rule %q", text))
	}
}

// Rules that were not parsed are held to the same.
func TestExpertRuleCheck(t *testing.T) {
	for want, r := range map[string]ExpertRule{
		"it has no experts":                   {},
		"layers: the list of numbers is":      {Layers: Numbers{}, Types: []Selection{{By: SelectRest}}},
		"layers: range 3-2 is not possible":   {Layers: Numbers{{3, 2}}, Types: []Selection{{By: SelectRest}}},
		"range -1-2 is not possible":          {Types: []Selection{{Listed: Numbers{{-1, 2}}}}},
		"the list of numbers is empty":        {Types: []Selection{{}}},
		"the list of matrices is empty":       {Matrix: []string{}, Types: []Selection{{By: SelectRest}}},
		"unknown selector 4":                  {Types: []Selection{{By: 4}}},
		"type i8 is not one":                  {Types: []Selection{{By: SelectRest, Type: gguf.I8}}},
		"it has numbers that its selector do": {Types: []Selection{{By: SelectRest, Count: 2}}},
		"-1 experts cannot be selected":       {Types: []Selection{{By: SelectTop, Count: -1}}},
	} {
		recipe := &Recipe{Experts: []ExpertRule{r}}
		_, err := recipe.Plan(nil, nil)
		require.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "expert rule ")
		_, err = recipe.Marshal()
		assert.ErrorContains(t, err, want)
	}
}

// pattern writes types as one letter an expert.
func pattern(types []gguf.Type) string {
	letters := map[gguf.Type]byte{gguf.F32: '.', gguf.Q8_0: '8', gguf.Q4_0: '4', gguf.Q6_K: '6', gguf.F16: 'h'}
	var out []byte
	for _, t := range types {
		out = append(out, letters[t])
	}
	return string(out)
}

func TestExpertSelection(t *testing.T) {
	// Expert 5 is used most, then 2, then 0, 1 and 3 alike, and so on.
	used := []float64{7, 7, 8, 7, 1, 9, 0, 0, 0, 2, 3, 4, 0.5, 5, 6, 1e-9}
	usage := func(layer int) []float64 { return used }
	for _, c := range []struct{ rule, want string }{
		{"top1:q8_0", ".....8.........."},
		{"top2:q8_0", "..8..8.........."},
		{"top3:q8_0", "8.8..8.........."}, // of 0, 1 and 3, the lowest
		{"top4:q8_0", "888..8.........."},
		{"bottom1:q8_0", "........8......."}, // of 6, 7 and 8, the last of the ranking
		{"bottom3:q8_0", "......888......."},
		{"top16:q8_0", "8888888888888888"},
		{"top1%:q8_0", ".....8.........."},  // 0.16: at least one
		{"top9%:q8_0", ".....8.........."},  // 1.44
		{"top10%:q8_0", "..8..8.........."}, // 1.6
		{"top25%:q8_0 rest:q4_0", "8884484444444444"},
		{"top25%:q8_0 bottom75%:q4_0", "8884484444444444"},
		{"bottom25%:q4_0 top100%:q8_0", "8888884448888884"},
		{"0-2,15:q4_0 top2:q8_0 rest:q6_k", "4446686666666664"},
		{"3:q8_0 3:q4_0", "...8............"},
		{"rest:f16", "hhhhhhhhhhhhhhhh"},
	} {
		r := &Recipe{Experts: []ExpertRule{rule(t, "layers=2 matrix=gate experts="+c.rule)}}
		got := planned(t, "tiny", r, usage)
		choice := got["blk.2.ffn_gate_exps.weight"]
		types := choice.Experts
		if types == nil {
			types = slices.Repeat([]gguf.Type{choice.Type}, 16)
		}
		assert.Equal(t, c.want, pattern(types), c.rule)
		assert.Equal(t, Choice{Type: gguf.F32}, got["blk.2.ffn_up_exps.weight"])
		assert.Equal(t, Choice{Type: gguf.F32}, got["blk.1.ffn_gate_exps.weight"])
		assert.Equal(t, Choice{Type: gguf.F32}, got["blk.2.ffn_gate_shexp.weight"])
		assert.Equal(t, gguf.F32, got["blk.2.ffn_gate_inp.weight"].Type)
	}
	// Halves round up: 2.5 of 10.
	picked, err := (&Selection{By: SelectTop, Count: 25, Percent: true}).pick(10, func() ([]int, error) { return []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, nil })
	require.NoError(t, err)
	assert.Equal(t, []bool{true, true, true, false, false, false, false, false, false, false}, picked)
}

// Every layer is ranked by its own usage, and matrices of a layer alike.
func TestExpertUsageByLayer(t *testing.T) {
	usage := func(layer int) []float64 {
		used := make([]float64, 256)
		used[layer] = 1
		return used
	}
	got := planned(t, "mini", &Recipe{Target: target(t, "q4_0"), Experts: []ExpertRule{rule(t, "experts=top1:q8_0")}}, usage)
	for l := 1; l < 20; l++ {
		for _, m := range []string{"gate", "up", "down"} {
			c := got[fmt.Sprintf("blk.%d.ffn_%s_exps.weight", l, m)]
			require.NotNil(t, c.Experts)
			assert.Equal(t, gguf.Q8_0, c.Experts[l])
			assert.Equal(t, 1, len(slices.DeleteFunc(slices.Clone(c.Experts), func(x gguf.Type) bool { return x != gguf.Q8_0 })))
		}
	}
}

func TestExpertRulePlanErrors(t *testing.T) {
	counts := func(n int) Usage { return func(int) []float64 { return make([]float64, n) } }
	with := func(x float64) Usage {
		return func(int) []float64 { return append(make([]float64, 15), x) }
	}
	for _, c := range []struct {
		rule  string
		usage Usage
		want  string
	}{
		{"experts=top25%:q8_0 rest:q4_0", nil, `"top25%:q8_0": how often the experts are used is not known: give --imatrix`},
		{"experts=0:q8_0 bottom1:q4_0", nil, `"bottom1:q4_0": how often`},
		{"experts=top1:q8_0", func(int) []float64 { return nil }, "the importance matrix does not count the experts of layer 1"},
		{"experts=top1:q8_0", counts(15), "the importance matrix counts 15 experts, the layer has 16"},
		{"experts=top1:q8_0", with(math.NaN()), "has the count NaN for expert 15"},
		{"experts=top1:q8_0", with(math.Inf(1)), "has the count +Inf for expert 15"},
		{"experts=top1:q8_0", with(-1), "has the count -1 for expert 15"},
		{"experts=top17:q8_0", counts(16), `"top17:q8_0": the layer has only 16 experts`},
		{"experts=3,16:q8_0", nil, `"3,16:q8_0": there is no expert 16: the layer has 16`},
		{"layers=1-4 experts=rest:q8_0", nil, "there is no layer 4: the model has 4"},
		{"layers=0 experts=rest:q8_0", nil, "is about no stack of experts"},
	} {
		_, err := (&Recipe{Experts: []ExpertRule{rule(t, c.rule)}}).Plan(classify("tiny"), c.usage)
		require.ErrorContains(t, err, c.want, c.rule)
		assert.ErrorContains(t, err, fmt.Sprintf("expert rule %q", c.rule))
	}
	// A list needs no usage, and a rule may name the dense layer among others.
	_, err := (&Recipe{Experts: []ExpertRule{rule(t, "layers=0-3 experts=0-3:q8_0 rest:q4_0")}}).Plan(classify("tiny"), nil)
	assert.NoError(t, err)
}
