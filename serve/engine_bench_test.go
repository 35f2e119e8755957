package serve

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/bench"
	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// benchModel returns a random model, three layers of mini's shape, or the file that
// LLADA_BENCH_MODEL names. No answer of it ends early.
func benchModel(b *testing.B) *runtime.Model {
	b.Helper()
	var m *runtime.Model
	var err error
	if path := os.Getenv("LLADA_BENCH_MODEL"); path != "" {
		m, err = runtime.Load(path, runtime.LoadOptions{})
	} else {
		c, wrong := bench.Shape("mini")
		require.NoError(b, wrong)
		c.Layers = 3
		m, err = bench.LoadSynthetic(b.Context(), b.TempDir(), bench.Synthetic{Config: c, Type: gguf.Q4_0}, runtime.LoadOptions{})
	}
	require.NoError(b, err)
	b.Cleanup(func() { m.Close() })
	m.EOSID = -1
	return m
}

func benchRequest(m *runtime.Model, rng *rand.Rand, prompt, length int) Request {
	r := Request{Options: m.Defaults()}
	r.Options.GenLength, r.Options.Threshold, r.Options.Steps = length, 1, 8
	for range prompt {
		r.Prompt = append(r.Prompt, rng.Int32N(int32(m.Config.Vocab-2)))
	}
	return r
}

// BenchmarkEngine answers eight requests of 96 tokens, four tokens a step, one at a time
// and all in a batch, in turns, and reports the tokens per second of both and how many
// times as many the batch has.
//
//	go test ./serve -run '^$' -bench Engine -benchtime 3x
func BenchmarkEngine(b *testing.B) {
	m := benchModel(b)
	rng := rand.New(rand.NewPCG(5, 6))
	var requests []Request
	for range 8 {
		requests = append(requests, benchRequest(m, rng, 64, 96))
	}
	sizes := []int{1, 8}
	var tokens, seconds [2]float64
	for b.Loop() {
		for i, size := range sizes {
			e := NewEngine(m, EngineOptions{Batch: size})
			var all []*Answer
			for _, r := range requests {
				all = append(all, submit(b, e, r))
			}
			for _, a := range all {
				_, _, done := read(a)
				require.NoError(b, done.Err)
				tokens[i] += float64(done.Tokens)
			}
			require.NoError(b, e.Close(context.Background()))
			seconds[i] += e.Stats().Seconds
		}
	}
	for i, size := range sizes {
		b.ReportMetric(tokens[i]/seconds[i], fmt.Sprintf("tokens/s-of-%d", size))
	}
	b.ReportMetric(tokens[1]/seconds[1]/(tokens[0]/seconds[0]), "times")
}

// BenchmarkLongPrompt has three answers in the making, and reports how long their steps
// take while nothing else is asked, and while a prompt of 2048 tokens is read; and how
// many steps each of them took meanwhile.
//
//	go test ./serve -run '^$' -bench LongPrompt -benchtime 3x
func BenchmarkLongPrompt(b *testing.B) {
	m := benchModel(b)
	rng := rand.New(rand.NewPCG(7, 8))
	var alone, beside, passes float64
	for b.Loop() {
		e := NewEngine(m, EngineOptions{Batch: 4})
		var all []*Answer
		for range 3 {
			r := benchRequest(m, rng, 64, 1024)
			r.Steps = true
			all = append(all, submit(b, e, r))
		}
		until(all[2], 8)
		from := e.Stats()
		until(all[2], 24)
		mid := e.Stats()
		long := submit(b, e, benchRequest(m, rng, 2048, 32))
		_, _, done := read(long)
		require.NoError(b, done.Err)
		n := done.Result.Forwards.Prefill
		to := e.Stats()
		for _, a := range all {
			a.Cancel()
			read(a)
		}
		require.NoError(b, e.Close(context.Background()))
		step := (mid.Seconds - from.Seconds) / float64(mid.Passes-from.Passes)
		rest := float64(to.Passes-mid.Passes) - float64(n) // the long answer's own steps, and what began before it
		alone += step
		beside += (to.Seconds - mid.Seconds - rest*step) / float64(n)
		passes += float64(n)
	}
	b.ReportMetric(1000*alone/float64(b.N), "ms/step-alone")
	b.ReportMetric(1000*beside/float64(b.N), "ms/step-beside")
	b.ReportMetric(passes/float64(b.N), "steps-meanwhile")
	b.ReportMetric(beside/alone, "times")
}

// until reads an answer up to a number of steps.
func until(a *Answer, steps int) {
	for {
		event, ok := a.Next()
		if !ok || event.Step != nil && event.Step.Forwards >= steps {
			return
		}
	}
}
