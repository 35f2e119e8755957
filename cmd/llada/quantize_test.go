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

// data writes prompts to a file.
func data(t testing.TB, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prompts.txt")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o666))
	return path
}

// TestFromCheckpointToBudget goes the whole way: importance, a file of a size,
// its recipe used again, its types shown, its distance.
func TestFromCheckpointToBudget(t *testing.T) {
	dir := t.TempDir()
	prompts := data(t, "How many keys are 6 and 10 keys?")
	imatrix := filepath.Join(dir, "tiny.imatrix")
	m := document[struct {
		File     string   `json:"file"`
		Prompts  int      `json:"prompts"`
		Entries  int      `json:"entries"`
		Rows     []uint64 `json:"rows_by_mask_share"`
		Coverage struct {
			Experts int      `json:"experts"`
			Never   []string `json:"never"`
			Rarely  []string `json:"rarely"`
		} `json:"coverage"`
	}](t, "imatrix --gen-length 32 --sensitivity 1 --json --model "+models.tiny+" --data "+prompts+" --out "+imatrix)
	assert.Equal(t, []any{imatrix, 1, 48}, []any{m.File, m.Prompts, m.Coverage.Experts})
	assert.Len(t, m.Rows, 5)

	fitted := filepath.Join(dir, "fitted.gguf")
	type file struct {
		Files     []string `json:"files"`
		Recipe    string   `json:"recipe"`
		Bytes     int64    `json:"bytes"`
		Type      string   `json:"type"`
		Tensors   int      `json:"tensors"`
		Weights   uint64   `json:"weights"`
		Bits      float64  `json:"bits_per_weight"`
		NonFinite int      `json:"nonfinite"`
		Fallbacks []string `json:"fallbacks"`
		Neutral   int      `json:"neutral_experts"`
		Fit       struct {
			Error float64 `json:"error"`
			Gap   float64 `json:"gap"`
		} `json:"fit"`
		Seconds float64 `json:"seconds"`
		resultOfWork
	}
	f := document[file](t, "quantize --json --target-size 2.4MB --imatrix "+imatrix+" --from "+models.tiny+" --out "+fitted)
	assert.LessOrEqual(t, f.Bytes, int64(2_400_000))
	assert.Greater(t, f.Bytes, int64(2_350_000))
	assert.Equal(t, filepath.Join(dir, "fitted.recipe.yaml"), f.Recipe)
	assert.Positive(t, f.Fit.Error)
	info, err := os.Stat(models.tiny)
	require.NoError(t, err)
	assert.Equal(t, []reports.InputFile{{Name: models.tiny, Size: uint64(info.Size()), SHA256: digest(t, models.tiny)}}, f.Sources)
	assert.Equal(t, []string{imatrix, digest(t, imatrix)}, []string{f.Imatrix.Name, f.Imatrix.SHA256})

	again := filepath.Join(dir, "again.gguf")
	done(t, "convert --recipe "+f.Recipe+" --imatrix "+imatrix+" --from "+models.tinyDir+" --out "+again)
	assert.Equal(t, digest(t, fitted), digest(t, again))

	grid := done(t, "inspect --experts "+fitted)
	assert.Contains(t, grid, "layer 3 down     0 ")
	assert.Contains(t, grid, "A ")
	experts := document[struct {
		inspection
		Experts []expertTypes `json:"experts"`
	}](t, "inspect --json --experts "+fitted).Experts
	require.Len(t, experts, 9)
	assert.Len(t, experts[8].Types, 16)

	d := done(t, "kld --json --gen-length 32 --model "+fitted+" --reference "+models.tiny+" --data "+prompts)
	for _, field := range []string{`"by_mask_share"`, `"up_to": 0.25`, `"kld"`, `"top1"`, `"prob_change"`, `"low"`, `"positions"`} {
		assert.Contains(t, d, field)
	}
	kept := filepath.Join(dir, "kld.json")
	table := done(t, "kld --out "+kept+" --gen-length 32 --model "+models.tiny+" --reference "+models.tiny+" --data "+prompts)
	assert.Contains(t, table, "up to 100 %")
	assert.Contains(t, table, "0.00000 (0.00000 to 0.00000)")

	// The fields that the JSON always had, and what was kept of the second.
	var first struct {
		Model, Reference string
		Prompts          int
		All              struct{ Positions int }
		Version          int          `json:"kld"`
		File             reports.File `json:"model_file"`
	}
	require.NoError(t, json.Unmarshal([]byte(d), &first))
	assert.Equal(t, []any{fitted, models.tiny, 1, 1}, []any{first.Model, first.Reference, first.Prompts, first.Version})
	assert.Positive(t, first.All.Positions)
	assert.Equal(t, digest(t, fitted), first.File.SHA256)
	k := readResult(t, kept, reports.ReadDivergence)
	assert.Equal(t, []any{models.tiny, prompts, digest(t, prompts)}, []any{k.ModelPath, k.Data, k.DataHash})
	assert.Equal(t, []any{digest(t, models.tiny), k.Model}, []any{k.Model.SHA256, k.Reference})
	assert.Equal(t, []any{"bf16", 1.0, 1.0}, []any{k.Model.Type, k.All.UpTo, k.All.Agreement.Mean})
	assert.Contains(t, string(k.Settings), `"gen_length": 32`)
	for _, input := range []string{models.tiny, prompts} {
		o := llada(t, "kld --model "+models.tiny+" --reference "+models.tiny+" --data "+prompts+" --out "+input)
		assert.Equal(t, 2, o.code)
		assert.ErrorContains(t, o.err, "would be overwritten")
	}
}

func TestQuantizePlan(t *testing.T) {
	out := done(t, "quantize --dry-run --pure --type q5_0 --tensor-type attn_q,v|attn_qkv=q8_0 --from "+models.tiny)
	assert.Regexp(t, `blk\.0\.attn_qkv\.weight +│ q8_0 `, out, "an expression may have a comma")
	assert.Regexp(t, `output\.weight +│ q5_0 `, out)
	out = done(t, "quantize --dry-run --type q4_0 --output-type f16 --embedding-type q8_0 --from "+models.tiny,
		"--expert-type", "layers=1 experts=0-3:q8_0 rest:q4_1", "--expert-type", "matrix=down experts=0:f16")
	assert.Regexp(t, `blk\.1\.ffn_up_exps\.0\.weight +│ q8_0 +│ 256 64 4 `, out)
	assert.Regexp(t, `blk\.1\.ffn_up_exps\.1\.weight +│ q4_1 +│ 256 64 12 `, out)
	assert.Regexp(t, `blk\.1\.ffn_up_exps\.index +│ i32 `, out)
	assert.Regexp(t, `blk\.2\.ffn_down_exps\.0\.weight +│ f16 +│ 64 256 1 `, out)
	assert.Regexp(t, `output\.weight +│ f16 `, out)
	assert.Regexp(t, `token_embd\.weight +│ q8_0 `, out)
}

func TestQuantizeErrors(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.gguf")
	from := " --from " + models.tiny + " --out " + out
	for line, want := range map[string]string{
		"quantize" + from: "give one of --type",
		"quantize --type q4_0 --target-size 1MB" + from:                                          "give one or the other",
		"quantize --target-size 1MB --bpw 4" + from:                                              "give one of them",
		"quantize --bpw -1" + from:                                                               "--bpw: -1 is not between",
		"quantize --target-size 1" + "X" + from:                                                  `"1X" is not a size`,
		"quantize --type q9_9" + from:                                                            `type "q9_9" is not one of`,
		"quantize --type q4_0 --output-type q4_k_m" + from:                                       `type "q4_k_m" is not one of`,
		"quantize --type q4_0 --tensor-type x" + from:                                            "want REGEX=TYPE",
		"quantize --type q4_0 --expert-type x" + from:                                            "expert rule",
		"imatrix --data x --out y":                                                               "flag --model is missing",
		"kld --model x --data y":                                                                 "flag --reference is missing",
		"imatrix --limit 0 --model " + models.tiny + " --data " + data(t, "x") + " --out " + out: "--limit: 0 is not positive",
	} {
		o := llada(t, line)
		assert.Equal(t, 2, o.code, "%s: %v", line, o.err)
		assert.ErrorContains(t, o.err, want, line)
	}
	for line, want := range map[string]string{
		"quantize --target-size 500kB" + from:                                                                                     "the size is too small",
		"quantize --type q4_0 --tensor-type nothing=q8_0" + from:                                                                  "nothing",
		"quantize --type q4_0 --from " + quantized(t) + " --out " + out:                                                           "--requantize accepts it",
		"quantize --type q4_0 --from " + models.tiny + " --out " + models.tiny:                                                    "is a file of the checkpoint",
		"quantize --type q4_0 --imatrix " + models.tiny + from:                                                                    "not an importance matrix",
		"kld --model " + models.narrow + " --reference " + models.tiny + " --data " + data(t, "How many keys are 6 and 10 keys?"): "different vocabularies",
		"imatrix --model " + models.narrow + " --data " + data(t, "How many keys are 6 and 10 keys?") + " --out " + out:           "no vocabulary",
	} {
		o := llada(t, line)
		assert.Equal(t, 1, o.code, "%s: %v", line, o.err)
		assert.ErrorContains(t, o.err, want, line)
	}
	assert.NoFileExists(t, out)
}

// quantized returns a file in blocks.
func quantized(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "q8_0.gguf")
	done(t, "convert --type q8_0 --from "+models.tinyDir+" --out "+path)
	return path
}

// TestImatrixInterrupted requires that nothing is left of a measurement that did
// not end.
func TestImatrixInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	err := run(ctx, []string{"llada", "imatrix", "--model", models.tiny, "--data", data(t, "How many keys are 6 and 10 keys?"), "--out", filepath.Join(dir, "x")},
		strings.NewReader(""), &strings.Builder{}, &strings.Builder{})
	assert.Equal(t, 4, exitCode(err))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}
