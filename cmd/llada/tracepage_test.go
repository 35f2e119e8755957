package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTracePage makes pages of a generation, and of one that was cut off, with flags before
// and after the trace.
func TestTracePage(t *testing.T) {
	dir := t.TempDir()
	trace, page := filepath.Join(dir, "trace.jsonl"), filepath.Join(dir, "trace.html")
	got := document[runDocument](t, "run --json --gen-length 24 --block-length 8 --model "+models.tiny+" --prompt Hello --trace "+trace)
	type printed struct {
		File    string   `json:"file"`
		Steps   int      `json:"steps"`
		Tokens  int      `json:"tokens"`
		Bytes   int      `json:"bytes"`
		Notices []string `json:"notices"`
	}
	p := document[printed](t, "trace --json --out "+page+" "+trace)
	data, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Equal(t, printed{page, got.Forwards.Denoise, len(got.IDs), len(data), []string{}}, p)
	assert.Contains(t, string(data), "<title>Trace of "+models.tiny+"</title>")
	again := filepath.Join(dir, "again.html")
	assert.Regexp(t, `^.*again\.html: \d+ steps, \d+ tokens, \d+\.\d kB\n$`, done(t, "trace "+trace+" --out "+again))
	assert.Equal(t, digest(t, page), digest(t, again))

	lines, err := os.ReadFile(trace)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(trace, lines[:len(lines)-10], 0o666))
	o := llada(t, "trace "+trace+" --out "+again)
	require.NoError(t, o.err)
	assert.Contains(t, o.stderr, "llada: The trace has no end")
}

func TestTracePageRefused(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad")
	require.NoError(t, os.WriteFile(bad, []byte("{}\n"), 0o666))
	out := " --out " + filepath.Join(dir, "page.html")
	for _, c := range []struct {
		line, want string
		code       int
	}{
		{"trace", "FILE is missing", 2},
		{"trace " + bad, "--out is missing", 2},
		{"trace " + bad + " --out=", "--out is empty", 2},
		{"trace " + bad + " " + bad + out, "one too many", 2},
		{"trace " + bad + out + " --nonsense", "nonsense", 2},
		{"trace " + bad + " --out " + bad, "is read, and would be overwritten", 2},
		{"trace " + bad + out, bad + ": no trace: line 1: version 0 is not between 1 and 1", 1},
		{"trace " + filepath.Join(dir, "missing") + out, "missing", 3},
		{"trace " + bad + " --out " + filepath.Join(dir, "missing", "page.html"), "missing", 3},
	} {
		o := llada(t, c.line)
		assert.Equal(t, c.code, o.code, "%s: %v", c.line, o.err)
		assert.ErrorContains(t, o.err, c.want)
		assert.Empty(t, o.stdout)
	}
	assert.Equal(t, []string{"bad"}, files(t, dir), "nothing is left behind")
}
