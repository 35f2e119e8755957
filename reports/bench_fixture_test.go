package reports_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

// update writes the golden files anew. Those of versions may get fields more, and must
// lose none.
var update = flag.Bool("update", false, "write testdata anew")

// hostile is a name with everything that forms could trip over.
const hostile = "a|b\\|c`d`'e''f\"g\"<b>&amp;*h*\r\n-- i; DROP TABLE llada_bench;\x1b[31m\x00\t é世界 [j](k)"

// fixture is a result with tests of several kinds: a prefill, steps, a generation, and one
// with a hostile name and hardly a value.
func fixture() *reports.Bench {
	step := reports.Test{
		BuildCommit: "0123abc", CPUInfo: "AMD EPYC 7763 64-Core Processor", Backends: "CPU",
		Model: "models/mini-q4_0.gguf", Type: "llada2 16B Q4_0", Size: 9_238_000_000, Params: 16_255_643_392, Threads: 2,
		TypeK: "f16", TypeV: "f16", Time: "2026-01-02T03:04:05Z",
		AvgNS: 171_000_000, StddevNS: 2_000_000, SamplesNS: []uint64{169_000_000, 171_000_000, 173_000_000},
		Name: "step32", Kind: "step", Block: 32, Policy: "threshold", Profile: "exact", Class: "exact", Pack: "memory",
		Forward:  reports.Spread{N: 3, Median: 171e6, Low: 169e6, High: 173e6, Min: 169e6, Max: 173e6, Mean: 171e6, Stddev: 2e6},
		Forwards: 1, Rows: 32, Logits: 32, Experts: 163.25, Bytes: 5.8e9, MACs: 35.2e9,
		Phases: reports.Phases{Projections: 20e6, Attention: 1e6, FFN: 110e6, Head: 35e6, Other: 3e6, Explained: 0.99},
		Read:   34.2, Products: 207.1, Memory: 0.78, Compute: 0.63,
	}
	half := step
	half.Name, half.Logits, half.Warnings = "step32/16", 16, []string{"the machine was busy: load 1.7"}
	prefill := step
	prefill.Name, prefill.Kind, prefill.Prompt, prefill.Tokens, prefill.Logits, prefill.Block = "pp512", "prefill", 512, 512, 0, 0
	prefill.AvgTS, prefill.StddevTS, prefill.SamplesTS = 301.234, 4.5, []float64{305, 301, 297.5}
	gen := prefill
	gen.Name, gen.Kind, gen.Prompt, gen.Gen, gen.Tokens, gen.Depth = "gen128 @ d1024", "gen", 0, 128, 128, 1024
	gen.Block, gen.Steps, gen.Threshold, gen.Policy, gen.Class, gen.TPF, gen.Forwards = 32, 8, 0.95, "factor", "approximate", 4, 32
	gen.Schedule = "forced: 4 tokens a step"
	odd := reports.Test{Model: "dir/" + hostile, Type: hostile, Threads: 1, Name: "cmd'1'", Kind: "process", AvgNS: 1_500_000_000, SamplesNS: []uint64{1_500_000_000},
		Error: "it ended with 3", Process: &reports.Process{Command: "cmd '1'", UserNS: 1e9, Memory: 1 << 30}}
	return &reports.Bench{
		Version: 1,
		Program: reports.Program{Name: "llada", Commit: "0123abc", Go: "go1.26.0", Kernels: "avx2"},
		Machine: reports.Machine{
			OS: "linux", Arch: "amd64", CPU: "AMD EPYC 7763 64-Core Processor", Flags: []string{"avx2", "fma", "f16c"}, CPUs: 2, Cores: 1,
			Affinity: []int{0, 1}, Governor: "performance", MHz: 3240.5, Memory: 16 << 30, Huge: "always", MemoryTotal: 32 << 30, Warnings: []string{"two CPUs share a core"},
		},
		Limits:     []reports.Limits{{Threads: 2, Memory: 44, Int4: 331, Int8: 195, Float: 103}},
		Command:    []string{"llada", "bench", "--model", "it's | here"},
		Started:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Interleave: true, Interrupted: true, Asked: 8, Repetitions: 3,
		Tests: []reports.Test{prefill, step, half, gen, odd},
	}
}

// beside has results of llama-bench too.
func beside(t testing.TB) *reports.Bench {
	f, err := os.Open("testdata/llama-bench.json")
	require.NoError(t, err)
	defer f.Close()
	tests, notes, err := reports.ImportLlamaBench(f)
	require.NoError(t, err)
	b := fixture()
	b.Tests, b.Interrupted = b.Tests[:2], false
	b.Imported = []reports.Imported{{Source: "results/llama-bench.json", Tests: tests, Notes: notes}}
	return b
}

func inForm(t testing.TB, b *reports.Bench, form string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, b.Write(&out, form))
	return out.String()
}

// golden holds text against a file.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}
