package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/reports"
)

// damaged returns a copy of a file with two experts of a stack exchanged.
func damaged(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err := gguf.Parse(data)
	require.NoError(t, err)
	s, ok := f.Tensor("blk.1.ffn_up_exps.weight")
	require.True(t, ok)
	size := len(s.Data) / int(s.Dims[2])
	three, five := s.Data[3*size:4*size], s.Data[5*size:6*size] // views of data
	kept := strings.Clone(string(three))
	copy(three, five)
	copy(five, kept)
	out := filepath.Join(t.TempDir(), "damaged.gguf")
	require.NoError(t, os.WriteFile(out, data, 0o666))
	return out
}

func TestVerify(t *testing.T) {
	manifest := filepath.Join(t.TempDir(), "manifest.json")
	o := llada(t, "verify --source "+models.tinyDir+" --gguf "+models.tiny+" --manifest "+manifest)
	require.NoError(t, o.err)
	assert.Regexp(t, `^\d+ tensors, \d+ expert matrices, 0 faults, sha256 [0-9a-f]{64}\n$`, o.stdout)
	assert.Empty(t, o.stderr)
	data, err := os.ReadFile(manifest)
	require.NoError(t, err)
	var m struct {
		SHA256  string
		Tensors []struct{ Name, Type, SHA256 string }
	}
	require.NoError(t, json.Unmarshal(data, &m))
	assert.Contains(t, o.stdout, m.SHA256)
	f, err := gguf.Open(models.tiny)
	require.NoError(t, err)
	defer f.Close()
	require.Len(t, m.Tensors, len(f.Tensors))
	assert.Equal(t, "token_embd.weight", m.Tensors[0].Name)
	assert.Len(t, m.Tensors[0].SHA256, 64)

	out := done(t, "verify --tensors --source "+models.narrowDir+" --gguf "+models.narrow)
	assert.Contains(t, out, "blk.1.ffn_up_exps.weight")
	assert.Contains(t, out, "worst expert")
}

func TestVerifyFaults(t *testing.T) {
	path := damaged(t, models.narrow)
	manifest := filepath.Join(t.TempDir(), "manifest.json")
	o := llada(t, "verify --source "+models.narrowDir+" --gguf "+path+" --manifest "+manifest)
	assert.Equal(t, 1, o.code)
	assert.ErrorContains(t, o.err, "2 faults")
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	require.Len(t, lines, 3) // one for each fault
	assert.Equal(t, "fault: swapped: blk.1.ffn_up_exps.weight: expert 3 holds expert 5's weights, and that expert this one's", lines[0])
	assert.Contains(t, lines[1], "expert 5 holds expert 3's")
	assert.Contains(t, lines[2], "2 faults")
	assert.NoFileExists(t, manifest)

	o = llada(t, "verify --json --source "+models.narrowDir+" --gguf "+path)
	assert.Equal(t, 1, o.code)
	var v struct {
		Faults   int
		Findings []struct {
			Severity, Tensor, Kind, Text string
			Layer, Expert                int
		}
		Tensors []struct {
			Name    string
			RelRMS  float64 `json:"rel_rms"`
			Experts []struct {
				Expert int
				RelRMS float64 `json:"rel_rms"`
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &v))
	assert.Equal(t, 2, v.Faults)
	assert.Equal(t, "swapped", v.Findings[0].Kind)
	assert.Equal(t, 3, v.Findings[0].Expert)
	assert.Equal(t, 1, v.Findings[0].Layer)
	for _, one := range v.Tensors {
		for _, x := range one.Experts {
			wrong := one.Name == "blk.1.ffn_up_exps.weight" && (x.Expert == 3 || x.Expert == 5)
			assert.Equal(t, wrong, x.RelRMS > 1, "%s, expert %d", one.Name, x.Expert) // of f32
			assert.Equal(t, wrong, x.RelRMS != 0)
		}
	}
}

// The result is kept beside what is printed, whether there are faults or not.
func TestVerifyOut(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "v.json")
	for path, faults := range map[string]int{models.narrow: 0, damaged(t, models.narrow): 2} {
		line := "verify --source " + models.narrowDir + " --gguf " + path
		o := llada(t, line+" --out "+kept)
		assert.Equal(t, min(faults, 1), o.code)
		assert.Contains(t, o.stdout, fmt.Sprintf(" %d faults, sha256 ", faults))
		v := readResult(t, kept, reports.ReadVerification)
		assert.Equal(t, []any{1, models.narrowDir, path, digest(t, path), "f32"}, []any{v.Version, v.Source, v.File.Name, v.File.SHA256, v.File.Type})
		assert.Equal(t, []any{faults, faults, 40}, []any{v.Faults, len(v.Findings), v.Tensors})
		assert.Equal(t, faults > 0, v.RelRMS > 0)
		lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
		assert.Equal(t, v.Findings, append([]string(nil), lines[:len(lines)-1]...))

		// The same in other forms.
		printed, err := reports.ReadVerification(strings.NewReader(llada(t, line+" --json").stdout))
		require.NoError(t, err)
		assert.Equal(t, v.Checks, printed.Checks)
		assert.Regexp(t, `\| blk\.1\.ffn_up_exps\.weight +\| f32`, llada(t, line+" -o md").stdout)
	}
	assert.Equal(t, []string{"v.json"}, files(t, dir))
	before := digest(t, models.narrow)
	for _, input := range []string{models.narrow, filepath.Join(models.narrowDir, "config.json")} {
		o := llada(t, "verify --source "+models.narrowDir+" --gguf "+models.narrow+" --out "+input)
		assert.Equal(t, 2, o.code)
		assert.ErrorContains(t, o.err, "would be overwritten")
	}
	assert.Equal(t, before, digest(t, models.narrow))
}

func TestVerifyMistakes(t *testing.T) {
	both := "verify --source " + models.narrowDir + " --gguf " + models.narrow
	before := digest(t, models.narrow)
	for line, code := range map[string]int{
		"verify":                               2,
		"verify --source " + models.narrowDir:  2,
		both + " --imatrix=":                   2,
		both + " --threads -1":                 2,
		both + " extra":                        2,
		both + " --imatrix /no/such/file":      3,
		both + "x":                             3,
		both + " --manifest /no/such/folder/x": 3,
		both + " --imatrix " + models.narrow:   1, // which is none
		both + " --manifest " + models.narrow:  1, // which must not be replaced
		"verify --source " + models.tinyDir + " --gguf " + models.narrow: 1,
	} {
		o := llada(t, line)
		assert.Equal(t, code, o.code, line)
		assert.NotContains(t, message(o.err), "\n")
	}
	assert.Equal(t, before, digest(t, models.narrow))
}

func TestVerifyCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	args := []string{"llada", "verify", "--source", models.tinyDir, "--gguf", models.tiny, "--manifest", filepath.Join(dir, "x.json")}
	var stdout strings.Builder
	err := run(ctx, args, strings.NewReader(""), &stdout, io.Discard)
	assert.Equal(t, 4, exitCode(err))
	assert.Empty(t, files(t, dir))
	assert.Empty(t, stdout.String())
}
