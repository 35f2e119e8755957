package reports_test

import (
	"bytes"
	"encoding/csv"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/datasets"
	"lladakit/internal/stats"
	"lladakit/reports"
)

func TestEvalGolden(t *testing.T) {
	golden(t, "eval.md", evalIn(t, evaluation(), "md"))
	golden(t, "eval.csv", evalIn(t, evaluation(), "csv"))
	golden(t, "eval-v1.json", evalIn(t, evaluation(), "json"))
	golden(t, "eval-nothing.md", evalIn(t, &reports.Eval{}, "md"))
}

func TestSummarise(t *testing.T) {
	e := evaluation()
	require.Len(t, e.Tasks, 2)
	g, tiny := e.Tasks[0], e.Tasks[1]
	assert.Equal(t, []any{"gsm8k", "gsm8k", 1, 12, 10, 5}, []any{g.Task, g.Data, g.Version, g.Asked, g.N, g.Correct})
	assert.InDelta(t, 0.5, g.Accuracy, 1e-15)
	low, high := stats.Wilson(5, 10)
	assert.Equal(t, []float64{low, high}, []float64{g.Low, g.High})
	assert.InDelta(t, 1./6, g.SE, 1e-12)
	assert.Equal(t, []int{1, 1, 7}, []int{g.Truncated, g.Failed, g.Any})
	assert.Equal(t, []reports.EvalExtractor{{Name: "boxed", Found: 7, Correct: 5}, {Name: "last number", Found: 8, Correct: 6}}, g.Extractors)
	assert.Equal(t, []string{"gsm8k/2", "gsm8k/3", "gsm8k/4"}, g.Disagreements)
	assert.Equal(t, map[string]int{"generation": 1, "no answer": 2, "wrong": 2}, g.Errors)
	assert.Equal(t, []int{8*40 + 64, 90}, []int{g.Tokens, g.Denoise})
	assert.InDelta(t, 384./90, g.TPF, 1e-12)
	assert.Empty(t, g.PassAtK, "there is one answer to a document")
	assert.InDelta(t, stats.Detectable(10, stats.Discordant(0.5, 0.5)), g.Detected, 1e-12)

	assert.Equal(t, []any{"tiny", 8, 8, 3}, []any{tiny.Task, tiny.Asked, tiny.N, tiny.Correct})
	assert.Zero(t, tiny.TPF, "of an endpoint nobody knows forwards")
	assert.Equal(t, 320, tiny.Tokens)
	assert.Equal(t, []string{"tiny/3"}, tiny.Disagreements)
	assert.Equal(t, []reports.EvalPass{{K: 1, Rate: 0.375}}, tiny.PassAtK)
	p := stats.Estimate([]stats.Document{{Right: 2, Answers: 2}, {Right: 1, Answers: 2}, {Answers: 2}, {Answers: 2}})
	assert.Equal(t, []float64{p.SE, p.Low, p.High}, []float64{tiny.SE, tiny.Low, tiny.High})

	one := new(reports.Eval)
	reports.Summarise(one, verdicts("t", "RR R- -R wR Rw -- w- ww"))
	assert.Equal(t, []string{"t/2", "t/3", "t/4"}, one.Tasks[0].Disagreements, "to find nothing is no verdict, but of the first")
	e.PassK = []int{2, 1, 3, 0}
	reports.Summarise(e, evalSamples())
	assert.Equal(t, []reports.EvalPass{{K: 2, Rate: 0.5}, {K: 1, Rate: 0.375}}, e.Tasks[1].PassAtK)
	assert.Equal(t, "tiny-gsm8k", e.Tasks[1].Data, "is kept")
}

// TestSummariseOrder: a run that was killed and resumed has its samples in another order,
// and may have a failed one before it came off.
func TestSummariseOrder(t *testing.T) {
	want := evaluation()
	samples := evalSamples()
	again := sample("gsm8k", 0, 0, "x")
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		rng.Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
		e := evaluation()
		before := slices.Clone(samples)
		reports.Summarise(e, append([]reports.Sample{again}, samples...))
		assert.Equal(t, before, samples)
		e.Tasks[0].Published = want.Tasks[0].Published
		require.Equal(t, want, e)
	}
	none := &reports.Eval{Tasks: []reports.EvalTask{{Task: "gsm8k", Asked: 5, Correct: 3}}}
	reports.Summarise(none, nil)
	assert.Equal(t, []reports.EvalTask{{Task: "gsm8k", Asked: 5, High: 1, Detected: 1, Extractors: []reports.EvalExtractor{}, Errors: map[string]int{}}}, none.Tasks)
}

// TestPublished compares whole results alone, of tasks that figures are published for.
func TestPublished(t *testing.T) {
	run := func(task string, right, n int, change func(*reports.Eval)) []reports.EvalPublished {
		set, _ := datasets.Find(task)
		e := &reports.Eval{
			Data:  []reports.EvalData{{Name: "other", SHA256: "x"}, {Name: set.Name, SHA256: set.SHA256, Records: set.Records}},
			Tasks: []reports.EvalTask{{Task: task, Data: task, Asked: n}},
		}
		change(e)
		reports.Summarise(e, verdicts(task, strings.Repeat("R ", right)+strings.Repeat("w ", n-right)))
		return e.Tasks[0].Published
	}
	nothing := func(*reports.Eval) {}
	got := run("humaneval", 142, 164, nothing)
	require.Len(t, got, 2)
	assert.Equal(t, []any{"LLaDA2.0-mini", 164, false, 1.0}, []any{got[0].Model, got[0].N, got[0].Apart, got[0].P})
	assert.InDelta(t, 0.8659, got[0].Accuracy, 5e-5)
	assert.Equal(t, []any{"LLaDA2.0-flash", true}, []any{got[1].Model, got[1].Apart})
	assert.InDelta(t, 0.0222197142714, got[1].P, 1e-9)
	assert.NotEmpty(t, got[1].Source)

	// As published, to two decimals, and one of the independent run.
	shares := map[string][]float64{}
	for _, task := range []string{"gsm8k", "humaneval", "humaneval-plus"} {
		for _, p := range run(task, 5, 10, nothing) {
			shares[task] = append(shares[task], math.Round(p.Accuracy*1e4)/100)
		}
	}
	assert.Equal(t, map[string][]float64{"gsm8k": {94.24, 90.83, 96.06}, "humaneval": {86.59, 94.51}, "humaneval-plus": {79.88, 87.8}}, shares)

	assert.Empty(t, run("humaneval-plus-mini", 5, 10, nothing))
	assert.Empty(t, run("gsm8k", 5, 10, func(e *reports.Eval) { e.Tasks[0].Asked = 11 }), "not whole")
	assert.Empty(t, run("gsm8k", 5, 10, func(e *reports.Eval) { e.Shard = "1/2" }))
	assert.Empty(t, run("gsm8k", 5, 10, func(e *reports.Eval) { e.Subset = "10 of 1319, stratified v1" }))
	assert.Empty(t, run("gsm8k", 5, 10, func(e *reports.Eval) { e.Data[1].SHA256 = "x" }), "other data of the same name")
	assert.Empty(t, run("gsm8k", 5, 10, func(e *reports.Eval) { e.Tasks[0].Data = "other" }), "other data")
	set, _ := datasets.Find("gsm8k")
	e := &reports.Eval{Data: []reports.EvalData{{Name: "gsm8k", SHA256: set.SHA256}}, Tasks: []reports.EvalTask{{Task: "gsm8k", Data: "gsm8k", Asked: 3}}}
	reports.Summarise(e, verdicts("gsm8k", "R R x"))
	assert.Empty(t, e.Tasks[0].Published, "requests failed")
}

func TestEvalForms(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(evalIn(t, evaluation(), "csv"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 3)
	column := func(name string) string {
		i := slices.Index(rows[0], name)
		require.GreaterOrEqual(t, i, 0, name)
		return rows[1][i]
	}
	assert.Equal(t, []string{"task", "version", "data", "n", "asked", "correct", "accuracy"}, rows[0][:7])
	assert.Equal(t, `{"generation":1,"no answer":2,"wrong":2}`, column("errors"))
	assert.Equal(t, "A", column("sandbox_tier"))
	assert.Equal(t, `{"block_length":32,"threshold":0.95}`, column("settings"))
	sorted := slices.Sorted(slices.Values(rows[0]))
	assert.Len(t, slices.Compact(sorted), len(rows[0]), "a name appears twice")

	assert.ErrorContains(t, evaluation().Write(io.Discard, "sql"), `form "sql" is not one of md, json, csv`)
	for _, form := range reports.EvalForms() {
		e := evaluation()
		e.Tasks[1].Accuracy = math.NaN()
		assert.ErrorContains(t, e.Write(io.Discard, form), "tasks[1].accuracy is NaN")
		e = evaluation()
		e.Tasks[1].Errors["wrong"] = -1
		assert.ErrorContains(t, e.Write(io.Discard, form), `tasks[1].errors["wrong"] is -1`)
	}
	// Nothing of a name gets out of its cell or line.
	for line := range strings.SplitSeq(evalIn(t, evaluation(), "md"), "\n") {
		assert.NotRegexp(t, `^(DROP|-- i)`, line)
		assert.NotContains(t, line, "\x1b")
	}
}

// Files of version 1 are read for ever.
func TestReadEval(t *testing.T) {
	data, err := os.ReadFile("testdata/eval-v1.json")
	require.NoError(t, err)
	got, err := reports.ReadEval(bytes.NewReader(data))
	require.NoError(t, err)
	want := evaluation()
	assert.JSONEq(t, string(want.Settings), string(got.Settings))
	got.Settings = want.Settings // indented
	assert.Equal(t, want, got)
}

func TestReadEvalRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "unexpected end",
		"null":                          `no version under "eval"`,
		"[]":                            "cannot unmarshal array",
		`{"bench":1}`:                   `no version under "eval"`,
		`{"eval":0}`:                    `no version under "eval"`,
		`{"eval":2,"tasks":7}`:          "version 2, and this program reads up to 1: use a newer one",
		`{"eval":1.5}`:                  "cannot unmarshal",
		`{"eval":1}x`:                   "invalid character",
		`{"eval":1,"tasks":[{"n":-1}]}`: "tasks[0].n is -1",
		`{"eval":1,"tasks":[{},{"accuracy":1.5}]}`:                     "tasks[1].accuracy is 1.5",
		`{"eval":1,"tasks":[{"n":3,"correct":4}]}`:                     "tasks[0].correct is 4 of 3",
		`{"eval":1,"tasks":[{"tpf":1e999}]}`:                           "1e999",
		`{"eval":1,"tasks":[{"errors":{"x":-1}}]}`:                     `tasks[0].errors["x"] is -1`,
		`{"eval":1,"sandbox":{"time_factor":-2}}`:                      "sandbox.time_factor is -2",
		`{"eval":1,"tasks":[` + strings.Repeat("{},", 1000) + `{}]}`:   "1001 tasks are more than 1000",
		`{"eval":1}` + strings.Repeat(" ", 8<<20):                      "more than 8 MiB",
		`{"eval":1,"tasks":[{"published":[{"accuracy":0.5,"p":-1}]}]}`: "tasks[0].published[0].p is -1",
	} {
		_, err := reports.ReadEval(strings.NewReader(text))
		short := text[:min(len(text), 80)]
		require.ErrorIs(t, err, reports.ErrEval, "%s", short)
		assert.ErrorContains(t, err, want, "%s", short)
	}
}

// What can be read can be written in every form, and read again as it was.
func FuzzReadEval(f *testing.F) {
	data, err := os.ReadFile("testdata/eval-v1.json")
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte(`{"eval":1,"settings":[1,{"a":"\u0000<"}],"started":"2026-01-02T03:04:05+23:59","tasks":[{"task":"|","errors":{"\n":1}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := reports.ReadEval(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, form := range reports.EvalForms() {
			text := evalIn(t, e, form)
			if form != "json" {
				continue
			}
			again, err := reports.ReadEval(strings.NewReader(text))
			require.NoError(t, err)
			require.Equal(t, text, evalIn(t, again, "json"))
		}
	})
}
