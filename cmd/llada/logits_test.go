package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
)

// logitsDocument is the contract of logits --json.
type logitsDocument struct {
	IDs    []int       `json:"ids"`
	Logits [][]float64 `json:"logits"`
}

func TestLogitsGolden(t *testing.T) {
	for _, c := range models.golden {
		for _, typ := range []string{"f32", "bf16"} {
			path := filepath.Join(t.TempDir(), "golden.gguf")
			done(t, "convert --from "+c.Dir+" --out "+path+" --type "+typ)
			want := c.Expected.Logits
			got := document[logitsDocument](t, fmt.Sprintf("logits --json --model %s --ids %s --block-length %d", path, ids(want.IDs), want.BlockLength))
			assert.Equal(t, want.IDs, got.IDs)
			require.Len(t, got.Logits, len(want.IDs))
			for i, row := range want.Rows {
				require.Len(t, got.Logits[row], len(want.Values[i]))
				var difference, square float64
				for k, v := range want.Values[i] {
					difference += (got.Logits[row][k] - v) * (got.Logits[row][k] - v)
					square += v * v
				}
				assert.LessOrEqual(t, math.Sqrt(difference/square), 1e-4, "%s %s row %d", c.Name, typ, row)
			}
		}
	}
}

func TestLogitsTable(t *testing.T) {
	got := document[logitsDocument](t, "logits --json --ids 7,8 --model "+models.narrow)
	lines := strings.Split(done(t, "logits --ids 7,8 --model "+models.narrow), "\n")
	assert.Regexp(t, `^│ position │ id │ +top 1 +│.* top 5 +│$`, lines[1])
	for row, id := range []int{7, 8} {
		cells := strings.Fields(strings.ReplaceAll(lines[3+row], "│", " "))
		assert.Equal(t, []string{fmt.Sprint(row), fmt.Sprint(id)}, cells[:2])
		before := math.Inf(1)
		for k := range 5 {
			var token int
			_, err := fmt.Sscan(cells[2+2*k], &token)
			require.NoError(t, err)
			v := got.Logits[row][token]
			assert.Equal(t, fmt.Sprintf("%.4f", v), cells[3+2*k])
			assert.LessOrEqual(t, v, before)
			before = v
		}
		greater := 0
		for _, v := range got.Logits[row] {
			if v > before {
				greater++
			}
		}
		assert.Equal(t, 4, greater)
	}
}

// A number that is none is no answer, in neither form.
func TestLogitsNotFinite(t *testing.T) {
	for name, value := range map[string]float32{"NaN": float32(math.NaN()), "infinity": float32(math.Inf(1))} {
		raw, err := os.ReadFile(models.narrow)
		require.NoError(t, err)
		f, err := gguf.Parse(raw)
		require.NoError(t, err)
		norm, ok := f.Tensor("output_norm.weight")
		require.True(t, ok)
		binary.LittleEndian.PutUint32(norm.Data, math.Float32bits(value))
		path := filepath.Join(t.TempDir(), "damaged.gguf")
		require.NoError(t, os.WriteFile(path, raw, 0o666))
		for _, form := range []string{"", " --json"} {
			o := llada(t, "logits --ids 7,8 --model "+path+form)
			assert.Equal(t, 1, o.code, name)
			assert.EqualError(t, o.err, path+": the logits at position 0 are not finite: the file's weights are damaged", name)
			assert.Empty(t, o.stdout, name)
		}
	}
}
