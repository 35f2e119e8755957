package runtime_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/bench"
	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// TestScarce: asking changes no result, and allocates nothing.
func TestScarce(t *testing.T) {
	c, err := bench.Shape("tiny")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, bench.Synthesize(t.Context(), path, bench.Synthetic{Config: c, Type: gguf.Q4_0}))
	m, err := runtime.Load(path, runtime.LoadOptions{Pack: runtime.PackNone})
	require.NoError(t, err)
	defer m.Close()
	require.False(t, *m.Scarce())
	ids := make([]int32, 20)
	for i := range ids {
		ids[i] = int32(i * 7)
	}
	pass := func() []float32 {
		var all []float32
		require.NoError(t, m.Logits(t.Context(), ids, 8, func(row []float32) error {
			all = append(all, row...)
			return nil
		}))
		return all
	}
	want := pass()
	*m.Scarce() = true
	require.True(t, slices.Equal(want, pass()))
	o := m.Defaults()
	o.GenLength = 32
	step, _ := m.Stepper(ids, o)
	assert.Zero(t, testing.AllocsPerRun(10, step))
}
