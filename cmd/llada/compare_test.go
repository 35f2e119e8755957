package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

// evalRun writes a run's folder with a letter for each answer: R or w.
func evalRun(t testing.TB, name, verdicts string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.Mkdir(dir, 0o777))
	var samples []reports.Sample
	var lines strings.Builder
	for i, letter := range verdicts {
		key := fmt.Sprintf("%064x", i)
		s := reports.Sample{
			Key: key, Generation: key, Task: "gsm8k", Version: 1, DocID: fmt.Sprintf("gsm8k/%d", i), Index: i, Finish: "eos",
			Tokens: 40, Denoise: 10, Correct: letter == 'R', Extractions: []reports.Extraction{{Extractor: "boxed", Value: "1", Correct: letter == 'R'}},
		}
		require.NoError(t, json.NewEncoder(&lines).Encode(s))
		samples = append(samples, s)
	}
	e := &reports.Eval{Version: reports.EvalVersion, Model: reports.EvalModel{Name: name}, Settings: json.RawMessage(`{}`), Repeats: 1}
	reports.Summarise(e, samples)
	var results strings.Builder
	require.NoError(t, e.Write(&results, "json"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "results.json"), []byte(results.String()), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "samples.jsonl"), []byte(lines.String()), 0o666))
	return dir
}

func TestCompareCommand(t *testing.T) {
	a, b := evalRun(t, "a", "RRRRRRRRww"), evalRun(t, "b", "RRRRRRRwwR")
	text := done(t, "compare", a, b)
	assert.Contains(t, text, "gsm8k: B is as accurate as A, with 1 lost and 1 gained.")
	assert.Equal(t, text, done(t, "compare -o md", a, b))

	out := filepath.Join(t.TempDir(), "comparison.json")
	c := document[reports.Comparison](t, "compare --gate accuracy>=-1.0 --json", a, filepath.Join(b, "results.json"), "--out", out)
	assert.Equal(t, []int{1, 1}, []int{c.Tasks[0].OnlyA, c.Tasks[0].OnlyB})
	assert.True(t, c.Passed)
	file, err := os.ReadFile(out)
	require.NoError(t, err)
	var again reports.Comparison
	require.NoError(t, json.Unmarshal(file, &again))
	assert.Equal(t, c, again)
}

// TestCompareGates: flags stand where people put them, and words behind --gate are its own.
func TestCompareGates(t *testing.T) {
	a, b := evalRun(t, "a", "RRRRRRRRww"), evalRun(t, "b", "RRRRRRRwww")
	for _, args := range [][]string{
		{a, b, "--gate", "accuracy>=-1.0", "tpf>=-5%"},
		{a, b, "--gate", "accuracy>=-1.0 tpf>=-5%"},
		{"--gate", "accuracy>=-1.0", "tpf>=-5%", a, b},
		{"--gate=accuracy>=-1.0", a, "--gate", "tpf>=-5%", b},
		{a, "--gate", "accuracy>=-1.0", "tpf>=-5%", "--", b},
		{"--", a, b},
	} {
		o := llada(t, "compare", args...)
		if args[0] == "--" {
			assert.Zero(t, o.code)
			continue
		}
		require.ErrorIs(t, o.err, errGates, "%q", args)
		assert.Equal(t, 1, o.code)
		assert.EqualError(t, o.err, "a gate failed: gsm8k: accuracy>=-1.0 is -10")
		assert.Contains(t, o.stdout, "| tpf>=-5%       | gsm8k |     0 | passed |", "the result is printed all the same")
		assert.Contains(t, o.stdout, "| accuracy>=-1.0 | gsm8k |   -10 | FAILED |")
	}
	o := llada(t, "compare", a, b, "--json", "--gate", "humaneval:accuracy>=0 b.accuracy>=70")
	assert.EqualError(t, o.err, "a gate failed: humaneval: humaneval:accuracy>=0: the runs have no documents of it in common")
	var c reports.Comparison
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &c))
	assert.False(t, c.Passed)
	assert.Equal(t, []bool{false, true}, []bool{c.Gates[0].Passed, c.Gates[1].Passed})

	short := evalRun(t, "short", "RRRR")
	o = llada(t, "compare", a, short)
	require.NoError(t, o.err)
	assert.Contains(t, o.stderr, "llada: warning: gsm8k: 6 samples that only A has are left out")
}

func TestCompareUsage(t *testing.T) {
	a, b := evalRun(t, "a", "RR"), evalRun(t, "b", "Rw")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "A is missing"},
		{[]string{a}, "B is missing"},
		{[]string{"--", a}, "B is missing"},
		{[]string{a, b, "c"}, `argument "c" is one too many`},
		{[]string{a, b, "x>=1"}, `argument "x>=1" is one too many`},
		{[]string{a, ""}, "path is empty"},
		{[]string{a, b, "--nonsense"}, "nonsense"},
		{[]string{a, b, "--gate"}, "gate"},
		{[]string{a, b, "--gate", ""}, "there is no condition"},
		{[]string{a, b, "--gate", "accuracy"}, "is not a gate such as"},
		{[]string{a, b, "--gate", "speed>=1"}, `"speed" is not one of accuracy`},
		{[]string{a, b, "--gate", "accuracy>=1", "tpf=>2"}, "is not a gate such as"},
		{[]string{a, b, "--out"}, "out"},
		{[]string{a, b, "--out="}, "--out is empty"},
		{[]string{a, b, "--out", filepath.Join(a, "results.json")}, "is read, and would be overwritten"},
		{[]string{a, b, "--out", filepath.Join(b, "samples.jsonl")}, "is read, and would be overwritten"},
		{[]string{a, b, "--json", "-o", "md"}, "give one of them"},
		{[]string{a, b, "-o", "csv"}, `--output: "csv" is not one of md, json`},
	} {
		o := llada(t, "compare", c.args...)
		require.Error(t, o.err, "%q", c.args)
		assert.Equal(t, 2, o.code, "%q: %v", c.args, o.err)
		assert.Contains(t, message(o.err), c.want, "%q", c.args)
		assert.NotContains(t, message(o.err), "\n")
		assert.Empty(t, o.stdout)
	}
	assert.Equal(t, 3, llada(t, "compare", a, filepath.Join(b, "missing")).code)
	require.NoError(t, os.Remove(filepath.Join(b, "samples.jsonl")))
	o := llada(t, "compare", a, b)
	assert.Equal(t, 3, o.code)
	assert.ErrorContains(t, o.err, "samples.jsonl")
	require.NoError(t, os.WriteFile(filepath.Join(b, "samples.jsonl"), []byte("{}\n"), 0o666))
	o = llada(t, "compare", a, b)
	assert.Equal(t, 1, o.code)
	assert.ErrorIs(t, o.err, reports.ErrSamples)
}
