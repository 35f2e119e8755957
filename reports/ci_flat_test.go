package reports_test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"lladakit/reports"
)

func TestCSV(t *testing.T) {
	text := textOf(t, ciCollection(t).CSV)
	golden(t, "ci.csv", text)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, []string{"kind", "model", "type", "test", "metric", "value", "low", "high", "unit", "note", "file"}, rows[0])
	assert.Contains(t, rows, []string{"eval", "tiny-q8_0.gguf", "q8_0", "gsm8k v1", "accuracy", "75", "30.064184258240186", "95.44127391902994", "%", "", "q8_0/results.json"})
	kinds := map[string]bool{}
	for _, row := range rows[1:] {
		kinds[row[0]] = true
		if row[0] == "eval" && row[10] == "q4_0/results.json" {
			assert.Contains(t, row[9], "shard 2/3")
		}
	}
	assert.Len(t, kinds, 6, "a kind of results has no row")
	assert.Equal(t, len(rows), strings.Count(text, "\n"), "a cell has several lines")
	assert.NotContains(t, text, "\x1b")
}

// TestCSVNumbers: what is no number has no row.
func TestCSVNumbers(t *testing.T) {
	c := ciCollection(t)
	before := strings.Count(textOf(t, c.CSV), "\n")
	c.Evals[1].Value.Eval.Tasks[0].Accuracy = math.NaN()
	c.Divergences[0].Value.All.MaxKLD = math.Inf(1)
	after := textOf(t, c.CSV)
	assert.Contains(t, after, "nats")
	assert.Equal(t, 2, before-strings.Count(after, "\n"))
	assert.Equal(t, 1, strings.Count(textOf(t, new(reports.Collection).CSV), "\n"))
}

// gabEntry is what github-action-benchmark reads.
type gabEntry struct {
	Name, Unit, Range, Extra string
	Value                    *float64
}

func gabEntries(t *testing.T, text string) (all []gabEntry) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&all))
	return all
}

func TestGitHubActionBenchmark(t *testing.T) {
	c := ciCollection(t)
	// The same results twice: names must not be equal.
	c.Evals = append(c.Evals, c.Evals[1])
	bigger, smaller := textOf(t, c.BiggerIsBetter), textOf(t, c.SmallerIsBetter)
	golden(t, "ci.bigger.json", bigger)
	golden(t, "ci.smaller.json", smaller)
	names := map[string]bool{}
	for _, e := range append(gabEntries(t, bigger), gabEntries(t, smaller)...) {
		require.NotNil(t, e.Value, e.Name)
		assert.NotEmpty(t, e.Unit, e.Name)
		assert.False(t, names[e.Name], "the name %q appears twice", e.Name)
		names[e.Name] = true
		assert.NotContains(t, e.Name, "\n")
		assert.NotContains(t, e.Name, "2/3", "of a part of a task")
	}
	at := func(all []gabEntry, name string) gabEntry {
		i := slices.IndexFunc(all, func(e gabEntry) bool { return e.Name == name })
		require.GreaterOrEqual(t, i, 0, name)
		return all[i]
	}
	accuracy := at(gabEntries(t, bigger), "eval: gsm8k v1, accuracy, tiny-q8_0.gguf, q8_0")
	assert.Equal(t, []any{75.0, "%", "30.06 to 95.44"}, []any{*accuracy.Value, accuracy.Unit, accuracy.Range})
	forwards := at(gabEntries(t, smaller), "eval: gsm8k v1, forwards, tiny-q8_0.gguf, q8_0")
	assert.Equal(t, 40.0, *forwards.Value)
	assert.Equal(t, "[]\n", textOf(t, new(reports.Collection).BiggerIsBetter), "an array, and not null")
}

func TestBenchstatOfAll(t *testing.T) {
	c := ciCollection(t)
	c.Evals[1].Value.Eval.Machine.CPU = "" // must not be taken from the result before
	c.Evals[1].Value.Eval.Program.Commit = "x\nBenchmarkForged 1 1 ns/op"
	text := textOf(t, c.Benchstat)
	golden(t, "ci.benchstat", text)
	reader := benchfmt.NewReader(strings.NewReader(text), "x")
	var names []string
	for reader.Scan() {
		switch rec := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Error(rec)
		case *benchfmt.Result:
			names = append(names, rec.Name.String())
			base, parts := rec.Name.Parts()
			if string(base) != "Eval" {
				assert.Equal(t, "AMD EPYC 7763 64-Core Processor", rec.GetConfig("cpu"))
				continue
			}
			assert.Equal(t, "", rec.GetConfig("cpu"))
			assert.Equal(t, 4, rec.Iters)
			right, ok := rec.Value("%right")
			assert.True(t, ok)
			assert.Equal(t, 75.0, right)
			forwards, _ := rec.Value("forwards")
			assert.Equal(t, 40.0, forwards)
			assert.Equal(t, "/task=gsm8k_v1", string(parts[0]))
			assert.Equal(t, "/repeats=1", string(parts[len(parts)-1]))
		}
	}
	require.NoError(t, reader.Err())
	assert.Len(t, names, 4*3+1+1, "three repetitions of four tests, one of another, and a task: %q", names)
	for _, name := range names {
		assert.NotContains(t, name, "Forged")
	}
}
