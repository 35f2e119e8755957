package eval_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/eval"
	"lladakit/internal/gguf"
)

// TestDivergeSame requires that a model is no distance from itself.
func TestDivergeSame(t *testing.T) {
	a, b := load(t, plain(gguf.F32)), load(t, plain(gguf.BF16)) // the checkpoint is BF16
	prompts := problems(t, a, 0, 2)
	var calls []int
	d, err := eval.Diverge(t.Context(), a, b, prompts, settings(a), func(done, total int) {
		assert.Equal(t, 2, total)
		calls = append(calls, done)
	})
	require.NoError(t, err)
	assert.Equal(t, []int{1, 2}, calls)
	assert.Positive(t, d.All.Positions)
	assert.InDelta(t, 0, d.All.KLD.Mean, 1e-9)
	assert.InDelta(t, 0, d.All.MaxKLD, 1e-9)
	assert.Equal(t, eval.Interval{Mean: 1, Low: 1, High: 1}, d.All.Agreement)
	assert.InDelta(t, 0, d.All.ProbChange.Mean, 1e-6)
	sum := 0
	for _, f := range d.Buckets {
		sum += f.Positions
	}
	assert.Equal(t, d.All.Positions, sum)
}

// TestDivergeOrder requires that a coarser format is farther away, with an
// interval around the mean, and equal data gives equal figures.
func TestDivergeOrder(t *testing.T) {
	reference := load(t, plain(gguf.BF16))
	prompts := problems(t, reference, 0, 4)
	figures := func(typ gguf.Type) eval.Figures {
		d, err := eval.Diverge(t.Context(), load(t, plain(typ)), reference, prompts, settings(reference), nil)
		require.NoError(t, err)
		f := d.All
		assert.LessOrEqual(t, f.KLD.Low, f.KLD.Mean)
		assert.GreaterOrEqual(t, f.KLD.High, f.KLD.Mean)
		assert.GreaterOrEqual(t, f.MaxKLD, f.KLD.Mean)
		return f
	}
	fine, coarse := figures(gguf.Q8_0), figures(gguf.Q2_K)
	assert.Positive(t, fine.KLD.Mean)
	assert.Less(t, 10*fine.KLD.Mean, coarse.KLD.Mean)
	assert.Less(t, coarse.Agreement.Mean, fine.Agreement.Mean)
	assert.Less(t, fine.ProbChange.Mean, coarse.ProbChange.Mean)
	assert.Equal(t, coarse, figures(gguf.Q2_K))
}

func TestDivergeInterrupted(t *testing.T) {
	m := load(t, plain(gguf.BF16))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := eval.Diverge(ctx, m, load(t, plain(gguf.Q8_0)), problems(t, m, 0, 2), settings(m), func(int, int) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
}

// TestRecord requires that a trajectory is what the answer came from: every
// state has a mask fewer at least than the one before, where no mask stands
// nothing changes, and the ends of the blocks are the answer.
func TestRecord(t *testing.T) {
	m := load(t, plain(gguf.BF16))
	opt := settings(m)
	for _, prompt := range problems(t, m, 0, 4) {
		r, err := m.Generate(t.Context(), prompt, opt)
		require.NoError(t, err)
		trajectory, err := eval.Record(t.Context(), m, prompt, opt)
		require.NoError(t, err)
		all := append([]int32(nil), prompt[:trajectory.Blocks[0].Start]...)
		states := 0
		for _, b := range trajectory.Blocks {
			require.Equal(t, len(all), b.Start)
			for i, state := range b.States {
				next := b.Final
				if i+1 < len(b.States) {
					next = b.States[i+1]
				}
				filled := 0
				for k, id := range state {
					if id == m.MaskID && next[k] != m.MaskID {
						filled++
					} else {
						require.Equal(t, id, next[k])
					}
				}
				require.Positive(t, filled)
				states++
			}
			all = append(all, b.Final...)
		}
		assert.Equal(t, r.Forwards.Denoise, states)
		assert.Equal(t, append(append([]int32(nil), prompt...), r.IDs...), all[:len(prompt)+len(r.IDs)])
	}
}
