package main

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
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

// resultOfWork is what the JSON of convert and quantize has beside the fields that it
// always had.
type resultOfWork struct {
	Version int                   `json:"conversion"`
	Program reports.Program       `json:"program"`
	Machine reports.Machine       `json:"machine"`
	Command []string              `json:"command"`
	Started time.Time             `json:"started"`
	Source  string                `json:"source"`
	Sources []reports.InputFile   `json:"source_files"`
	Imatrix *reports.InputFile    `json:"imatrix"`
	File    reports.File          `json:"file"`
	Types   []reports.TypeUse     `json:"types"`
	Experts []reports.ExpertTypes `json:"experts"`
}

// readResult reads a result file.
func readResult[T any](t testing.TB, path string, read func(io.Reader) (*T, error)) *T {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	v, err := read(f)
	require.NoError(t, err)
	return v
}

func TestConvertReport(t *testing.T) {
	dir := t.TempDir()
	out, report := filepath.Join(dir, "out.gguf"), filepath.Join(dir, "out.json")
	line := "convert --type q8_0 --expert-type experts=0-1:q4_0 --from " + models.tinyDir + " --out " + out
	assert.Equal(t, out+"\n", done(t, line+" --report "+report))
	c := readResult(t, report, reports.ReadConversion)
	assert.Equal(t, strings.Fields(line+" --report "+report), c.Command)
	assert.Equal(t, []any{2, "llada", models.tinyDir, []string{out}, "q8_0"}, []any{c.Version, c.Program.Name, c.Source, c.Files, c.Type})
	assert.Equal(t, digest(t, out), c.File.SHA256)
	assert.Equal(t, []any{out, "q8_0", c.Bits}, []any{c.File.Name, c.File.Type, c.File.Bits})
	assert.NotEmpty(t, c.Machine.CPUs)
	assert.Nil(t, c.Importance)
	read := map[string]bool{}
	for _, f := range c.Sources {
		read[filepath.Base(f.Name)] = true
		assert.Equal(t, digest(t, f.Name), f.SHA256)
	}
	assert.Subset(t, slices.Collect(maps.Keys(read)), []string{"config.json", "model-00002-of-00002.safetensors", "tokenizer.json"})
	var tensors int
	var weights, bytes uint64
	for _, use := range c.Types {
		tensors, weights, bytes = tensors+use.Tensors, weights+use.Weights, bytes+use.Bytes
	}
	assert.Equal(t, []any{c.Tensors, c.Weights, c.File.Size}, []any{tensors, weights, bytes})
	assert.Less(t, c.File.Size, c.Bytes)
	require.Len(t, c.Experts, 3)
	assert.Equal(t, 1, c.Experts[0].Layer)
	for _, types := range [][]string{c.Experts[0].Gate, c.Experts[0].Up, c.Experts[2].Down} {
		require.Len(t, types, 16)
		assert.Equal(t, []string{"q4_0", "q4_0", "q8_0"}, types[:3])
	}

	found, err := reports.Collect(dir)
	require.NoError(t, err)
	assert.Equal(t, []reports.Result[reports.Conversion]{{Path: "out.json", Value: c}}, found.Conversions)
	assert.Empty(t, found.Problems)

	before := digest(t, filepath.Join(models.tinyDir, "config.json"))
	for mistake, want := range map[string]string{
		line + " --report=":                                                  "--report is empty",
		line + " --report " + dir:                                            "not a regular file",
		line + " --report " + dir + "/./out.gguf":                            "--report and --out are the same file",
		line + " --report " + models.tinyDir + "/config.json":                "would be overwritten",
		"convert --dry-run --from " + models.tinyDir + " --report " + report: "--dry-run writes nothing",
	} {
		o := llada(t, mistake)
		assert.Equal(t, 2, o.code, mistake)
		assert.ErrorContains(t, o.err, want, mistake)
	}
	assert.Equal(t, before, digest(t, filepath.Join(models.tinyDir, "config.json")))
	assert.Equal(t, []string{"out.gguf", "out.json"}, files(t, dir))
	assert.Equal(t, 3, llada(t, line+" --report "+dir+"/no/such/folder").code)

	plan := done(t, "convert --json --dry-run --from "+models.tinyDir)
	assert.Contains(t, plan, `"plan"`)
	assert.NotContains(t, plan, `"conversion"`, "it is no result")
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
		resultOfWork
	}](t, "convert --json --split-size 500kB --from "+models.narrowDir+" --out "+out)
	assert.Equal(t, "bf16", got.Type)
	assert.Equal(t, 40, got.Tensors)
	assert.EqualValues(t, 506464, got.Weights)
	assert.InDelta(t, 16, got.BitsPerWeight, 0.5)
	assert.Zero(t, got.NonFinite)
	assert.Positive(t, got.Seconds)
	assert.Equal(t, []any{reports.ConversionVersion, "llada", models.narrowDir, "bf16", 64}, []any{got.Version, got.Program.Name, got.Source, got.File.Type, len(got.File.SHA256)})
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
