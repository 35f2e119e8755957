package quant

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// randomMatrices makes matrices whose options trade bytes for error, some of them
// bad trades.
func randomMatrices(rng *rand.Rand, n, options int) [][]Option {
	matrices := make([][]Option, n)
	for i := range matrices {
		size := 1 + rng.Uint64N(50)
		weight := math.Exp(3 * rng.NormFloat64())
		for range options {
			bits := 2 + 7*rng.Float64()
			matrices[i] = append(matrices[i], Option{
				Bytes: uint64(bits * float64(size)), Error: weight * math.Pow(4, -bits) * (0.5 + rng.Float64()),
			})
		}
	}
	return matrices
}

// exhaustive finds the least error by trying everything.
func exhaustive(matrices [][]Option, budget uint64) float64 {
	if len(matrices) == 0 {
		return 0
	}
	best := math.Inf(1)
	for _, o := range matrices[0] {
		if o.Bytes <= budget {
			best = min(best, o.Error+exhaustive(matrices[1:], budget-o.Bytes))
		}
	}
	return best
}

func TestSolve(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var worst float64
	for range 200 {
		matrices := randomMatrices(rng, 6, 4)
		var least, most uint64
		for _, options := range matrices {
			lo, hi := uint64(math.MaxUint64), uint64(0)
			for _, o := range options {
				lo, hi = min(lo, o.Bytes), max(hi, o.Bytes)
			}
			least, most = least+lo, most+hi
		}
		budget := least + rng.Uint64N(most-least+1)
		s, err := Solve(matrices, budget)
		require.NoError(t, err)
		var bytes uint64
		var sum float64
		for i, p := range s.Picks {
			bytes += matrices[i][p].Bytes
			sum += matrices[i][p].Error
		}
		require.Equal(t, bytes, s.Bytes)
		require.InDelta(t, sum, s.Error, 1e-12*(1+sum))
		require.LessOrEqual(t, bytes, budget)
		best := exhaustive(matrices, budget)
		require.GreaterOrEqual(t, best, s.Error*(1-s.Gap)-1e-9*s.Error, "the gap is a bound")
		worst = max(worst, s.Error/best)
	}
	assert.Less(t, worst, 3.0, "of six matrices; the gap shrinks as their number grows")

	many := randomMatrices(rng, 5000, 8)
	s, err := Solve(many, 5000*100)
	require.NoError(t, err)
	assert.Less(t, s.Gap, 0.001)
}

func TestSolveEdges(t *testing.T) {
	two := [][]Option{{{Bytes: 10, Error: 1}, {Bytes: 20, Error: 0.1}}, {{Bytes: 5, Error: 3}}}
	_, err := Solve(two, 14)
	assert.ErrorIs(t, err, ErrBudget)
	s, err := Solve(two, 15)
	require.NoError(t, err)
	assert.Equal(t, []int{0, 0}, s.Picks)
	s, err = Solve(two, 1<<62)
	require.NoError(t, err)
	assert.Equal(t, []int{1, 0}, s.Picks)
	assert.Zero(t, s.Gap)
	s, err = Solve(nil, 0)
	require.NoError(t, err)
	assert.Empty(t, s.Picks)
	_, err = Solve([][]Option{{}}, 1)
	assert.Error(t, err)
	_, err = Solve([][]Option{{{Bytes: 1, Error: math.NaN()}}}, 1)
	assert.Error(t, err)
	s, err = Solve([][]Option{{{Bytes: 1, Error: 0}, {Bytes: 2, Error: 0}}}, 5)
	require.NoError(t, err)
	assert.Equal(t, []int{0}, s.Picks, "the smaller of equals")
}
