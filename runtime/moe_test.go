package runtime_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/runtime"
)

// Pieces are whole numbers of 32 rows and fit into their buffers, and there are enough of
// them for all workers unless they would become too small.
func TestExpertRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 10000 {
		rows, cols := 1+r.IntN(4096), 32*(1+r.IntN(128))
		pass := 1 + r.IntN(600) // rows of the input
		n, workers := 1+r.IntN(pass), 1+r.IntN(64)
		total := runtime.ExpertWork(rows*cols, n) * (1 + r.IntN(200))
		step := runtime.ExpertRows(rows, cols, n, total, workers)
		require.Zero(t, step%32)
		require.Positive(t, step)
		require.LessOrEqual(t, min(step, rows)*n, runtime.PieceBuffer(pass), "%d rows of the input", n)
		if step > 64 {
			require.LessOrEqual(t, runtime.ExpertWork(step*cols, n)*workers, total/8+8*workers*runtime.ExpertWork(cols, n))
		}
	}
	// The experts of a layer of LLaDA2.0-mini: whole for two workers, smaller pieces for
	// sixteen, the smaller the more rows of the input use them.
	total := 53 * runtime.ExpertWork(512*2048, 4)
	require.Equal(t, 512, runtime.ExpertRows(512, 2048, 4, total, 2))
	require.Equal(t, 192, runtime.ExpertRows(512, 2048, 4, total, 16))
	require.Equal(t, 64, runtime.ExpertRows(512, 2048, 32, total, 16))
	require.Equal(t, 32, runtime.ExpertRows(7, 2048, 32, total, 16))
}
