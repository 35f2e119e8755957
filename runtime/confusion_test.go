package runtime_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"lladakit/kernels"
	"lladakit/runtime"
)

func TestConfusion(t *testing.T) {
	var c runtime.Confusion
	even := kernels.Stats{Prob: 0.5, Second: 0.5, Entropy: math.Ln2}
	sure := kernels.Stats{Prob: 1}
	for i, want := range []struct {
		block, step int
		masked      []kernels.Stats
		runtime.Uncertainty
	}{
		{0, 0, []kernels.Stats{sure}, runtime.Uncertainty{}},
		{0, 1, []kernels.Stats{even}, runtime.Uncertainty{Entropy: math.Ln2, Margin: 1, Change: math.Ln2 / 1e-3}},
		{0, 2, []kernels.Stats{even, sure}, runtime.Uncertainty{Entropy: math.Ln2 / 2, Margin: 0.5, Change: 0.5}},
		{1, 0, []kernels.Stats{sure}, runtime.Uncertainty{}}, // no step of this block before
		{1, 1, []kernels.Stats{sure}, runtime.Uncertainty{}},
		{1, 2, []kernels.Stats{sure}, runtime.Uncertainty{}},
		{1, 3, []kernels.Stats{sure}, runtime.Uncertainty{}},
		{1, 4, []kernels.Stats{sure}, runtime.Uncertainty{}},
		// Eight steps: margins 0, 1, ½, 0, 0, 0, 0, 0 have mean 0.1875 and deviation 0.348.
		{1, 5, []kernels.Stats{even, even, even, even, sure}, runtime.Uncertainty{Entropy: 0.8 * math.Ln2, Margin: 0.8, Change: 0.8 * math.Ln2 / 1e-3}},
	} {
		got := c.Measure(want.block, want.step, want.masked)
		assert.InDelta(t, want.Entropy, got.Entropy, 1e-6, "step %d", i)
		assert.InDelta(t, want.Margin, got.Margin, 1e-6, "step %d", i)
		assert.InDelta(t, want.Change, got.Change, 1e-3, "step %d", i)
		assert.False(t, got.Zone, "step %d", i)
	}
	// Now mean 0.2556 and deviation 0.381: 1.017 is the border.
	assert.True(t, c.Measure(2, 0, []kernels.Stats{{Prob: 0.1, Second: 0.1, Entropy: 3}}).Zone, "entropy spikes")
	var flat runtime.Confusion
	for step := range 8 {
		flat.Measure(0, step, []kernels.Stats{sure})
	}
	assert.False(t, flat.Measure(0, 8, []kernels.Stats{sure}).Zone)
	assert.True(t, flat.Measure(0, 9, []kernels.Stats{{Prob: 0.9, Second: 0.1}}).Zone, "margin spikes")
}
