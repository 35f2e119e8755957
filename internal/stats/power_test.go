package stats_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"lladakit/internal/stats"
)

// TestDetectable has the roots that scipy 1.10.1's brentq finds of Connor's formula.
func TestDetectable(t *testing.T) {
	for _, c := range []struct{ n, discordant, d float64 }{
		{164, 0.1, 0.0686840898238},
		{164, 0.25, 0.108599081429},
		{1319, 0.05, 0.0172336872494},
		{1319, 0.1084, 0.0253751048948},
		{1319, 0.02, 0.0108995408382},
		{50, 0.3, 0.211931934837},
		{20, 0.1, 0.348316092434}, // more than were stated to be discordant
		{3, 0.01, 1},
		{0, 0.1, 1},
	} {
		assert.InDelta(t, c.d, stats.Detectable(c.n, c.discordant), 1e-9, "%+v", c)
	}
	assert.InDelta(t, 0.18, stats.Discordant(0.9, 0), 1e-15)
	assert.InDelta(t, 0.09, stats.Discordant(0.9, 0.5), 1e-15)
}

// TestPower draws pairs that differ by what is detectable: the test sees it in about 80 %
// of trials, a little less since it is exact.
func TestPower(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, c := range []struct {
		n          int
		discordant float64
	}{{1319, 0.05}, {1319, 0.11}, {164, 0.25}} {
		d := stats.Detectable(float64(c.n), c.discordant)
		seen := 0
		const trials = 2000
		for range trials {
			var a, b int
			for range c.n {
				switch x := rng.Float64(); {
				case x < (c.discordant-d)/2:
					a++
				case x < c.discordant:
					b++
				}
			}
			if stats.McNemar(a, b) < 0.05 {
				seen++
			}
		}
		assert.InDelta(t, 0.78, float64(seen)/trials, 0.05, "%+v", c)
	}
}

// TestDetectableBetween: with one answer a document it is near Detectable, and it is by
// the definition with several.
func TestDetectableBetween(t *testing.T) {
	single := pairsOf(make([]int, 1319)...)
	for i := range single {
		single[i] = stats.Pair{Answers: 1}
		if i < 66 {
			single[i] = stats.Pair{A: i % 2, B: 1 - i%2, Answers: 1}
		}
	}
	assert.InDelta(t, stats.Detectable(1319, 66./1319), stats.DetectableBetween(single), 0.0005)
	// Differences -1, 0, 2 and 3 are -2, -1, 1 and 2 from their mean: 2.80159 √((10 + 1) 4/3) / 16.
	assert.InDelta(t, 0.67058, stats.DetectableBetween([]stats.Pair{{A: 1, Answers: 4}, {Answers: 4}, {B: 2, Answers: 4}, {B: 3, Answers: 4}}), 5e-5)
	assert.Equal(t, 1.0, stats.DetectableBetween(nil))
	assert.Equal(t, 1.0, stats.DetectableBetween(pairsOf(3)))
	assert.Positive(t, stats.DetectableBetween(pairsOf(0, 0, 0, 0)))
}

// TestPassAtK counts the draws of k answers that have a right one.
func TestPassAtK(t *testing.T) {
	for n := 1; n <= 8; n++ {
		for c := 0; c <= n; c++ {
			for k := 1; k <= n; k++ {
				draws, passed := 0, 0
				for chosen := range 1 << n {
					size, right := 0, false
					for i := range n {
						if chosen>>i&1 == 1 {
							size++
							right = right || i < c
						}
					}
					if size == k {
						draws++
						if right {
							passed++
						}
					}
				}
				assert.InDelta(t, float64(passed)/float64(draws), stats.PassAtK(n, c, k), 1e-12, "%d %d %d", n, c, k)
			}
		}
	}
	assert.InDelta(t, 0.3, stats.PassAtK(200, 60, 1), 1e-12)
	assert.InDelta(t, 1, stats.PassAtK(200, 60, 100), 1e-12)
}
