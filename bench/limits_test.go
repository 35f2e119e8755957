package bench

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/kernels/peak"
)

// TestMeter: limits are there after a sample where there are loops, never sink, and
// are such as processors have.
func TestMeter(t *testing.T) {
	for _, threads := range []int{0, 1, 3} {
		m := NewMeter(threads)
		assert.Zero(t, m.Limits().Int8)
		m.Sample()
		first := m.Limits()
		if threads > 0 {
			assert.Equal(t, threads, first.Threads)
		}
		assert.Positive(t, first.Threads)
		m.Sample()
		second := m.Limits()
		for _, pair := range [][2]float64{
			{first.Int4, second.Int4}, {first.Int8, second.Int8}, {first.Float, second.Float}, {first.Memory, second.Memory},
		} {
			assert.GreaterOrEqual(t, pair[1], pair[0])
			assert.Equal(t, peak.Supported(), pair[0] > 0)
		}
		// Each of the loops does more of its kind a cycle than the next.
		if peak.Supported() {
			assert.Greater(t, second.Int4, second.Float)
		}
		require.NoError(t, m.Close())
		require.NoError(t, m.Close())
		m.Sample()
		assert.Equal(t, second.Memory, m.Limits().Memory)
	}
}
