package reports_test

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/stats"
	"lladakit/reports"
)

// runOf is a whole run of samples.
func runOf(name string, samples []reports.Sample) *reports.Run {
	e := evaluation()
	e.Tasks, e.Interrupted, e.Shard, e.Subset, e.Model.Name = nil, false, "", "", name
	reports.Summarise(e, samples)
	return &reports.Run{Path: "runs/" + name, Eval: e, Samples: samples}
}

// twoRuns differ in some verdicts, in settings, and in what they have.
func twoRuns() (a, b *reports.Run) {
	a = runOf("a", append(verdicts("gsm8k", "RR RR RR Rw wR ww ww RR RR RR RR RR"), verdicts("only-a", "RR")...))
	b = runOf("b", append(verdicts("gsm8k", "RR ww wR RR RR ww wR x RR -- RR"), verdicts("tiny", "RR,ww RR,RR")...))
	a.Samples = append(a.Samples, verdicts("tiny", "RR,RR ww,ww")...)
	reports.Summarise(a.Eval, a.Samples)
	b.Samples[2].Extractions[0].Value, b.Samples[2].Gold, b.Samples[2].Text = hostile, hostile, hostile
	b.Samples[4].PromptHash = hash("another")
	for i := range b.Samples {
		b.Samples[i].Key, b.Samples[i].Denoise = hash("b", i), b.Samples[i].Denoise*4/5
	}
	b.Samples[0].Finish = "length"
	b.Eval.Settings, b.Eval.GenLength, b.Eval.Model.Type, b.Eval.Sandbox = json.RawMessage(`{"threshold":0.9,"block_length":32, "policy":"`+"a|b"+`"}`), 128, "Q3_K", nil
	b.Eval.Tasks[0].Asked = 12
	b.Torn = true
	return a, b
}

func compared(t testing.TB, a, b *reports.Run, gates ...string) *reports.Comparison {
	t.Helper()
	var all []reports.Gate
	for _, text := range gates {
		g, err := reports.ParseGate(text)
		require.NoError(t, err)
		all = append(all, g)
	}
	c, err := reports.Compare(a, b, all)
	require.NoError(t, err)
	return c
}

func comparisonIn(t testing.TB, c *reports.Comparison, form string) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, c.Write(&out, form))
	return out.String()
}

func TestComparisonGolden(t *testing.T) {
	a, b := twoRuns()
	c := compared(t, a, b, "tiny:accuracy>=-1.0", "gsm8k:tpf>=-5%", "tiny:tpf>=+20%", "tiny:lost<1")
	golden(t, "compare.md", comparisonIn(t, c, "md"))
	golden(t, "compare.json", comparisonIn(t, c, "json"))
	assert.ErrorContains(t, c.Write(io.Discard, "csv"), `form "csv" is not one of md, json`)
	for line := range strings.SplitSeq(comparisonIn(t, c, "md"), "\n") {
		assert.NotRegexp(t, `^(DROP|-- i)`, line)
		assert.NotContains(t, line, "\x1b")
	}
}

func TestCompare(t *testing.T) {
	a, b := twoRuns()
	c := compared(t, a, b)
	assert.True(t, c.Passed)
	require.Len(t, c.Tasks, 2)
	g, tiny := c.Tasks[0], c.Tasks[1]
	assert.Equal(t, []int{11, 11, 4, 4, 1, 2, 9}, []int{g.Documents, g.Pairs, g.Both, g.OnlyA, g.OnlyB, g.Neither, g.Same})
	assert.Equal(t, [2]int{1, 0}, g.Unpaired)
	assert.Equal(t, []int{8, 5}, []int{g.A.Correct, g.B.Correct})
	assert.InDelta(t, -3./11, g.Difference, 1e-12)
	assert.InDelta(t, stats.McNemar(4, 1), g.P, 1e-12)
	assert.Less(t, g.Low, g.Difference)
	assert.Greater(t, g.High, g.Difference)
	assert.Equal(t, "B is 27.3 points worse, not significant (p = 0.375)", g.Verdict)
	var flips []string
	for _, f := range g.Flips {
		flips = append(flips, fmt.Sprintf("%s %t", f.DocID, f.Lost))
	}
	assert.Equal(t, []string{"gsm8k/1 true", "gsm8k/2 true", "gsm8k/4 false", "gsm8k/7 true", "gsm8k/9 true"}, flips)
	assert.Equal(t, reports.Flip{DocID: "gsm8k/1", Lost: true, Gold: "42", A: "42", B: "41"}, g.Flips[0])
	// By the last number, A has 0 1 2 4 7 8 9 10 and B 0 2 3 4 6 8 10.
	require.Len(t, g.Extractors, 2)
	last := g.Extractors[1]
	assert.Equal(t, []any{"last number", 8, 7}, []any{last.Name, last.A, last.B})
	assert.InDelta(t, -1./11, last.Difference, 1e-12)
	assert.InDelta(t, stats.McNemar(3, 2), last.P, 1e-12)

	assert.Equal(t, []int{2, 4, 1, 1, 2, 0}, []int{tiny.Documents, tiny.Pairs, tiny.Both, tiny.OnlyA, tiny.OnlyB, tiny.Neither})
	assert.InDelta(t, stats.SignFlip([]stats.Pair{{A: 2, B: 1, Answers: 2}, {B: 2, Answers: 2}}), tiny.P, 1e-12)

	differ := map[string][]string{}
	for _, s := range c.Differ {
		differ[s.Name] = []string{s.A, s.B}
	}
	assert.Equal(t, map[string][]string{
		"model": {"a", "b"}, "model.type": {"Q4_0", "Q3_K"}, "gen_length": {"64", "128"},
		"settings.threshold": {"0.95", "0.9"}, "settings.policy": {"", `"a|b"`},
		"sandbox.tier": {"A", ""}, "sandbox.python": {"3.11.7", ""}, "sandbox.time_factor": {"1.5", ""},
	}, differ)
	assert.Equal(t, []string{
		"the runs differ in gen_length, sandbox.python, sandbox.tier, settings.policy, settings.threshold: a difference of accuracies may come from there",
		"gsm8k: 1 sample that only A has is left out",
		"gsm8k: 1 request of B without an answer counts as wrong",
		"gsm8k: 1 document was asked with different prompts",
		"only A has task only-a",
		"B is not complete: gsm8k has 11 of 12 samples",
		"the last sample of B was cut off, and is left out",
	}, c.Warnings)
}

// TestCompareSame: nothing differs between a run and itself.
func TestCompareSame(t *testing.T) {
	a, _ := twoRuns()
	c := compared(t, a, a, "accuracy>=0", "lost<=0", "tpf>=-0%", "tokens<=0", "accuracy.low>=0", "accuracy.high<=0")
	assert.True(t, c.Passed)
	assert.Empty(t, c.Differ)
	assert.Empty(t, c.Warnings)
	require.Len(t, c.Tasks, 3)
	for _, task := range c.Tasks {
		assert.Equal(t, []float64{0, 0, 0, 1}, []float64{task.Difference, task.Low, task.High, task.P})
		assert.Equal(t, task.A, task.B)
		assert.Equal(t, task.Pairs, task.Same)
		assert.Zero(t, task.OnlyA+task.OnlyB)
		assert.Empty(t, task.Flips)
		assert.Equal(t, "B is as accurate as A, with 0 lost and 0 gained", task.Verdict)
	}
}

// TestCompareMirrored: B beside A is A beside B with the signs changed.
func TestCompareMirrored(t *testing.T) {
	a, b := twoRuns()
	there, back := compared(t, a, b), compared(t, b, a)
	require.Len(t, back.Tasks, 2)
	for i, x := range there.Tasks {
		y := back.Tasks[i]
		assert.Equal(t, x.A, y.B)
		assert.Equal(t, x.B, y.A)
		assert.Equal(t, []int{x.Both, x.OnlyA, x.OnlyB, x.Neither, x.Same}, []int{y.Both, y.OnlyB, y.OnlyA, y.Neither, y.Same})
		assert.Equal(t, [2]int{x.Unpaired[1], x.Unpaired[0]}, y.Unpaired)
		assert.InDelta(t, x.Difference, -y.Difference, 1e-15)
		assert.Equal(t, []float64{x.P, x.Detected}, []float64{y.P, y.Detected})
		step := 1.01 / float64(x.Pairs) // random numbers are the same, and not mirrored
		assert.InDelta(t, x.Low, -y.High, step)
		assert.InDelta(t, x.High, -y.Low, step)
		require.Len(t, y.Flips, len(x.Flips))
		for j, f := range x.Flips {
			g := y.Flips[j]
			assert.Equal(t, []any{f.DocID, f.Repeat, !f.Lost, f.A, f.B}, []any{g.DocID, g.Repeat, g.Lost, g.B, g.A})
		}
	}
	for i, s := range there.Differ {
		assert.Equal(t, reports.Setting{Name: s.Name, A: s.B, B: s.A}, back.Differ[i])
	}
}

// TestVerdict has the words for what is significant and what is not.
func TestVerdict(t *testing.T) {
	for b, want := range map[string]string{
		"R R R R R R R R R R": "B is 80.0 points better, significant (p = 0.008)",
		"R R R w w w w w w w": "B is 10.0 points better, not significant (p = 1.000)",
		"w R w R w w w w w w": "B is as accurate as A, with 2 lost and 2 gained",
		"w w w w w w w w w w": "B is 20.0 points worse, not significant (p = 0.500)",
	} {
		c := compared(t, runOf("a", verdicts("t", "R w R w w w w w w w")), runOf("b", verdicts("t", b)))
		assert.Equal(t, want, c.Tasks[0].Verdict, b)
	}
	many := compared(t, runOf("a", verdicts("t", strings.Repeat("R ", 40))), runOf("b", verdicts("t", strings.Repeat("w ", 40))))
	assert.Equal(t, "B is 100.0 points worse, significant (p < 0.0001)", many.Tasks[0].Verdict)
	assert.Contains(t, comparisonIn(t, many, "md"), "and 20 more")
}

func TestCompareRefuses(t *testing.T) {
	for want, change := range map[string]func(b *reports.Run){
		"no document was asked by both": func(b *reports.Run) { b.Samples = verdicts("other", "RR") },
		"task gsm8k: version 1 in A, and 2 in B": func(b *reports.Run) {
			for i := range b.Samples {
				b.Samples[i].Version = 2
			}
		},
		"runs/b: task gsm8k has samples of versions 1 and 2":                         func(b *reports.Run) { b.Samples[3].Version = 2 },
		"task gsm8k: document gsm8k/3 is not the same in both: the data sets differ": func(b *reports.Run) { b.Samples[3].DocHash = hash("x") },
		"runs/b: task gsm8k: document gsm8k/3 has two samples of repeat 0 with different settings": func(b *reports.Run) {
			again := b.Samples[3]
			again.Key = hash("other settings")
			b.Samples = append(b.Samples, again)
		},
	} {
		a, b := twoRuns()
		change(b)
		_, err := reports.Compare(a, b, nil)
		require.ErrorIs(t, err, reports.ErrCompare, want)
		assert.ErrorContains(t, err, want)
	}
}

func TestOpenRun(t *testing.T) {
	a, _ := twoRuns()
	dir := t.TempDir()
	results, samples := filepath.Join(dir, "results.json"), filepath.Join(dir, "samples.jsonl")
	_, err := reports.OpenRun(filepath.Join(dir, "missing"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
	_, err = reports.OpenRun(dir)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, results)
	require.NoError(t, os.WriteFile(results, []byte(evalIn(t, a.Eval, "json")), 0o666))
	_, err = reports.OpenRun(dir)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, samples)
	require.NoError(t, os.WriteFile(samples, []byte(samplesFile(t, a.Samples)+"{"), 0o666))
	for _, path := range []string{dir, results} {
		got, err := reports.OpenRun(path)
		require.NoError(t, err)
		assert.Equal(t, path, got.Path)
		assert.True(t, got.Torn)
		assert.Equal(t, a.Samples, got.Samples)
		assert.Equal(t, a.Eval.Tasks, got.Eval.Tasks)
		assert.Equal(t, a.Eval.Model, got.Eval.Model)
		assert.Empty(t, compared(t, a, got).Differ, "settings are the same, however indented")
	}
	require.NoError(t, os.WriteFile(samples, []byte("{}\n"), 0o666))
	_, err = reports.OpenRun(dir)
	assert.ErrorIs(t, err, reports.ErrSamples)
	assert.ErrorContains(t, err, samples+": no samples: line 1")
	require.NoError(t, os.WriteFile(results, []byte("{}"), 0o666))
	_, err = reports.OpenRun(dir)
	assert.ErrorIs(t, err, reports.ErrEval)
}
