package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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
		`\nHow far tiny-q4_0\.gguf is from tiny-q8_0\.gguf at masked positions: KLD 0\.\d+ nats, the same most probable token at \d+\.\d\d % of \d+\n`,
		`\n│ tiny-gsm8k +│ +40 │ +\d+ \(.* to .* %\) │ +\d+ \(.* to .* %\) │`,
		`\n│ tokens per forward +│ +\d+\.\d\d │ +\d+\.\d\d │\n`,
		`\n│ tiny-q8_0 +│ step32 +│ +\d+ │ +│ +\d+\.\d\d │\n`,
		`\n` + regexp.QuoteMeta(dir) + `/report\.html\n` + regexp.QuoteMeta(dir) + `/report\.md\n`,
	} {
		assert.Regexp(t, want, o.stdout)
	}
	kept := slices.DeleteFunc(files(t, dir), func(name string) bool { return strings.HasSuffix(name, ".svg") })
	assert.Equal(t, []string{
		"bench.json", "convert-q4_0.json", "convert-q8_0.json", "kld.json", "report.html", "report.md", "sweep.json", "tiny", "tiny-q4_0-eval", "tiny-q4_0.gguf",
		"tiny-q8_0-eval", "tiny-q8_0.gguf", "trace.jsonl", "verify-q4_0.json", "verify-q8_0.json",
	}, kept)
	for _, name := range []string{"report.html", "report.md"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		for _, want := range []string{"What llada demo measured", "tiny-q4_0.gguf", "tiny-gsm8k", "step32", "no result of HumanEval"} {
			assert.Contains(t, string(text), want)
		}
		for _, missing := range []string{"no divergence", "no record of a conversion", "no verification", "no sweep", "no benchmark", "no recorded"} {
			assert.NotContains(t, string(text), missing)
		}
	}
	done(t, "run --ids 1 --gen-length 8 --model "+filepath.Join(dir, "tiny-q8_0.gguf"))
}

// Without --out only the report stays.
func TestDemoTemporary(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	out := done(t, "demo")
	left := files(t, dir)
	require.Len(t, left, 1)
	assert.Contains(t, out, filepath.Join(dir, left[0], "report.html")+"\n")
	kept := slices.DeleteFunc(files(t, filepath.Join(dir, left[0])), func(name string) bool { return strings.HasSuffix(name, ".svg") })
	assert.Equal(t, []string{"report.html", "report.md"}, kept)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o666))
	assert.Equal(t, 3, llada(t, "demo --out "+filepath.Join(dir, "file")).code)
}
