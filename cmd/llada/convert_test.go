package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// files lists a folder.
func files(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestConvert(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.gguf")
	o := llada(t, "convert --type Q8_0 -t 2 --from "+models.narrowDir+" --out "+out)
	require.NoError(t, o.err)
	assert.Equal(t, out+"\n", o.stdout)
	assert.Regexp(t, `^40 tensors, 506464 weights, \S+ KiB, 8\.\d\d bits per weight, \d+\.\d s\n$`, o.stderr)
	assert.Equal(t, []string{"out.gguf"}, files(t, dir))
}

func TestConvertJSON(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.gguf")
	got := document[struct {
		Files         []string `json:"files"`
		Bytes         int64    `json:"bytes"`
		Type          string   `json:"type"`
		Tensors       int      `json:"tensors"`
		Weights       uint64   `json:"weights"`
		BitsPerWeight float64  `json:"bits_per_weight"`
		NonFinite     int64    `json:"nonfinite"`
		Fallbacks     []string `json:"fallbacks"`
		Neutral       int      `json:"neutral_experts"`
		Seconds       float64  `json:"seconds"`
	}](t, "convert --json --split-size 500kB --from "+models.narrowDir+" --out "+out)
	assert.Equal(t, "bf16", got.Type)
	assert.Equal(t, 40, got.Tensors)
	assert.EqualValues(t, 506464, got.Weights)
	assert.InDelta(t, 16, got.BitsPerWeight, 0.5)
	assert.Zero(t, got.NonFinite)
	assert.Positive(t, got.Seconds)
	require.Greater(t, len(got.Files), 2)
	assert.Len(t, files(t, dir), len(got.Files))
	var size int64
	for _, path := range got.Files {
		info, err := os.Stat(path)
		require.NoError(t, err)
		size += info.Size()
	}
	assert.Equal(t, size, got.Bytes)
	// Any shard stands for all of them.
	want := done(t, "run --ids 1,2,3 --gen-length 8 --model "+got.Files[0])
	assert.Equal(t, want, done(t, "run --ids 1,2,3 --gen-length 8 --model "+got.Files[2]))
}

func TestConvertIDs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "checkpoint")
	require.NoError(t, copyCheckpoint(dir, models.narrowDir, func(config map[string]any) { delete(config, "mask_token_id") }))

	convert := "convert --from " + dir + " --out " + filepath.Join(dir, "x.gguf")
	o := llada(t, convert)
	assert.Equal(t, 1, o.code)
	assert.ErrorContains(t, o.err, "mask_token_id")
	o = llada(t, convert+" --mask-id 99999999999")
	assert.Equal(t, 1, o.code)
	assert.ErrorContains(t, o.err, "outside the vocabulary of 320")
	done(t, convert+" --mask-id 301")
}

// Whenever an interrupt comes, nothing stays: before the work, in the first file,
// and when there are several.
func TestConvertInterrupted(t *testing.T) {
	for begun := range 3 {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for ctx.Err() == nil {
				if entries, _ := os.ReadDir(dir); len(entries) >= begun {
					cancel()
				}
			}
		}()
		args := strings.Fields("llada convert --json -t 1 --type iq4_nl --split-size 500kB --from " + models.tinyDir + " --out " + dir + "/x.gguf")
		var stdout, stderr strings.Builder
		err := run(ctx, args, strings.NewReader(""), &stdout, &stderr)
		assert.Equal(t, 4, exitCode(err), "%v", err)
		assert.Empty(t, files(t, dir))
		assert.Empty(t, stdout.String())
		assert.Empty(t, stderr.String())
	}
}
