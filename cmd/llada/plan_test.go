package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/bench"
)

// TestPlanCommand plans for a file, a folder and a shape. What is planned for a folder
// is what the file made of it takes.
func TestPlanCommand(t *testing.T) {
	memory := map[string]bench.PlanMemory{}
	for name, args := range map[string][]string{
		"file":   {"--model", models.tiny},
		"folder": {"--from", models.tinyDir, "--type", "bf16"},
		"shape":  {"--shape", "tiny", "--type", "q4_0", "--context", "64", "--experts-touched", "9", "--threads", "1", "--kv-type", "f32"},
	} {
		p := document[planOutput](t, "plan --json", args...)
		memory[name] = p.Memory
		assert.Positive(t, p.Step.Seconds, name)
		assert.Positive(t, p.Prefill.Seconds, name)
		assert.Positive(t, p.Memory.File, name)
		assert.NotEmpty(t, p.Verdict, name)
		if name != "shape" {
			assert.Equal(t, "bf16", p.Type, name)
			continue
		}
		assert.Equal(t, "q4_0", p.Type)
		assert.Equal(t, 64, p.Context)
		assert.Equal(t, 1, p.Threads)
		assert.Equal(t, "f32", p.KV)
		assert.EqualValues(t, 9, p.Experts)
	}
	assert.Equal(t, memory["file"], memory["folder"])
}

func TestPlanCheckCommand(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	out := done(t, "plan --check --shape tiny --type q8_0 --context 1024")
	for _, want := range []string{"predicted, ms", "measured, ms", "routed experts", "keys and values of 1024", "the step touched", "It fits"} {
		assert.Contains(t, out, want)
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	assert.Empty(t, left, "the random model")
}

func TestPlanUsage(t *testing.T) {
	for _, args := range [][]string{
		{}, {"--shape", "tiny", "--model", "x"}, {"--shape", ""}, {"--shape", "vast"}, {"--shape", "tiny", "--type", "q9"},
		{"--model", models.tiny, "--type", "q4_0"}, {"--from", models.tinyDir, "--check"}, {"--shape", "tiny", "--context", "0"},
		{"--shape", "tiny", "--context", "9999"}, {"--shape", "tiny", "--experts-touched", "-1"}, {"--shape", "tiny", "--experts-touched", "99"},
		{"--shape", "tiny", "--kv-type", "q3"}, {"--shape", "tiny", "--pack", "away"}, {"--shape", "tiny", "more"},
	} {
		o := llada(t, "plan", args...)
		assert.Equal(t, 2, o.code, "%q: %v", args, o.err)
	}
	assert.Equal(t, 3, llada(t, "plan --model absent.gguf").code)
}
