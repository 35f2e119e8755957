package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTemplate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "template")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o666)) }
	line := "run --json --model " + models.tiny + " --template " + path

	// The known solution with its numbers left out.
	write("6 + 10 = <|mask:2|>\n6 + 16 = <|mask|><|mask|>\n\\boxed{<|mask:2|>}")
	got := document[runDocument](t, line, "--prompt", question(t))
	assert.True(t, strings.HasPrefix(got.Text, "6 + 10 = "), "%s", got.Text)
	assert.Contains(t, got.Text, "\n6 + 16 = ")
	assert.Contains(t, got.Text, "\n\\boxed{")
	assert.Len(t, got.IDs, len(got.Settings.Template))
	assert.Equal(t, "length", got.Finish)

	for text, want := range map[string]string{
		"no hole":                            "it has no hole",
		"<|mask:0|>":                         "a hole of 0 tokens is not between",
		"<|mask:99999999|>":                  "a hole of 99999999 tokens is not between",
		"<|mask:9999999999999999999999999|>": "a hole of 99999999999999999999 tokens",
		strings.Repeat("<|mask:4000|>", 9):   "",
	} {
		write(text)
		o := llada(t, line, "--prompt", "x")
		assert.NotZero(t, o.code, "%s", text)
		assert.ErrorContains(t, o.err, want)
		assert.Empty(t, o.stdout)
	}
	o := llada(t, "run --ids 1 --model "+models.narrow+" --template "+path)
	assert.Equal(t, 2, o.code)
	assert.ErrorContains(t, o.err, "has no vocabulary, which --template needs")
	assert.Equal(t, 3, llada(t, "run --ids 1 --template missing --model "+models.tiny).code)
	write("<|mask:5|>")
	o = llada(t, line+" --gen-length 4", "--prompt", "x")
	assert.Equal(t, 2, o.code)
	assert.ErrorContains(t, o.err, "a template of 5 tokens exceeds the generation length 4")
}

func TestSettingsOfApproximations(t *testing.T) {
	line := "run --json --ids 1,2,3 --gen-length 40 --threshold 0.5 --model " + models.narrow + " "
	exact := document[runDocument](t, line+"--audit 3 --without fused-commit,pruned-layer")
	assert.Equal(t, map[string]bool{"fused_commit": true, "pruned_layer": true}, exact.Settings.Without)
	assert.Zero(t, exact.Forwards.Fused)
	assert.Equal(t, 3, exact.Audit.Steps)
	assert.Zero(t, exact.Audit.LargestLogit)
	some := document[runDocument](t, line+"--coreset 0.5:3 --delayed 4 --audit 3")
	assert.Equal(t, "exact-context", some.Class)
	assert.Equal(t, 3, some.Settings.Coreset.Min)
	assert.Positive(t, some.Audit.LargestLogit)
	assert.Equal(t, 5, document[runDocument](t, line+"--coreset 5").Settings.Coreset.Size)
	some = document[runDocument](t, line+"--policy hierarchical --low-threshold 0.1 --sub-block 8")
	assert.Equal(t, "approximate", some.Class)
	assert.Equal(t, 8, some.Settings.Policy.SubBlock)
	assert.InDelta(t, 0.1, some.Settings.Policy.LowThreshold, 1e-6)
	assert.NotEqual(t, some.Forwards.Denoise, exact.Forwards.Denoise)
	assert.InDelta(t, 0.5, document[runDocument](t, line+"--kv-keep 0.5").Settings.KVKeep, 1e-9)
	assert.Equal(t, 8, document[runDocument](t, line+"--profile balanced --policy threshold").Settings.Delayed)
	assert.Equal(t, "approximate", document[runDocument](t, line+"--profile turbo").Class)
	for flags, want := range map[string]string{
		"--kv-keep 2":                     "kv-keep 2 is not between 0 and 1",
		"--profile x":                     `profile "x" is not one of exact, balanced, turbo, reference`,
		"--policy x":                      `--policy: "x" is not one of threshold, factor, `,
		"--policy joint --delayed 4":      "policy joint looks at all positions in every step",
		"--factor -1":                     "--factor -1 must not be negative",
		"--post-steps -1":                 "--post-steps -1 must not be negative",
		"--credit-decay 2":                "credit decay 2 is above 1",
		"--sub-block 33":                  "sub-block 33 is longer than the block of 32 positions",
		"--sub-block -1":                  "sub-block -1 must not be negative",
		"--coreset x":                     `--coreset: "x" is neither a number of experts nor P:MIN`,
		"--coreset -3":                    `--coreset: "-3" is neither a number of experts nor P:MIN`,
		"--coreset 2:3":                   `--coreset: "2:3" is no share between 0 and 1`,
		"--coreset 0.5:x":                 `--coreset: "0.5:x" is no share between 0 and 1`,
		"--without x":                     `--without: "x" is not one of`,
		"--delayed -1":                    "delayed -1 must not be negative",
		"--audit 100":                     "audit of 100 steps is not between 0 and 64",
		"--profile reference --delayed 2": "the reference profile is exact",
	} {
		o := llada(t, line+flags)
		assert.Equal(t, 2, o.code, flags)
		assert.ErrorContains(t, o.err, want)
	}
}

func TestPromptCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	line := "run --json --gen-length 32 --model " + models.narrow + " --prompt-cache " + dir + " --ids " + strings.TrimSuffix(strings.Repeat("1,2,3,4,5,6,7,8,", 9), ",")
	cold, warm := document[runDocument](t, line), document[runDocument](t, line)
	assert.Zero(t, cold.Counters.CachedRows)
	assert.Equal(t, 64, warm.Counters.CachedRows)
	assert.Zero(t, warm.Forwards.Prefill)
	assert.Equal(t, cold.IDs, warm.IDs)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	o := llada(t, "run --ids 1,2 --gen-length 8 --model "+models.narrow+" --prompt-cache "+file)
	require.NoError(t, o.err)
	assert.Contains(t, o.stderr, "the prompt cache is not used: ")
}
