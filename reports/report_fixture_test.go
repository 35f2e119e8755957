package reports_test

import (
	"time"

	"lladakit/reports"
)

// collection has a result of each kind, and what is wrong with some: three models, two of
// which have the same file name, damaged and interrupted files, and hostile texts.
func collection() *reports.Collection {
	file := reports.File{Name: "models/mini-q4_0.gguf", SHA256: hash("mini"), Type: "q4_0", Size: 9_238_000_000, Bits: 4.55}
	reference := reports.File{Name: "mini-bf16.gguf", SHA256: hash("bf16"), Type: "bf16", Size: 32_000_000_000, Bits: 16}
	program, machine, started := fixture().Program, fixture().Machine, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	command := []string{"kld", "--data", "it's <b>.txt"}

	mini := evaluation()
	mini.Model = reports.EvalModel{Name: "mini-q4_0.gguf", SHA256: hash("mini"), Type: "q4_0", Size: file.Size}
	mini.Settings = []byte(`{"block_length": 32, "threshold": 0.5, "policy": {"name": "threshold"}, "profile": "turbo"}`)
	whole := evaluation()
	whole.Model = mini.Model
	whole.Subset, whole.Shard, whole.Interrupted, whole.Tasks = "", "", false, []reports.EvalTask{{Task: "gsm8k", Version: 1, Data: "gsm8k"}}
	reports.Summarise(whole, verdicts("gsm8k", "RR RR Rw"))
	whole.Tasks[0].Asked = 3
	odd := evaluation()
	endpoint := evaluation()
	endpoint.Model = reports.EvalModel{Name: "mini-q4_0.gguf", Endpoint: "http://localhost:1/v1"}
	endpoint.Tasks = endpoint.Tasks[1:]

	swept := &reports.Sweep{
		Version: 1, Program: program, Machine: machine, Command: command, Started: started, Data: "gsm8k", Prompts: 10, Asked: 12, Repetitions: 3,
		Interrupted: true, Judged: true, Axes: []string{"threshold"},
		Cells: []reports.SweepCell{
			{Model: "mini-q4_0.gguf", Type: "llada2 16B Q4_0", Size: file.Size, Values: []string{"0.95"}, Class: "exact", Recommended: true,
				Speed: reports.Spread{N: 3, Median: 20, Low: 19, High: 21}, Tokens: 400, TPF: 4, MS: 171.5, Same: 1, Agree: 1, Right: 9, Accuracy: 0.9},
			{Model: "mini-q4_0.gguf", Type: "llada2 16B Q4_0", Size: file.Size, Values: nil, Class: "exact",
				Speed: reports.Spread{N: 3, Median: 30, Low: 29, High: 31}, Tokens: 400, TPF: 6, MS: 170, Same: 0.4, Agree: 0.8, Right: 7, Accuracy: 0.7},
		},
	}
	swept.Compare()
	trace := &reports.Trace{Header: reports.TraceHeader{Trace: 1, Model: hostile, Type: "q4_0", Class: "exact", Block: 32}}
	figures := reports.DivergenceFigures{
		UpTo: 1, Positions: 320, KLD: reports.Interval{Mean: 0.0123, Low: 0.01, High: 0.015}, MaxKLD: 1.25,
		Agreement: reports.Interval{Mean: 0.97, Low: 0.95, High: 0.99}, ProbChange: reports.Interval{Mean: 0.02, Low: 0.01, High: 0.03},
	}
	return &reports.Collection{
		Benches: []reports.Result[reports.Bench]{{Path: "bench.json", Value: fixture()}},
		Sweeps:  []reports.Result[reports.Sweep]{{Path: "sweep.json", Value: swept}},
		Evals: []reports.Result[reports.Run]{
			{Path: "part", Value: &reports.Run{Eval: mini}}, {Path: "whole", Value: &reports.Run{Eval: whole, Torn: true}},
			{Path: "odd|" + hostile, Value: &reports.Run{Eval: odd}}, {Path: "server", Value: &reports.Run{Eval: endpoint}}, {Path: "nothing", Value: nil},
		},
		Divergences: []reports.Result[reports.Divergence]{{Path: "kld.json", Value: &reports.Divergence{
			Version: 1, Program: program, Machine: machine, Command: command, Started: started, Model: file, Reference: reference,
			Data: "it's <b>.txt", DataHash: hash("data"), Prompts: 5, All: figures,
			Buckets: []reports.DivergenceFigures{{UpTo: 0.5}, figures},
		}}},
		Verifications: []reports.Result[reports.Verification]{{Path: "verify.json", Value: &reports.Verification{
			Version: 1, Program: program, Machine: machine, Started: started, Source: "LLaDA2.0-mini", File: file, Tensors: 100, Experts: 14_592, Faults: 1,
			Findings: []string{"# a fault of " + hostile}, RelRMS: 0.0812,
		}}},
		Conversions: []reports.Result[reports.Conversion]{{Path: "convert.json", Value: &reports.Conversion{
			Version: 2, Sources: []reports.InputFile{{Name: "config.json", Size: 1 << 20, SHA256: hash("config")}, {Name: "model.safetensors", Size: 30 << 30, SHA256: hash("weights")}},
			Importance: &reports.InputFile{Name: "dir/mini.imatrix", Size: 1, SHA256: hash("imatrix")},
			Program:    program, Machine: machine, Started: started, Seconds: 61.5, Source: "LLaDA2.0-mini", File: file, Files: []string{"mini-q4_0.gguf"},
			Tensors: 100, Weights: 16_255_643_392, Types: []reports.TypeUse{{Type: "q4_0", Tensors: 90, Weights: 16e9, Bytes: 9e9}, {Type: "f32", Tensors: 10, Weights: 255_643_392, Bytes: 1e9}},
		}}},
		Traces:   []reports.Result[reports.Trace]{{Path: "t.jsonl", Value: trace}},
		Problems: []reports.Problem{{Path: "old.json", Text: "it has version 9, and this program reads up to 1"}, {Path: "sweep.json", Text: "interrupted: 10 of 12 prompts"}},
	}
}
