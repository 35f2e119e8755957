package runtime_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/internal/oracle"
	"lladakit/internal/tiny"
	"lladakit/quant"
	"lladakit/runtime"
)

// load converts a checkpoint folder to the given type and loads the file.
func load(t testing.TB, dir string, typ gguf.Type) *runtime.Model {
	t.Helper()
	checkpoint, err := convert.Open(dir)
	require.NoError(t, err)
	defer checkpoint.Close()
	plan, err := checkpoint.Plan(convert.Options{Recipe: quant.Plain(typ)})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "model.gguf")
	_, err = plan.Write(t.Context(), path)
	require.NoError(t, err)
	m, err := runtime.Load(path, runtime.LoadOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// loadTiny loads the embedded trained checkpoint.
func loadTiny(t testing.TB, typ gguf.Type) *runtime.Model {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	require.NoError(t, tiny.Unpack(dir))
	return load(t, dir, typ)
}

func golden(t testing.TB) []oracle.Checkpoint {
	t.Helper()
	all, err := oracle.Golden()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

func toIDs(ids []int) []int32 {
	out := make([]int32, len(ids))
	for i, id := range ids {
		out[i] = int32(id)
	}
	return out
}

// logits returns all rows of logits.
func logits(t testing.TB, m *runtime.Model, ids []int, block int) [][]float32 {
	t.Helper()
	var rows [][]float32
	err := m.Logits(t.Context(), toIDs(ids), block, func(row []float32) error {
		rows = append(rows, append([]float32(nil), row...))
		return nil
	})
	require.NoError(t, err)
	return rows
}

// relativeRMS returns sqrt(Σ(got-want)² / Σwant²).
func relativeRMS(got []float32, want []float64) float64 {
	var diff, sum float64
	for i, w := range want {
		d := float64(got[i]) - w
		diff += d * d
		sum += w * w
	}
	return math.Sqrt(diff / sum)
}

func argmax(row []float32) int {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}

// options returns the settings of an oracle case.
func options(m *runtime.Model, s oracle.Settings, profile runtime.Profile) runtime.Options {
	o := m.Defaults()
	o.GenLength, o.BlockLength, o.Steps, o.Threshold = s.GenLength, s.BlockLength, s.Steps, float32(s.Threshold)
	o.MinimalTopK, o.EOSEarlyStop, o.Profile = max(1, s.MinimalTopK), s.EarlyStop, profile
	return o
}
