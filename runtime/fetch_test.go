package runtime

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/bench"
	"lladakit/internal/gguf"
	"lladakit/kernels"
)

// TestFetch: every matrix is asked for once, in the order of use, before it is used
// and not long before.
func TestFetch(t *testing.T) {
	const size = fetchAhead / 10
	units := make([]unit, 30)
	var want []byte
	for i := range units {
		units[i].m = &MLP{}
		for k, m := range []*kernels.Matrix{&units[i].m.Gate, &units[i].m.Up, &units[i].m.Down} {
			m.Data = make([]byte, size)
			m.Data[0] = byte(3*i + k)
		}
		want = append(want, byte(3*i), byte(3*i+1))
	}
	for i := range units {
		want = append(want, byte(3*i+2))
	}
	var asked []byte
	f := newFetch(len(units))
	f.ask = func(part []byte) { asked = append(asked, part[0]) }
	for range 2 {
		asked = nil
		f.begin(units)
		for at := range want {
			f.reach(at)
			require.GreaterOrEqual(t, len(asked), min(at+8, len(want)))
			require.LessOrEqual(t, len(asked), at+1+10)
			if at%7 == 0 {
				f.reach(at / 2) // of a worker that is slow
			}
		}
		assert.Equal(t, want, asked)
	}
	f.begin(nil)
	f.reach(0)
	assert.Equal(t, want, asked)
}

// TestScarce: asking changes no result, and allocates nothing.
func TestScarce(t *testing.T) {
	c, err := bench.Shape("tiny")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, bench.Synthesize(t.Context(), path, bench.Synthetic{Config: c, Type: gguf.Q4_0}))
	m, err := Load(path, LoadOptions{Pack: PackNone})
	require.NoError(t, err)
	defer m.Close()
	require.False(t, m.scarce)
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
	m.scarce = true
	require.True(t, slices.Equal(want, pass()))
	o := m.Defaults()
	o.GenLength = 32
	step, _ := m.Stepper(ids, o)
	assert.Zero(t, testing.AllocsPerRun(10, step))
}
