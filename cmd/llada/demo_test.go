package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDemo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	o := llada(t, "demo --out "+dir)
	require.NoError(t, o.err)
	for _, want := range []string{
		`^Converted the tiny checkpoint \(4225840 weights\) to q8_0: tiny-q8_0\.gguf, \d\.\d\d MiB\nConverted .* to q4_0: tiny-q4_0\.gguf, \d\.\d\d MiB\n\n> `,
		`\n  .*\\boxed\{\d+\}\n`, // the word problem's answer
		`\n  def \w+\(.*\):\n`,   // and the coding problem's
		`\n│ prompt tokens +│ +\d+ │ +\d+ │\n`,
		`\n│ finish +│ +eos │ +eos │\n`,
		`\n│ tiny-gsm8k +│ +40 │ +\d+ \(.* to .* %\) │ +\d+ \(.* to .* %\) │`,
		`\n│ tokens per forward +│ +\d+\.\d\d │ +\d+\.\d\d │\n`,
	} {
		assert.Regexp(t, want, o.stdout)
	}
	assert.Equal(t, []string{"tiny", "tiny-q4_0-eval", "tiny-q4_0.gguf", "tiny-q8_0-eval", "tiny-q8_0.gguf"}, files(t, dir))
	done(t, "run --ids 1 --gen-length 8 --model "+filepath.Join(dir, "tiny-q8_0.gguf"))
}

// Without --out nothing stays.
func TestDemoTemporary(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	done(t, "demo")
	assert.Empty(t, files(t, dir))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o666))
	assert.Equal(t, 3, llada(t, "demo --out "+filepath.Join(dir, "file")).code)
}
