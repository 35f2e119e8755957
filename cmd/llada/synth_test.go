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

func TestSynth(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tiny.gguf")
	line := "synth --shape tiny:experts=64,groups=1 --type q8_0 --experts-touched 20 --json --out "
	s := document[synthesized](t, line+path)
	assert.Equal(t, []any{path, "gguf", "tiny:experts=64,groups=1", "q8_0", uint64(1), 20.0},
		[]any{s.Path, s.Form, s.Shape, s.Type, s.Seed, s.Wanted})
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, info.Size(), s.Bytes)
	require.Len(t, s.Touched, 3)
	for _, l := range s.Touched {
		assert.InEpsilon(t, 20, (l.IDs+l.Masks)/2, 0.1, "layer %d", l.Layer)
	}
	first := digest(t, path)
	document[synthesized](t, line+path)
	assert.Equal(t, first, digest(t, path))
	document[synthesized](t, "synth --seed 2"+strings.TrimPrefix(line, "synth")+path)
	assert.NotEqual(t, first, digest(t, path))
	assert.Contains(t, done(t, "run --gen-length 8 --steps 2 --ids 1,2,3 --json --model "+path), `"forwards"`)

	o := llada(t, "synth --shape tiny --experts-touched 8 --out "+path)
	require.NoError(t, o.err)
	assert.Equal(t, path+"\n", o.stdout)
	assert.Contains(t, o.stderr, "32 random tokens touch ")
	chance := document[synthesized](t, "synth --shape tiny --json --out "+path)
	assert.Equal(t, "q4_0", chance.Type)
	assert.Empty(t, chance.Touched)
}

// TestSynthFolder goes on to what a folder is made for.
func TestSynthFolder(t *testing.T) {
	dir := t.TempDir()
	folder, path := filepath.Join(dir, "checkpoint"), filepath.Join(dir, "model.gguf")
	s := document[synthesized](t, "synth --shape tiny --experts-touched 10 --hf --json --out "+folder)
	assert.Equal(t, []any{folder, "hf", "bf16"}, []any{s.Path, s.Form, s.Type})
	require.Len(t, s.Touched, 3)
	assert.Positive(t, s.Bytes)
	done(t, "convert --type q4_0 --from "+folder+" --out "+path)
	done(t, "verify --source "+folder+" --gguf "+path)
	assert.Contains(t, done(t, "run --gen-length 8 --steps 2 --ids 1,2,3 --json --model "+path), `"forwards"`)

	o := llada(t, "synth --shape tiny --hf --out "+folder)
	assert.Equal(t, 1, o.code)
	assert.ErrorContains(t, o.err, "exists and is not empty")
}

func TestSynthErrors(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "x.gguf")
	for line, want := range map[string]string{
		"synth --out " + out:                                           "flag --shape is missing",
		"synth --shape tiny":                                           "flag --out is missing",
		"synth --shape huge --out " + out:                              `--shape: shape "huge": "huge" is not mini, flash, tiny or LAYERSxHIDDEN`,
		"synth --shape tiny:heads=3,kv-heads=2 --out " + out:           "3 heads do not share 2 key-value heads evenly",
		"synth --shape tiny --type q9 --out " + out:                    "--type:",
		"synth --shape tiny --type i32 --out " + out:                   "weights of type i32",
		"synth --shape tiny --type q4_k --out " + out:                  "rows of 64 are no whole blocks of q4_k, which have 256",
		"synth --shape tiny --experts-touched 0 --out " + out:          "--experts-touched: 0 is not positive",
		"synth --shape tiny --experts-touched NaN --out " + out:        "--experts-touched: NaN is not positive",
		"synth --shape tiny --experts-touched 17 --out " + out:         "17 experts touched are not between 4, those of one token, and 16",
		"synth --shape tiny:layers=1 --experts-touched 8 --out " + out: "no layer has experts",
		"synth --shape tiny --out " + dir:                              "does not end in .gguf; give --hf too",
		"synth --shape tiny --hf --out " + out:                         "is the name of a GGUF file",
		"synth --shape tiny --hf --type q4_0 --out " + dir + "/new":    "has weights of type bf16",
		"synth --shape tiny --seed -1 --out " + out:                    "seed",
	} {
		o := llada(t, line)
		assert.Equal(t, 2, o.code, "%s: %v", line, o.err)
		assert.ErrorContains(t, o.err, want, line)
	}
	o := llada(t, "synth --shape 100x16384:experts=64 --type f32 --out "+out)
	assert.Equal(t, 3, o.code)
	assert.ErrorContains(t, o.err, "not enough free disk space")
	o = llada(t, "synth --shape tiny --out "+filepath.Join(dir, "missing", "x.gguf"))
	assert.Equal(t, 3, o.code)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := run(ctx, []string{"llada", "synth", "--shape", "tiny", "--out", out}, strings.NewReader(""), &strings.Builder{}, &strings.Builder{})
	assert.Equal(t, 4, exitCode(err))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}
