package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

func TestBench(t *testing.T) {
	out := filepath.Join(t.TempDir(), "result.json")
	text := done(t, "bench -r 1 -p 64 -n 32 -d 0,32 -t 1 --steps 2 -o json --model", models.tiny, "--out", out)
	var got reports.Bench
	require.NoError(t, json.Unmarshal([]byte(text), &got))
	var names []string
	for _, x := range got.Tests {
		names = append(names, x.Name)
		assert.Empty(t, x.Error)
		assert.Equal(t, models.tiny, x.Model)
		assert.Equal(t, "llada2 4.2M BF16", x.Type)
		assert.Equal(t, 1, x.Threads)
		assert.Len(t, x.SamplesNS, 1)
	}
	assert.Equal(t, []string{
		"pp64", "step32", "step32/16", "commit32", "block32", "gen32",
		"pp64 @ d32", "step32 @ d32", "step32/16 @ d32", "commit32 @ d32", "block32 @ d32", "gen32 @ d32",
	}, names)
	assert.Equal(t, "forced: 16 tokens a step", got.Tests[4].Schedule)
	assert.Equal(t, "threshold 0.95", got.Tests[5].Schedule, "a trained model decides itself")
	assert.Equal(t, "llada", got.Program.Name)
	assert.Equal(t, "bench", got.Command[0])
	file, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.Equal(t, text, string(file))
}

// TestBenchForms requires that every form is printed, for a model with random weights.
func TestBenchForms(t *testing.T) {
	for _, form := range reports.BenchForms() {
		text := done(t, "bench --synthetic tiny --layers 2 --type q8_0 -r 1 --tests commit32,gen32 -o", form)
		assert.Contains(t, strings.ToLower(text), "commit32", form)
		assert.Contains(t, strings.ToLower(text), "gen32", form)
	}
	text := done(t, "bench --synthetic tiny --layers 2 --type q8_0,f16 -r 1 --tests commit --interleave -o json")
	var got reports.Bench
	require.NoError(t, json.Unmarshal([]byte(text), &got))
	require.Len(t, got.Tests, 2)
	assert.True(t, got.Interleave)
	assert.Equal(t, "synthetic tiny q8_0", got.Tests[0].Model)
	assert.Equal(t, "synthetic tiny f16", got.Tests[1].Model)
}

// TestBenchInterrupted: what was done is a valid result.
func TestBenchInterrupted(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := t.TempDir()
	begun, out := filepath.Join(dir, "begun"), filepath.Join(dir, "result.json")
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(begun); err == nil {
				cancel()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	args := []string{
		"llada", "bench", "--model", models.narrow, "--tests", "commit,gen16", "-r", "2",
		"--external", "sh -c 'touch " + begun + "; sleep 60'", "--out", out, "-o", "json",
	}
	var stdout strings.Builder
	err := run(ctx, args, strings.NewReader(""), &stdout, io.Discard)
	require.Equal(t, 4, exitCode(err), "%v", err)
	data, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.Equal(t, stdout.String(), string(data))
	var got reports.Bench
	require.NoError(t, json.Unmarshal(data, &got))
	assert.True(t, got.Interrupted)
	require.Len(t, got.Tests, 2)
	assert.Equal(t, []int{3, 2}, []int{got.Asked, got.Repetitions}, "what was to be done")
	assert.Len(t, got.Tests[1].SamplesNS, 2)
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestBenchErrors(t *testing.T) {
	before := digest(t, models.narrow)
	dir := t.TempDir()
	for _, c := range []struct {
		line    string
		code    int
		message string
	}{
		{"bench", 2, "give --model, --synthetic or --external"},
		{"bench --model", 2, "flag needs an argument"},
		{"bench --model MODEL -p 1-1000000000", 2, `--n-prompt: range "1-1000000000" makes more than 256 values`},
		{"bench --model MODEL -p x", 2, `--n-prompt: "x" is not a number`},
		{"bench --model MODEL --threshold 2", 2, "threshold 2 is above 1"},
		{"bench --model MODEL --tests tg128", 2, `"tg128" is not a test such as`},
		{"bench --model MODEL --policy best", 2, `policy "best" is not one of`},
		{"bench --model MODEL -r 0", 2, "--repetitions: 0 is not between 1 and"},
		{"bench --model MODEL -o xml", 2, `--output: "xml" is not one of md, json`},
		{"bench --model MODEL -d 33", 2, "depth 33 is no whole blocks of 32"},
		{"bench --model MODEL --pack here", 2, "--pack"},
		{"bench --model MODEL --out MODEL", 2, "is read, and would be overwritten"},
		{"bench --model MODEL --type q4_0", 2, "--type is for --synthetic"},
		{"bench --model MODEL --external 'a", 2, "has a quote ' that does not end"},
		{"bench --model MODEL extra", 2, `argument "extra" is one too many`},
		{"bench --synthetic huge", 2, "--synthetic: "},
		{"bench --synthetic tiny --type q9", 2, "--type: "},
		{"bench --synthetic tiny --layers 0", 2, "--layers: 0 is not above 0"},
		{"bench --synthetic tiny --experts-touched 0", 2, "--experts-touched: 0 is not positive"},
		{"bench --model MODEL --out " + dir, 2, "--out: " + dir + " is there and not a regular file"},
		{"bench --external no-such-program-anywhere", 3, "no-such-program-anywhere"},
		{"bench --model MODEL.not", 3, "MODEL.not"},
		{"bench --model MODEL --import MODEL.json", 3, "MODEL.json"},
	} {
		o := llada(t, strings.ReplaceAll(c.line, "MODEL", models.narrow))
		assert.Equal(t, c.code, o.code, "%s: %v", c.line, o.err)
		require.ErrorContains(t, o.err, strings.ReplaceAll(c.message, "MODEL", models.narrow), c.line)
		assert.Empty(t, o.stdout, c.line)
	}
	assert.Equal(t, before, digest(t, models.narrow))

	// A program that fails is a failure, and the others are measured.
	out := filepath.Join(dir, "result.json")
	o := llada(t, "bench -r 1 -o json --external true --external false --out", out)
	assert.Equal(t, 1, o.code)
	require.ErrorContains(t, o.err, "false: exit status 1")
	var got reports.Bench
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &got))
	require.Len(t, got.Tests, 2)
	assert.Len(t, got.Tests[0].SamplesNS, 1)
	assert.NotEmpty(t, got.Tests[1].Error)
	assert.FileExists(t, out)
}

// TestResultOutput: a file that cannot be written does not keep a result from being
// printed.
func TestResultOutput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	file, err := createFile(path)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	o := resultOutput{forms: []string{"json"}, file: file}
	defer o.close()
	var stdout strings.Builder
	require.ErrorIs(t, o.write(newOutput(&stdout, nil), &reports.Bench{}), os.ErrClosed)
	assert.True(t, json.Valid([]byte(stdout.String())), "%q", stdout.String())
	assert.NoFileExists(t, path)
}
