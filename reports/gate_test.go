package reports_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

func TestParseGate(t *testing.T) {
	for text, want := range map[string]reports.Gate{
		"accuracy>=-1.0":          {Metric: "accuracy", Op: ">=", Bound: -1},
		"tpf>=-5%":                {Metric: "tpf", Op: ">=", Bound: -5, Share: true},
		"accuracy.low>=-3":        {Metric: "accuracy.low", Op: ">=", Bound: -3},
		"gsm8k:truncated<=+2":     {Task: "gsm8k", Metric: "truncated", Op: "<=", Bound: 2},
		"gsm8k-5shot:lost<3":      {Task: "gsm8k-5shot", Metric: "lost", Op: "<", Bound: 3},
		"b.accuracy>90.25":        {Own: true, Metric: "accuracy", Op: ">", Bound: 90.25},
		"tiny:b.accuracy.low>=50": {Task: "tiny", Own: true, Metric: "accuracy.low", Op: ">=", Bound: 50},
	} {
		want.Text = text
		got, err := reports.ParseGate(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for text, want := range map[string]string{
		"":                         "is not a gate such as",
		"accuracy":                 "is not a gate",
		"accuracy>=":               "is not a gate",
		"accuracy>=x":              "is not a gate",
		"accuracy=1":               "is not a gate",
		"accuracy>=-1 ":            "is not a gate",
		"accuracy >= -1":           "is not a gate",
		"accuracy>=NaN":            "is not a gate",
		"accuracy>=1e3":            "is not a gate",
		"accuracy>=0x1":            "is not a gate",
		"accuracy>=1_0":            "is not a gate",
		"accuracy>=--1":            "is not a gate",
		"accuracy>=1%%":            "is not a gate",
		"a.accuracy>=1":            `"a.accuracy" is not one of accuracy, accuracy.high, accuracy.low, any, correct`,
		":accuracy>=1":             "is not a gate",
		"b.b.accuracy>=1":          `"b.accuracy" is not one of`,
		"speed>=1":                 `"speed" is not one of`,
		"b.lost<=1":                "lost is not of B alone: leave b. away",
		"b.tpf>=5%":                "% is for changes of what A has",
		"lost<=1%":                 "% is for changes of what A has",
		"accuracy.low>=-1%":        "% is for changes of what A has",
		"tpf>=1234567890123456":    "is not a gate",
		strings.Repeat("x", 1<<20): "is not a gate",
	} {
		_, err := reports.ParseGate(text)
		short := text[:min(len(text), 40)]
		require.Error(t, err, short)
		assert.ErrorContains(t, err, want, short)
		assert.Less(t, len(err.Error()), 300)
	}
}

// TestGates judges gates on runs in which A has 8 of 11 right and B 5.
func TestGates(t *testing.T) {
	for text, want := range map[string]struct {
		value  float64 // NaN: not known
		passed bool
		reason string
	}{
		"gsm8k:accuracy>=-28":         {-300. / 11, true, ""},
		"gsm8k:accuracy>=-27":         {-300. / 11, false, ""},
		"gsm8k:accuracy>=-37.5%":      {-37.5, true, ""}, // just so
		"gsm8k:accuracy>-37.5%":       {-37.5, false, ""},
		"gsm8k:b.accuracy>=45":        {500. / 11, true, ""},
		"gsm8k:b.accuracy<45":         {500. / 11, false, ""},
		"gsm8k:any>=-0":               {-200. / 11, false, ""}, // A 0 1 2 3 4 7 8 9 10, B 0 2 3 4 6 8 10
		"gsm8k:correct>=-3":           {-3, true, ""},
		"gsm8k:lost<=4":               {4, true, ""},
		"gsm8k:lost<4":                {4, false, ""},
		"gsm8k:gained>0":              {1, true, ""},
		"gsm8k:truncated<=+1":         {1, true, ""},
		"gsm8k:truncated<=0":          {1, false, ""},
		"gsm8k:truncated<=5%":         {math.NaN(), false, "truncated of A is 0, and no share of it is"},
		"gsm8k:failed<=0":             {1, false, ""},
		"gsm8k:b.n>=11":               {11, true, ""},
		"gsm8k:tokens<=0":             {-40, true, ""}, // the failed request's
		"gsm8k:tpf>=0%":               {25, true, ""},
		"gsm8k:forwards<0":            {-110 + 80, true, ""},
		"tiny:b.tpf>=0":               {math.NaN(), false, "tpf of B is not known"},
		"tiny:tpf>=0":                 {math.NaN(), false, "tpf of B is not known"},
		"only-a:accuracy>=-100":       {math.NaN(), false, "the runs have no documents of it in common"},
		"never-heard-of:accuracy>=-9": {math.NaN(), false, "the runs have no documents of it in common"},
	} {
		a, b := twoRuns()
		b.Eval.Tasks[0].Asked = 11
		for i := range b.Samples {
			if b.Samples[i].Task == "tiny" {
				b.Samples[i].Denoise = 0
			}
		}
		c := compared(t, a, b, text)
		require.Len(t, c.Gates, 1)
		g := c.Gates[0]
		assert.Equal(t, want.passed, g.Passed, text)
		assert.Equal(t, want.passed, c.Passed, text)
		assert.Equal(t, want.reason, g.Reason, text)
		if math.IsNaN(want.value) {
			assert.Nil(t, g.Value, text)
		} else if assert.NotNil(t, g.Value, text) {
			assert.InDelta(t, want.value, *g.Value, 1e-6, text)
		}
	}
}

// TestGatesOfAll: a gate without a task is for all that A has, and needs B to be whole.
func TestGatesOfAll(t *testing.T) {
	a, b := twoRuns()
	c := compared(t, a, b, "accuracy>=-100", "gained>=0")
	var got [][]any
	for _, g := range c.Gates {
		got = append(got, []any{g.Gate, g.Task, g.Passed, g.Reason})
	}
	const absent, part = "the runs have no documents of it in common", "B is not complete: gsm8k has 11 of 12 samples"
	assert.Equal(t, [][]any{
		{"accuracy>=-100", "gsm8k", false, part}, {"accuracy>=-100", "only-a", false, absent}, {"accuracy>=-100", "tiny", true, ""},
		{"gained>=0", "gsm8k", false, part}, {"gained>=0", "only-a", false, absent}, {"gained>=0", "tiny", true, ""},
	}, got)
	assert.False(t, c.Passed)
}

// A gate that is read is finite, and can be judged.
func FuzzParseGate(f *testing.F) {
	for _, text := range []string{"accuracy>=-1.0", "gsm8k:b.tpf<5", "tpf>=-5%", "x:lost<=999999999999999.999999999999999"} {
		f.Add(text)
	}
	a := runOf("a", verdicts("gsm8k", "RR wR"))
	f.Fuzz(func(t *testing.T, text string) {
		g, err := reports.ParseGate(text)
		if err != nil {
			return
		}
		require.Equal(t, text, g.Text)
		require.False(t, math.IsNaN(g.Bound) || math.IsInf(g.Bound, 0))
		c, err := reports.Compare(a, a, []reports.Gate{g})
		require.NoError(t, err)
		require.Len(t, c.Gates, 1)
		comparisonIn(t, c, "json")
		comparisonIn(t, c, "md")
	})
}
