package reports_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

// wholeRun is a run of another type that has all of its answers.
func wholeRun() *reports.Run {
	e := &reports.Eval{
		Version: 1, Program: fixture().Program, Machine: fixture().Machine, Started: time.Date(2026, 1, 3, 4, 5, 6, 0, time.UTC),
		Model:    reports.EvalModel{Name: "dir/tiny-q8_0.gguf", SHA256: hash("q8_0"), Type: "q8_0", Size: 4_500_000},
		Settings: []byte(`{"block_length":32,"policy":{"name":"threshold"},"threshold":0.95,"list":[1]}`), GenLength: 64, Repeats: 1,
		Data:  []reports.EvalData{{Name: "gsm8k", SHA256: "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14", Records: 4}},
		Tasks: []reports.EvalTask{{Task: "gsm8k", Version: 1, Data: "gsm8k", Asked: 4}},
	}
	samples := verdicts("gsm8k", "RR RR Rw ww")
	reports.Summarise(e, samples)
	e.Tasks[0].Published = nil
	return &reports.Run{Path: "q8_0", Eval: e, Samples: samples}
}

// ciCollection has results of all kinds, with hostile names, failures, gates of all
// outcomes, and files that cannot be read.
func ciCollection(t testing.TB) *reports.Collection {
	t.Helper()
	file := reports.File{Name: "dir/" + hostile, SHA256: hash("model"), Type: "q4_k_m", Size: 2_400_000, Bits: 4.85}
	three := 3.0
	comparison := &reports.Comparison{
		Version: 1, A: reports.ComparedRun{Path: "main", Model: wholeRun().Eval.Model}, B: reports.ComparedRun{Path: "dir/" + hostile, Model: evaluation().Model},
		Gates: []reports.GateResult{
			{Gate: "accuracy>=-1", Task: "gsm8k", Value: new(float64), Passed: true},
			{Gate: "truncated<=+2", Task: "gsm8k", Value: &three},
			{Gate: "tpf>=-5%", Task: hostile, Reason: "tpf of A is not known, " + hostile},
		},
	}
	interval := func(x float64) reports.Interval { return reports.Interval{Mean: x, Low: 0.75 * x, High: 1.25 * x} }
	figures := func(upTo float64, n int) reports.DivergenceFigures {
		return reports.DivergenceFigures{UpTo: upTo, Positions: n, KLD: interval(0.0125), Agreement: interval(0.75), ProbChange: interval(0.05), MaxKLD: 1.5}
	}
	return &reports.Collection{
		Benches: []reports.Result[reports.Bench]{{Path: "bench.json", Value: fixture()}},
		Sweeps:  []reports.Result[reports.Sweep]{{Path: "sweep.json", Value: sweep()}},
		Evals: []reports.Result[reports.Run]{
			{Path: "q4_0/results.json", Value: &reports.Run{Path: "q4_0", Eval: evaluation(), Samples: evalSamples()}},
			{Path: "q8_0/results.json", Value: wholeRun()},
		},
		Divergences: []reports.Result[reports.Divergence]{{Path: "kld.json", Value: &reports.Divergence{
			Version: 1, Program: fixture().Program, Machine: fixture().Machine, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			Model: file, Reference: reports.File{Name: "bf16.gguf"}, Data: "data/prompts.jsonl", Prompts: 50,
			All: figures(1, 1600), Buckets: []reports.DivergenceFigures{figures(0.5, 800), figures(1, 0)},
		}}},
		Conversions:   []reports.Result[reports.Conversion]{{Path: "convert.json", Value: &reports.Conversion{Version: 1, File: file}}},
		Verifications: []reports.Result[reports.Verification]{{Path: "verify.json", Value: &reports.Verification{Version: 1, Source: "checkpoint", File: file, Tensors: 7, Faults: 2, RelRMS: 0.003, Findings: []string{"blk.0 " + hostile, "blk.1"}}}},
		Comparisons:   []reports.Result[reports.Comparison]{{Path: "comparison.json", Value: comparison}},
		Problems:      []reports.Problem{{Path: "old/" + hostile, Text: "no bench result: it has version 2"}},
	}
}

// textOf returns what a form writes.
func textOf(t testing.TB, write func(w io.Writer) error) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, write(&out))
	return out.String()
}
