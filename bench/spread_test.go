package bench_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"lladakit/bench"
	"lladakit/reports"
)

// TestSpread holds figures against those of numpy.median, mean, and std with ddof=1, and
// intervals against numpy.percentile of the medians of 200 000 bootstrap samples.
func TestSpread(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, c := range []struct {
		samples []float64
		want    reports.Spread
	}{
		{nil, reports.Spread{}},
		{[]float64{3}, reports.Spread{N: 1, Median: 3, Low: 3, High: 3, Min: 3, Max: 3, Mean: 3}},
		{[]float64{2, 1}, reports.Spread{N: 2, Median: 1.5, Low: 1, High: 2, Min: 1, Max: 2, Mean: 1.5, Stddev: 0.7071067811865476}},
		{[]float64{5, 1, 4, 2, 3}, reports.Spread{N: 5, Median: 3, Low: 1, High: 5, Min: 1, Max: 5, Mean: 3, Stddev: 1.5811388300841898}},
		{
			[]float64{10.5, 11.25, 9.75, 10, 30, 10.125},
			reports.Spread{N: 6, Median: 10.3125, Low: 9.875, High: 20.625, Min: 9.75, Max: 30, Mean: 13.604166666666666, Stddev: 8.049230035641092},
		},
		{hundred, reports.Spread{N: 100, Median: 50.5, Low: 41, High: 60, Min: 1, Max: 100, Mean: 50.5, Stddev: 29.011491975882016}},
	} {
		before := slices.Clone(c.samples)
		got := bench.NewSpread(c.samples)
		assert.Equal(t, before, c.samples)
		assert.Equal(t, got, bench.NewSpread(c.samples), "the same samples have the same interval")
		assert.InDelta(t, c.want.Mean, got.Mean, 1e-12)
		assert.InDelta(t, c.want.Stddev, got.Stddev, 1e-12)
		// The ends of an interval are medians, which lie apart.
		assert.InDelta(t, c.want.Low, got.Low, 1.5)
		assert.InDelta(t, c.want.High, got.High, 1.5)
		got.Mean, got.Stddev, got.Low, got.High = c.want.Mean, c.want.Stddev, c.want.Low, c.want.High
		assert.Equal(t, c.want, got)
	}
}
