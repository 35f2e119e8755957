package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

func TestSweep(t *testing.T) {
	out := filepath.Join(t.TempDir(), "sweep.json")
	text := done(t, "sweep -r 1 --limit 2 --gen-length 64 --task tiny-gsm8k --json --out", out, "--model", models.tiny, "--grid", "threshold=0.5,0.95", "threads=1")
	var got reports.Sweep
	require.NoError(t, json.Unmarshal([]byte(text), &got))
	file, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.Equal(t, text, string(file))
	require.Len(t, got.Cells, 2)
	assert.Equal(t, [][]string{{"0.95"}, {"0.5"}}, [][]string{got.Cells[0].Values, got.Cells[1].Values})
	assert.Equal(t, []int{2, 2, 1}, []int{got.Prompts, got.Asked, got.Repetitions})
	assert.Equal(t, 1, got.Cells[1].Threads)
	assert.True(t, got.Judged)
	assert.Equal(t, 1, got.Cells[0].Right, "the second of the two is answered rightly")
	assert.Equal(t, "llada2 4.2M BF16", got.Cells[0].Type)
	assert.Equal(t, "llada", got.Program.Name)
	assert.Equal(t, "sweep", got.Command[0])

	data := filepath.Join(t.TempDir(), "prompts.txt")
	require.NoError(t, os.WriteFile(data, []byte("What is 2 + 3?\nWhat is 3 + 4?\n"), 0o666))
	text = done(t, "sweep -r 1 --limit 1 --raw --gen-length 32 -o md,csv --model", models.tiny, "--data", data)
	assert.Contains(t, text, "recommended, front")
	assert.Contains(t, text, "1 prompt of prompts.txt")
	assert.NotContains(t, text, "right answers", "nothing judges")
	assert.Contains(t, text, `"model_filename","model_type"`)
}

// TestSweepInterrupted: what was done is a valid result, and the exit code is 4.
func TestSweepInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	out := filepath.Join(dir, "sweep.json")
	var stdout strings.Builder
	err := run(ctx, []string{"llada", "sweep", "--task", "tiny-gsm8k", "--out", out, "--pack", "none", "--model", models.tiny}, strings.NewReader(""), &stdout, &strings.Builder{})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 4, exitCode(err))
	data, err := os.ReadFile(out)
	require.NoError(t, err)
	var got reports.Sweep
	require.NoError(t, json.Unmarshal(data, &got))
	assert.True(t, got.Interrupted)
	assert.Zero(t, got.Prompts)
	assert.Contains(t, stdout.String(), "interrupted: 200 prompts were to be answered")
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, files, 1)
}

func TestSweepUsage(t *testing.T) {
	prompts := filepath.Join(t.TempDir(), "prompts.txt")
	require.NoError(t, os.WriteFile(prompts, []byte("x\n"), 0o666))
	task := "sweep --task tiny-gsm8k --model " + models.tiny
	for line, want := range map[string]string{
		"sweep":                                                   "--model is missing",
		"sweep --model= --task tiny-gsm8k":                        "--model is missing or empty",
		"sweep --model " + models.tiny:                            "give exactly one of --data, --task",
		task + " --data x":                                        "give exactly one of --data, --task",
		"sweep --task mmlu --model " + models.tiny:                `--task: "mmlu" is not one of gsm8k, humaneval, tiny-gsm8k, tiny-humaneval`,
		"sweep --task gsm8k-5shot --model " + models.tiny:         `--task: "gsm8k-5shot" is not one of`,
		task + " --raw":                                           "--raw is for --data",
		"sweep --data= --model " + models.tiny:                    "--data is empty",
		"sweep --model missing --task tiny-gsm8k --grid steps=0":  "--grid: steps: 0 has no meaning", // before the model is opened
		task + " --grid steps=1 x":                                `argument "x" is one too many`,
		task + " --grid steps=1 threshold=2":                      "--grid: threshold: 2 has no meaning",
		task + " --grid steps=1 --limit=x":                        "limit",
		task + " --grid steps=1 threshold=1 --json":               "flag --json must stand before",
		task + " threshold=1":                                     `"threshold=1" is one too many`,
		task + " --grid block-length=9999999":                     "block-length=9999999: prompt 1: ",
		task + " --limit 0":                                       "--limit: 0 is not between",
		task + " -r 0":                                            "--repetitions: 0 is not between",
		task + " --gen-length -1":                                 "--gen-length: -1 is not between",
		task + " -o sql":                                          `--output: "sql" is not one of md, json, csv`,
		task + " -o md --json":                                    "give one of them",
		task + " --out=":                                          "--out is empty",
		"sweep --data " + prompts + " --model x --out " + prompts: "is read, and would be overwritten",
		task + " --out " + models.tiny:                            "is read, and would be overwritten",
		task + " --pack x":                                        "--pack",
	} {
		o := llada(t, line)
		require.Error(t, o.err, line)
		assert.Equal(t, 2, o.code, "%s: %v", line, o.err)
		assert.Contains(t, message(o.err), want, line)
		assert.NotContains(t, message(o.err), "\n")
		assert.Empty(t, o.stdout)
	}
	assert.Equal(t, 3, llada(t, "sweep --task tiny-gsm8k --model missing").code)
	assert.Equal(t, 3, llada(t, "sweep --data missing --model "+models.tiny).code)
	assert.ErrorContains(t, llada(t, "sweep --task tiny-gsm8k --model "+models.narrow).err, "no vocabulary")
}
