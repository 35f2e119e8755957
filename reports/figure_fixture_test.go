package reports_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"lladakit/reports"
)

// sweepOf has a cell for each speed and share of right answers of 200.
func sweepOf(values ...[2]float64) *reports.Sweep {
	s := sweep()
	s.Interrupted, s.Prompts, s.Data, s.Cells = false, 200, "data/gsm8k.jsonl", nil
	for i, v := range values {
		s.Cells = append(s.Cells, reports.SweepCell{
			Model: "tiny-q8_0.gguf", Values: []string{fmt.Sprintf("0.%d", 5+i)}, Recommended: i == 0, Tokens: 400,
			Speed:    reports.Spread{N: 3, Median: v[0], Low: v[0] * 0.93, High: v[0] * 1.04},
			Accuracy: v[1], Right: int(v[1] * 200), Agree: v[1],
		})
	}
	return s
}

func divergence(kind string, size uint64, bits, mean float64) *reports.Divergence {
	return &reports.Divergence{
		Version: 1, Reference: reports.File{Name: "models/mini-bf16.gguf", SHA256: hash("reference")}, DataHash: hash("data"),
		Model: reports.File{Name: "models/mini-" + kind + ".gguf", Type: kind, Size: size, Bits: bits},
		All:   reports.DivergenceFigures{Positions: 4096, KLD: reports.Interval{Mean: mean, Low: mean * 0.8, High: mean * 1.3}},
	}
}

// mixture has the types of 8 layers of 64 experts, some of them kept at more bits.
func mixture() *reports.Conversion {
	random := rand.New(rand.NewPCG(1, 2))
	c := &reports.Conversion{Version: 1, File: reports.File{Name: "out/mini-mix.gguf"}}
	types := func(rest string) (all []string) {
		for range 64 {
			kind := rest
			switch random.IntN(12) {
			case 0:
				kind = "q6_k"
			case 1:
				kind = "iq4_nl"
			}
			all = append(all, kind)
		}
		return all
	}
	for layer := 1; layer <= 8; layer++ {
		gate := types("q4_k")
		c.Experts = append(c.Experts, reports.ExpertTypes{Layer: layer, Gate: gate, Up: gate, Down: types("q5_k")})
	}
	return c
}

// recorded is a trace of blocks of steps, with 4 layers that have experts and one that
// has none.
func recorded(blocks, steps int) *reports.Trace {
	random := rand.New(rand.NewPCG(3, 4))
	t := &reports.Trace{Header: reports.TraceHeader{Trace: 1, Block: 32}}
	for b := range blocks {
		for s := range steps {
			left := 1 - float64(s)/float64(steps)
			step := reports.TraceStep{Block: b, Step: s, Entropy: 2.5 * left * (0.7 + 0.6*random.Float64()), Experts: []int{0}}
			step.Margin = math.Min(1, 0.2+0.6*left*random.Float64())
			step.Zone = b > 0 && s < 2 && random.IntN(2) == 0
			for range 4 {
				step.Experts = append(step.Experts, 8+int(24*left*(0.5+random.Float64())))
			}
			t.Steps = append(t.Steps, step)
		}
	}
	return t
}

// answered is a run with answers of many lengths.
func answered(model, task string, n int) *reports.Run {
	random := rand.New(rand.NewPCG(5, 6))
	run := &reports.Run{Eval: &reports.Eval{
		Model: reports.EvalModel{Name: model},
		Tasks: []reports.EvalTask{{Task: task, N: n, Asked: n, Accuracy: 0.62, Low: 0.55, High: 0.69}},
	}}
	for i := range n {
		s := sample(task, i, 0, "RR")
		s.Tokens, s.Denoise = 32+random.IntN(200), 20+random.IntN(40)
		run.Samples = append(run.Samples, s)
	}
	return run
}

// generation is a benchmark with a generation of each model, and steps.
func generation(models ...string) *reports.Bench {
	b := fixture()
	steps := b.Tests[:1:1]
	b.Tests = nil
	for i, model := range models {
		gen, step := steps[0], steps[0]
		step.Model, step.Type = model, "llada2 16B "+strings.ToUpper(model)
		gen = step
		gen.Name, gen.Kind, gen.AvgTS = "gen128", "gen", 20*float64(i+1)
		gen.SamplesTS = []float64{gen.AvgTS * 0.95, gen.AvgTS * 1.02}
		gen.Size, step.Size = 0, 0
		gen.Phases.FFN *= float64(i + 1)
		b.Tests = append(b.Tests, step, gen)
	}
	return b
}

func results[T any](all ...*T) (list []reports.Result[T]) {
	for i, v := range all {
		list = append(list, reports.Result[T]{Path: fmt.Sprintf("results/%d.json", i+1), Value: v})
	}
	return list
}

// usual has what a folder of results has.
func usual() *reports.Collection {
	return &reports.Collection{
		Sweeps:  results(sweepOf([2]float64{21, 0.70}, [2]float64{30, 0.69}, [2]float64{33, 0.60}, [2]float64{45, 0.61}, [2]float64{60, 0.40}, [2]float64{18, 0.66})),
		Benches: results(generation("mini-q4_0.gguf", "mini-q8_0.gguf")),
		Evals:   results(answered("mini-q4_0.gguf", "gsm8k", 200), answered("mini-q8_0.gguf", "gsm8k", 150)),
		Divergences: results(
			divergence("q8_0", 17e9, 8.5, 0.0004), divergence("q6_k", 13e9, 6.56, 0.002), divergence("q4_k_m", 9.9e9, 4.9, 0.014),
			divergence("q4_0", 9.2e9, 4.5, 0.04), divergence("q4_1", 10.2e9, 5, 0.031), divergence("iq4_nl", 9.2e9, 4.5, 0.022),
			divergence("q3_k", 7.1e9, 3.44, 0.11), divergence("q2_k", 5.5e9, 2.63, 0.61)),
		Conversions: results(mixture()),
		Traces:      results(recorded(6, 12)),
	}
}
