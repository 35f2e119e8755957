package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An interrupted run says what it has, and can be resumed.
func TestProgramEvalInterrupted(t *testing.T) {
	noCluster(t)
	dir := filepath.Join(t.TempDir(), "run")
	args := []string{"eval", "--model", models.tiny, "--task", "tiny-gsm8k", "--limit", "40", "--batch", "1", "--out", dir}
	cmd := program(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	samples := func() int {
		data, _ := os.ReadFile(filepath.Join(dir, "samples.jsonl"))
		return bytes.Count(data, []byte("\n"))
	}
	code := signalled(t, cmd, os.Interrupt, func() bool { return samples() > 0 })
	require.Equal(t, 4, code, stderr.String())
	assert.Regexp(t, `llada: interrupted\n$`, stderr.String())
	assert.Contains(t, stdout.String(), "of 40")
	had := samples()
	require.Less(t, had, 40)
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	require.NoError(t, err)
	assert.Contains(t, string(text), `"interrupted": true`)

	cmd = program(append(args, "--resume")...)
	require.NoError(t, cmd.Run())
	assert.Equal(t, 40, samples())
	text, err = os.ReadFile(filepath.Join(dir, "results.json"))
	require.NoError(t, err)
	assert.NotContains(t, string(text), "interrupted")
}
