package runtime_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// window returns n random ids, of which about a share are masks.
func window(rng *rand.Rand, m *runtime.Model, n int, masks float64) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = m.MaskID
		for rng.Float64() >= masks && ids[i] == m.MaskID {
			ids[i] = rng.Int32N(int32(m.Config.Vocab))
		}
	}
	return ids
}

// wholeLogits returns the logits of a window computed at once.
func wholeLogits(t *testing.T, m *runtime.Model, ids []int32, block int) [][]float32 {
	t.Helper()
	var rows [][]float32
	require.NoError(t, m.Logits(t.Context(), ids, block, func(row []float32) error {
		rows = append(rows, slices.Clone(row))
		return nil
	}))
	return rows
}

// TestSessionEqualsWindow: what a session says of a block has the bits that the
// whole window gives, however the blocks before came in and whatever was tried
// in their place.
func TestSessionEqualsWindow(t *testing.T) {
	c := golden(t)[0]
	for _, typ := range []gguf.Type{gguf.BF16, gguf.Q8_0} {
		m := load(t, c.Dir, typ)
		rng := rand.New(rand.NewPCG(9, uint64(typ)))
		for _, block := range []int{1, 4, 32, 50} {
			blocks := 400/block + 1 // more than one pass of a prompt
			s := m.NewSession(blocks*block-block/2, block)
			final := []int32{}
			for left := min(blocks, 40); left > 0; {
				for range 2 { // two contents of the same block
					masks := []float64{0.1, 0.5, 1}[rng.IntN(3)]
					tried := window(rng, m, block, masks)
					what := fmt.Sprintf("%s, block of %d at %d: %v", typ, block, len(final), tried)
					rows, logits := s.Masked(tried)
					whole := wholeLogits(t, m, append(slices.Clone(final), tried...), block)
					want := []int{}
					for r, id := range tried {
						if id == m.MaskID {
							want = append(want, r)
						}
					}
					require.Equal(t, want, append([]int{}, rows...), what)
					require.Len(t, logits, len(rows)*m.Config.Vocab, what)
					for i, r := range rows {
						got := logits[i*m.Config.Vocab : (i+1)*m.Config.Vocab]
						require.Equal(t, whole[len(final)+r], slices.Clone(got), what)
					}
				}
				n := min(left, []int{1, 2, 15}[rng.IntN(3)])
				if len(final) == 0 && block > 1 {
					n = left - 1 // in one piece, of several passes for the longer blocks
				}
				part := window(rng, m, n*block, 0)
				require.NoError(t, s.Extend(t.Context(), part))
				final, left = append(final, part...), left-n
			}
		}
	}
}

func TestSessionInterrupted(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.BF16)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := m.NewSession(64, 32)
	ids := window(rand.New(rand.NewPCG(1, 1)), m, 32, 0)
	require.ErrorIs(t, s.Extend(ctx, ids), context.Canceled)
	// Nothing was appended: the block is still the first one.
	tried := slices.Clone(ids)
	tried[7] = m.MaskID
	rows, logits := s.Masked(tried)
	require.Equal(t, []int{7}, rows)
	require.Equal(t, wholeLogits(t, m, tried, 32)[7], logits)
	require.NoError(t, s.Extend(t.Context(), nil))
	rows, logits = s.Masked(ids)
	require.Empty(t, rows)
	require.Empty(t, logits)
}
