package bench

import (
	"math"
	"math/rand/v2"
	"slices"

	"lladakit/reports"
)

// resamples is how many samples of the samples an interval comes from.
const resamples = 2000

// NewSpread describes samples, which it leaves as they are. The interval of the median
// holds 95 % of the medians of bootstrap samples, which are the same for the same
// samples: with fewer than six of those it is from the least to the greatest. Without
// any sample all is 0.
func NewSpread(samples []float64) reports.Spread {
	n := len(samples)
	if n == 0 {
		return reports.Spread{}
	}
	sorted := slices.Sorted(slices.Values(samples))
	s := reports.Spread{N: n, Min: sorted[0], Max: sorted[n-1], Median: (sorted[(n-1)/2] + sorted[n/2]) / 2}
	for _, x := range sorted {
		s.Mean += x / float64(n)
	}
	if n > 1 {
		var squares float64
		for _, x := range sorted {
			squares += (x - s.Mean) * (x - s.Mean)
		}
		s.Stddev = math.Sqrt(squares / float64(n-1))
	}
	s.Low, s.High = medianInterval(sorted)
	return s
}

// medianInterval returns what 95 % of the medians of bootstrap samples lie between.
func medianInterval(sorted []float64) (low, high float64) {
	n := len(sorted)
	rng := rand.New(rand.NewPCG(1, 1))
	times := make([]int, n) // how often each one was drawn
	medians := make([]float64, resamples)
	for i := range medians {
		clear(times)
		for range n {
			times[rng.IntN(n)]++
		}
		// The samples of ranks (n-1)/2 and n/2 of those drawn.
		at, below := 0, times[0]
		for below <= (n-1)/2 {
			at++
			below += times[at]
		}
		middle := sorted[at]
		for below <= n/2 {
			at++
			below += times[at]
		}
		medians[i] = (middle + sorted[at]) / 2
	}
	slices.Sort(medians)
	return medians[resamples*25/1000], medians[resamples*975/1000-1]
}
