package stats_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"lladakit/internal/stats"
)

// TestWilson has Newcombe's examples (1998, Statistics in Medicine 17, 857-872, table I)
// and figures of statsmodels 0.13.5:
//
//	statsmodels.stats.proportion.proportion_confint(k, n, method="wilson")
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		k, n      int
		low, high float64
	}{
		{0, 0, 0, 1},
		{0, 1, 0, 0.793450685623},
		{1, 1, 0.206549314377, 1},
		{0, 10, 0, 0.277532799863},
		{5, 10, 0.236593090513, 0.763406909487},
		{81, 263, 0.255288519878, 0.366209576983},  // Newcombe: 0.2553, 0.3662
		{15, 148, 0.0623863995307, 0.160487241723}, // Newcombe: 0.0624, 0.1605
		{142, 164, 0.805245028203, 0.909715392442},
		{155, 164, 0.899005456951, 0.970863054833},
		{1243, 1319, 0.928473231611, 0.953718653304},
		{1267, 1319, 0.948667044971, 0.969810367343},
		{1319, 1319, 0.997096055015, 1},
	} {
		low, high := stats.Wilson(c.k, c.n)
		assert.InDelta(t, c.low, low, 1e-11, "%d of %d", c.k, c.n)
		assert.InDelta(t, c.high, high, 1e-11, "%d of %d", c.k, c.n)
	}
}

// alike are n documents with one answer each, k of them right.
func alike(k, n int) []stats.Document {
	all := make([]stats.Document, n)
	for i := range all {
		all[i].Answers = 1
		if i < k {
			all[i].Right = 1
		}
	}
	return all
}

// TestEstimate: with one answer a document it is Wilson, and the error that of
// scipy.stats.sem([1]*k + [0]*(n-k)) of scipy 1.10.1.
func TestEstimate(t *testing.T) {
	for _, c := range []struct {
		k, n int
		se   float64
	}{{5, 10, 0.166666666667}, {142, 164, 0.0266942585375}, {1243, 1319, 0.00641859331982}, {0, 7, 0}, {7, 7, 0}} {
		p := stats.Estimate(alike(c.k, c.n))
		low, high := stats.Wilson(c.k, c.n)
		assert.Equal(t, []int{c.k, c.n}, []int{p.Right, p.Answers})
		assert.InDelta(t, float64(c.k)/float64(c.n), p.Share, 1e-15)
		assert.InDelta(t, c.se, p.SE, 1e-12)
		assert.Equal(t, []float64{low, high, float64(c.n)}, []float64{p.Low, p.High, p.Effective}, "%d of %d", c.k, c.n)
	}
	assert.Equal(t, stats.Proportion{High: 1}, stats.Estimate(nil))
	assert.Equal(t, stats.Proportion{High: 1}, stats.Estimate([]stats.Document{{}, {}}))
}

// TestEstimateClusters: the error of documents with several answers is that of
//
//	statsmodels.api.OLS(y, ones).fit(cov_type="cluster", cov_kwds={"groups": g, "use_correction": False})
//
// by the root of 11/12, for 12 documents.
func TestEstimateClusters(t *testing.T) {
	var documents []stats.Document
	for _, right := range []int{3, 4, 0, 2, 4, 1, 4, 4, 0, 3, 2, 4} {
		documents = append(documents, stats.Document{Right: right, Answers: 4})
	}
	p := stats.Estimate(documents)
	assert.InDelta(t, 0.64583333, p.Share, 1e-8)
	assert.InDelta(t, 0.11289213364262313, p.SE, 1e-12)
	assert.Greater(t, p.Effective, 12.0)
	assert.Less(t, p.Effective, 48.0)

	// The same answer again and again tells nothing more.
	once, often := alike(142, 164), alike(142, 164)
	for i := range often {
		often[i].Right *= 50
		often[i].Answers *= 50
	}
	a, b := stats.Estimate(once), stats.Estimate(often)
	assert.InDelta(t, a.SE, b.SE, 1e-12)
	assert.InDelta(t, a.Effective, b.Effective, 1.1)
	assert.InDelta(t, a.Low, b.Low, 1e-3)
	// Nor do answers that are all right.
	all := stats.Estimate([]stats.Document{{5, 5}, {5, 5}, {5, 5}})
	low, high := stats.Wilson(3, 3)
	assert.Equal(t, []float64{0, low, high}, []float64{all.SE, all.Low, all.High})
	one := stats.Estimate([]stats.Document{{3, 6}})
	assert.Equal(t, 1.0, one.Effective, "of one document nothing is known but itself")
}

// TestIntervalHolds draws samples whose true accuracy is known, with and without
// clusters: 95 % of the intervals hold it, or near to that.
func TestIntervalHolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, c := range []struct {
		documents, answers int
		spread             bool // documents differ in how hard they are
	}{{164, 1, false}, {164, 5, true}, {60, 20, true}, {164, 5, false}} {
		held := 0
		const trials = 2000
		for range trials {
			documents := make([]stats.Document, c.documents)
			for i := range documents {
				p := 0.8
				if c.spread { // 0.8 on average
					p = []float64{1, 1, 1, 0.6, 0.4}[rng.IntN(5)]
				}
				for range c.answers {
					documents[i].Answers++
					if rng.Float64() < p {
						documents[i].Right++
					}
				}
			}
			if p := stats.Estimate(documents); p.Low <= 0.8 && 0.8 <= p.High {
				held++
			}
		}
		assert.InDelta(t, 0.95, float64(held)/trials, 0.02, "%+v", c)
	}
}

// TestFisher has Fisher's tea (1935) and figures of scipy 1.10.1:
//
//	scipy.stats.fisher_exact([[k1, n1-k1], [k2, n2-k2]])
func TestFisher(t *testing.T) {
	for _, c := range []struct {
		k1, n1, k2, n2 int
		p              float64
	}{
		{3, 4, 1, 4, 0.485714285714}, // the tea
		{8, 10, 1, 6, 0.034965034965},
		{10, 10, 0, 10, 1.08250882245e-05},
		{142, 164, 155, 164, 0.0222197142714},
		{142, 164, 142, 164, 1},
		{120, 164, 142, 164, 0.00361094159368},
		{1243, 1319, 1267, 1319, 0.0367735623329},
		{1198, 1319, 1243, 1319, 0.00107363614368},
		{88, 100, 1243, 1319, 0.0277274279508},
		{0, 5, 0, 7, 1},
		{0, 0, 3, 7, 1},
	} {
		assert.InEpsilon(t, c.p, stats.Fisher(c.k1, c.n1, c.k2, c.n2), 1e-6, "%+v", c)
		assert.InEpsilon(t, c.p, stats.Fisher(c.k2, c.n2, c.k1, c.n1), 1e-6, "the other way round")
		assert.InEpsilon(t, c.p, stats.Fisher(c.n1-c.k1, c.n1, c.n2-c.k2, c.n2), 1e-6, "wrong ones for right ones")
	}
}
