package reports_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

func hash(parts ...any) string {
	sum := sha256.Sum256(fmt.Append(nil, parts...))
	return hex.EncodeToString(sum[:])
}

// sample is an answer with the extractors boxed, which counts, and last number. A verdict
// has a letter for each of both, R or w, or - for one that found nothing; x is a request
// without an answer.
func sample(task string, index, repeat int, verdict string) reports.Sample {
	doc := fmt.Sprintf("%s/%d", task, index)
	s := reports.Sample{
		Key: hash(task, index, repeat), Generation: hash("answer", task, index, repeat), Task: task, Version: 1, DocID: doc, Index: index,
		DocHash: hash(doc), PromptHash: hash("prompt", doc), Repeat: repeat, Text: "the answer", IDs: []int32{5, 6, 7}, Finish: "eos",
		PromptTokens: 20, Tokens: 40, Prefill: 1, Denoise: 10, Commit: 2, Gold: "42", Extractions: []reports.Extraction{},
		Timings: reports.SampleTimings{Prefill: 5, Decode: 100.5, Judge: 0.1},
	}
	if verdict == "x" {
		s.Text, s.IDs, s.Finish, s.Tokens, s.Denoise, s.Commit = "", nil, "error", 0, 0, 0
		s.Error, s.Message = "generation", "connection refused"
		return s
	}
	for i, letter := range verdict {
		x := reports.Extraction{Extractor: []string{"boxed", "last number"}[i]}
		switch letter {
		case 'R':
			x.Value, x.Correct = "42", true
		case 'w':
			x.Value = "41"
		}
		s.Extractions = append(s.Extractions, x)
	}
	s.Correct = s.Extractions[0].Correct
	if !s.Correct {
		s.Error = map[bool]string{true: "no answer", false: "wrong"}[s.Extractions[0].Value == ""]
	}
	return s
}

// verdicts are the samples of a task, document by document; repeats of one are between
// commas.
func verdicts(task, text string) (all []reports.Sample) {
	for index, document := range strings.Fields(text) {
		for repeat, verdict := range strings.Split(document, ",") {
			all = append(all, sample(task, index, repeat, verdict))
		}
	}
	return all
}

// evalSamples have what a run can have: right and wrong answers, extractors that
// disagree, one cut off, and one that failed.
func evalSamples() []reports.Sample {
	all := append(verdicts("gsm8k", "RR RR Rw wR -R ww -- x RR RR"), verdicts("tiny", "RR,RR RR,ww ww,ww -R,ww")...)
	all[5].Finish, all[5].Tokens, all[5].Message = "length", 64, "cut off"
	for i := range all {
		if all[i].Task == "tiny" {
			all[i].Denoise, all[i].Gold = 0, hostile // as of an endpoint
		}
	}
	return all
}

func evaluation() *reports.Eval {
	e := &reports.Eval{
		Version: 1, Program: fixture().Program, Machine: fixture().Machine, Command: []string{"eval", "--model", hostile},
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seconds: 61.25,
		Model:    reports.EvalModel{Name: "dir/" + hostile, SHA256: hash("model"), Type: "Q4_0", Size: 9_238_000_000},
		Settings: json.RawMessage(`{"block_length":32,"threshold":0.95}`), GenLength: 64, Repeats: 2,
		Data:    []reports.EvalData{{Name: "gsm8k", SHA256: hash("data"), Records: 1319}},
		Sandbox: &reports.EvalSandbox{Tier: "A", Python: "3.11.7", Factor: 1.5},
		Subset:  "10 of 1319, stratified v1", Shard: "2/3", Interrupted: true,
		Tasks:    []reports.EvalTask{{Task: "gsm8k", Version: 1, Data: "gsm8k", Asked: 12}},
		Warnings: []string{"a warning | of " + hostile},
	}
	reports.Summarise(e, evalSamples())
	e.Tasks[1].Data = "tiny-gsm8k"
	e.Tasks[0].Published = []reports.EvalPublished{
		{Model: "LLaDA2.0-mini", Accuracy: 0.9424, N: 1319, Source: "report | " + hostile, P: 0.00001, Apart: true},
		{Model: "other", Accuracy: 0.5, N: 10, Source: "x", P: 0.8},
	}
	return e
}

func evalIn(t testing.TB, e *reports.Eval, form string) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, e.Write(&out, form))
	return out.String()
}
