package reports_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

func imported(t testing.TB, text string) ([]reports.Test, []string) {
	t.Helper()
	tests, notes, err := reports.ImportLlamaBench(strings.NewReader(text))
	require.NoError(t, err)
	return tests, notes
}

func TestImportLlamaBench(t *testing.T) {
	data, err := os.ReadFile("testdata/llama-bench.json")
	require.NoError(t, err)
	tests, notes := imported(t, string(data))
	require.Len(t, tests, 2)
	assert.Len(t, notes, 1)
	pp, tg := tests[0], tests[1]
	assert.Equal(t, []string{"pp512", "tg16 @ d512"}, []string{pp.Name, tg.Name})
	assert.Equal(t, []string{"prefill", "gen"}, []string{pp.Kind, tg.Kind})
	assert.Equal(t, reports.Test{
		BuildCommit: "8f91ca54e", CPUInfo: "AMD EPYC 7763 64-Core Processor", Backends: "CPU", Model: "models/mini-q4_0.gguf",
		Type: "llada2 ?B Q4_0 (guessed)", Size: 9238000000, Params: 16255643392, Threads: 2, TypeK: "f16", TypeV: "f16",
		Prompt: 512, Time: "2026-01-02T03:00:00Z", AvgNS: 8123456789, StddevNS: 12345678, AvgTS: 63.027, StddevTS: 0.096,
		SamplesNS: []uint64{8111111111, 8135802467}, SamplesTS: []float64{63.123, 62.931},
		Name: "pp512", Kind: "prefill", Tokens: 512, Warnings: pp.Warnings,
	}, pp)
	assert.Contains(t, pp.Warnings[0], "the head for the last position of a batch only")
	assert.Contains(t, tg.Warnings[0], "one token a forward")

	// The same rows as JSON lines, and an array that ends anywhere.
	lines := strings.NewReplacer("\n", "", "},  {", "}\n{", "[  {", "{", "}]", "}\n").Replace(string(data))
	again, _ := imported(t, lines)
	assert.Equal(t, tests, again)
	first := bytes.Index(data, []byte("  },")) + 3
	for n := first; n < len(data)-2; n++ {
		got, notes, err := reports.ImportLlamaBench(bytes.NewReader(data[:n]))
		require.NoError(t, err, "%d bytes", n)
		require.NotEmpty(t, got)
		require.Contains(t, notes[len(notes)-1], "cut off", "%d bytes", n)
		require.Equal(t, tests[:len(got)], got)
	}
}

// Builds of 2023 name their backends by booleans and the cache's type by another, and
// ik_llama.cpp names the test.
func TestImportOtherBuilds(t *testing.T) {
	const row = `"model_type":"llama 7B","n_threads":4,"avg_ts":2.5,"avg_ns":1`
	for text, want := range map[string]reports.Test{
		`{"cuda":true,"metal":false,"gpu_blas":true,"blas":true,"cpu_info":"C","gpu_info":"G","f16_kv":true,"n_prompt":512,"n_gen":0,` + row + `}`: {
			Name: "pp512", Backends: "CUDA", CPUInfo: "C, G", TypeK: "f16", TypeV: "f16", Prompt: 512},
		`{"cuda":false,"blas":true,"rpc":"0","cpu_info":"C","n_prompt":0,"n_gen":8,` + row + `}`:                               {Name: "tg8", Backends: "BLAS", CPUInfo: "C", Gen: 8},
		`{"vulkan":true,"rpc":"host:1","n_prompt":0,"n_gen":8,` + row + `}`:                                                    {Name: "tg8", Backends: "Vulkan,RPC", Gen: 8},
		`{"rpc":false,"ser":"-1,0","fused_moe":true,"n_prompt":512,"n_gen":128,"test":"tg128@pp512",` + row + `}`:              {Name: "tg128 @ d512", Backends: "CPU", Gen: 128, Depth: 512},
		`{"n_prompt":512,"n_gen":128,"test":"pp512+tg128","spec":"none",` + row + `}`:                                          {Name: "pp512+tg128", Backends: "CPU", Prompt: 512, Gen: 128},
		`{"backends":"CUDA,CPU","cpu_info":"C","gpu_info":"G","flash_attn":-1,"n_prompt":1,"n_gen":0,"n_depth":7,` + row + `}`: {Name: "pp1 @ d7", Backends: "CUDA,CPU", CPUInfo: "C, G", Prompt: 1, Depth: 7},
	} {
		tests, _ := imported(t, text)
		require.Len(t, tests, 1)
		got := tests[0]
		assert.Equal(t, want, reports.Test{
			Name: got.Name, Backends: got.Backends, CPUInfo: got.CPUInfo, TypeK: got.TypeK, TypeV: got.TypeV, Prompt: got.Prompt, Gen: got.Gen, Depth: got.Depth,
		}, "%s", text)
		assert.Equal(t, 2.5, got.AvgTS)
		assert.Equal(t, 4, got.Threads)
		assert.NotEmpty(t, got.Warnings)
	}
}

func TestImportDiffusion(t *testing.T) {
	tests, notes := imported(t, "load: x\n\ntotal time: 2492.16ms, time per step: 19.47ms, sampling time per step: 3.00ms\n"+
		"total time: 90.00ms, steps: 9, time per step: 10.00ms, sampling time per step: 0.10ms\n"+
		"total time: 0.00ms, time per step: 0.00ms\n")
	assert.Empty(t, notes)
	require.Len(t, tests, 2)
	assert.Equal(t, 128, tests[0].Steps)
	assert.Zero(t, tests[0].Forwards, "nothing is known of the steps that ran")
	assert.Equal(t, uint64(2_492_160_000), tests[0].AvgNS)
	assert.Contains(t, tests[0].Warnings[1], "divides by the steps asked for")
	assert.Equal(t, 9.0, tests[1].Forwards)
	assert.Zero(t, tests[1].Steps)
	assert.Len(t, tests[1].Warnings, 1)
}

func TestImportRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "neither JSON nor the times",
		"| model | size |":                "neither JSON nor the times",
		"[]":                              "no row",
		"[":                               "no row",
		"{}":                              "row 1: n_prompt and n_gen or avg_ts are missing",
		`[{"avg_ts":1}]`:                  "row 1: n_prompt and n_gen",
		`{"bench":1,"tests":[]}`:          "row 1: n_prompt",
		`[1]`:                             "row 1",
		`[{"n_prompt":1,"avg_ts":1e999}]`: "row 1",
		`[{"n_prompt":1,"avg_ts":-1}]`:    "row 1: avg_ts is -1",
		`[{"n_prompt":1,"avg_ts":1,"n_threads":-2}]`:                   "row 1: n_threads is -2",
		`[{"n_prompt":1,"avg_ts":1}] x`:                                "something follows",
		`[{"n_prompt":1,"avg_ts":1},{"n_prompt":"x"}]`:                 "row 2",
		`{"n_prompt":1,"avg_ts":1}` + strings.Repeat(" ", 32<<20) + "": "more than 32 MiB",
	} {
		_, _, err := reports.ImportLlamaBench(strings.NewReader(text))
		require.Error(t, err, "%.40s", text)
		assert.ErrorContains(t, err, want, "%.40s", text)
	}
}

// What can be imported can be shown and written beside ours.
func FuzzImportLlamaBench(f *testing.F) {
	data, err := os.ReadFile("testdata/llama-bench.json")
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte(`{"rpc":"x","n_prompt":1,"avg_ts":1,"test":"@"}{"n_gen":9223372036854775807,"n_prompt":2,"avg_ts":0}`))
	f.Add([]byte("total time: 2492.16ms, steps: 3, time per step: 19.47ms"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tests, notes, err := reports.ImportLlamaBench(bytes.NewReader(data))
		if err != nil {
			return
		}
		require.NotEmpty(t, tests)
		b := fixture()
		b.Imported = []reports.Imported{{Source: "x", Tests: tests, Notes: notes}}
		for _, form := range reports.BenchForms() {
			inForm(t, b, form)
		}
	})
}
