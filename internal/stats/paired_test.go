package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"lladakit/internal/stats"
)

// TestMcNemar has figures of scipy 1.10.1, scipy.stats.binomtest(min(a, b), a+b).pvalue,
// which statsmodels' mcnemar(exact=True) agrees with. 86 and 150 are Agresti's approval
// ratings (Categorical Data Analysis, section 10.1).
func TestMcNemar(t *testing.T) {
	for _, c := range []struct {
		a, b int
		p    float64
	}{
		{0, 0, 1},
		{0, 1, 1},
		{0, 5, 0.0625},
		{0, 6, 0.03125},
		{1, 9, 0.021484375},
		{10, 10, 1},
		{12, 13, 1},
		{5, 30, 2.23615206778e-05},
		{59, 6, 4.96465032713e-12},
		{86, 150, 3.71593613957e-05},
		{400, 460, 0.0441695481946},
		{5000, 5200, 0.0487879631268},
	} {
		assert.InEpsilon(t, c.p, stats.McNemar(c.a, c.b), 1e-8, "%+v", c)
		assert.Equal(t, stats.McNemar(c.a, c.b), stats.McNemar(c.b, c.a))
	}
}

// everyExchange is SignFlip by the definition.
func everyExchange(pairs []stats.Pair) float64 {
	seen := 0
	for _, p := range pairs {
		seen += p.B - p.A
	}
	extreme := 0
	for signs := range 1 << len(pairs) {
		sum := 0
		for i, p := range pairs {
			if signs>>i&1 == 0 {
				sum += p.B - p.A
			} else {
				sum -= p.B - p.A
			}
		}
		if max(sum, -sum) >= max(seen, -seen) {
			extreme++
		}
	}
	return float64(extreme) / float64(int(1)<<len(pairs))
}

func pairsOf(differences ...int) []stats.Pair {
	var all []stats.Pair
	for _, d := range differences {
		all = append(all, stats.Pair{A: max(0, -d), B: max(0, d), Answers: 5})
	}
	return all
}

// TestSignFlip has figures of scipy 1.10.1: scipy.stats.permutation_test((d, zeros),
// difference of sums, permutation_type="samples", n_resamples=inf).
func TestSignFlip(t *testing.T) {
	for _, c := range []struct {
		differences []int
		p           float64
	}{
		{nil, 1},
		{[]int{0, 0}, 1},
		{[]int{2, -1, 3, 0, 1}, 0.375},
		{[]int{1, 1, 1, -1, 1, 1, 0, 1}, 0.125},
		{[]int{3, 3, 2, -1, -2, 1, 1, 1, 4, 2}, 0.0625},
		{[]int{-5, 2, 2, 1, 1, -1}, 1},
	} {
		assert.InDelta(t, c.p, stats.SignFlip(pairsOf(c.differences...)), 1e-12, "%v", c.differences)
		assert.InDelta(t, c.p, everyExchange(pairsOf(c.differences...)), 1e-12, "%v", c.differences)
	}
	rng := rand.New(rand.NewPCG(3, 3))
	for range 200 {
		differences := make([]int, 1+rng.IntN(12))
		for i := range differences {
			differences[i] = rng.IntN(9) - 4
		}
		assert.InDelta(t, everyExchange(pairsOf(differences...)), stats.SignFlip(pairsOf(differences...)), 1e-12, "%v", differences)
	}
	// Beyond what is summed up exactly, a normal distribution is near.
	many, twice := []int{}, []int{}
	for i := range 40_000 {
		d := 2
		if i < 19_800 {
			d = -2
		}
		twice = append(twice, d)
		many = append(many, d/2)
	}
	assert.InDelta(t, stats.SignFlip(pairsOf(many...)), stats.SignFlip(pairsOf(twice...)), 1e-3)
	assert.InDelta(t, math.Erfc(2/math.Sqrt2), stats.SignFlip(pairsOf(twice...)), 1e-12)
}

// TestBootstrap has intervals of 200 000 samples that numpy 1.24.2 drew,
// numpy.percentile(d[i].sum(1) / m[i].sum(1), [2.5, 97.5]). What 10 000 samples say is a
// little apart from that.
func TestBootstrap(t *testing.T) {
	repeat := func(n int, ds ...int) (all []int) {
		for range n {
			all = append(all, ds...)
		}
		return all
	}
	join := func(lists ...[]int) (all []int) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	for _, c := range []struct {
		differences []int
		answers     int
		low, high   float64
		step        float64 // of what a difference can be
	}{
		{join(repeat(9, 1), repeat(5, -1), repeat(150, 0)), 1, -0.01829268, 0.06707317, 1. / 164},
		{join(repeat(20, 1), repeat(40, -1), repeat(1259, 0)), 1, -0.02653525, -0.00379075, 1. / 1319},
		{repeat(4, 3, 1, -1, 0, 2, -2, 0, 0, 1, 0), 4, -0.00625, 0.20625, 1. / 160},
	} {
		pairs, mirrored := pairsOf(c.differences...), pairsOf(c.differences...)
		for i := range pairs {
			pairs[i].Answers = c.answers
			mirrored[len(pairs)-1-i] = pairs[i]
		}
		low, high := stats.Bootstrap(pairs)
		assert.InDelta(t, c.low, low, 1.01*c.step)
		assert.InDelta(t, c.high, high, 1.01*c.step)
		again, end := stats.Bootstrap(mirrored)
		assert.Equal(t, []float64{low, high}, []float64{again, end}, "in another order")
	}
	low, high := stats.Bootstrap(nil)
	assert.Equal(t, []float64{-1, 1}, []float64{low, high})
	low, high = stats.Bootstrap([]stats.Pair{{A: 1, B: 1, Answers: 1}, {Answers: 1}, {}})
	assert.Equal(t, []float64{0, 0}, []float64{low, high})
}
