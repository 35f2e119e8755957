// Package stats has the statistics of right and wrong answers. A document may be answered
// several times: documents are then what a sample is drawn of, and not answers.
package stats

import "math"

// z is the normal quantile that a 95 % interval has at both ends, and zPower the one
// that a power of 0.8 has.
const (
	z      = 1.959963984540054
	zPower = 0.8416212335729143
)

// Document is how often a document was answered, and how often rightly.
type Document struct {
	Right, Answers int
}

// Proportion is a share of right answers and what is known of it.
type Proportion struct {
	Right, Answers int
	Share          float64
	SE             float64 // standard error
	Low, High      float64 // of the 95 % interval

	// Effective is the number of independent answers that would tell as much: Answers
	// where every document has one, fewer where answers to a document are alike.
	Effective float64
}

// Estimate returns the share of right answers to documents.
//
// The standard error takes documents as clusters (Cochran 1977, section 9A; for
// evaluations Miller 2024, arXiv 2411.00640). Where every document has one answer it is
// the sample's standard deviation by the root of their number, as of lm-evaluation-harness.
// The interval is Wilson's, with the effective number of answers (Kish 1965) in the place
// of their number. If all answers are right or all wrong, documents are taken as one
// answer each.
func Estimate(documents []Document) Proportion {
	var p Proportion
	count := 0 // of documents
	for _, d := range documents {
		if d.Answers > 0 {
			count++
			p.Right += d.Right
			p.Answers += d.Answers
		}
	}
	if count == 0 {
		return Proportion{High: 1}
	}
	n := float64(p.Answers)
	p.Share = float64(p.Right) / n
	p.Effective = n
	switch simple := p.Share * (1 - p.Share) / (n - 1); {
	case count == 1:
		// Nothing is known of how documents differ.
		p.Effective = 1
	case simple == 0:
		p.Effective = float64(count)
	default:
		var squares float64
		for _, d := range documents {
			residual := float64(d.Right) - p.Share*float64(d.Answers)
			squares += residual * residual
		}
		variance := squares / (n * n) * float64(count) / float64(count-1)
		p.SE = math.Sqrt(variance)
		if count < p.Answers {
			// Answers that differ more within documents than between them tell no more
			// than independent ones.
			p.Effective = min(n, n*simple/variance)
		}
	}
	p.Low, p.High = wilson(p.Share, p.Effective)
	return p
}

// Wilson returns the 95 % interval of a proportion of k in n (Wilson 1927, without a
// correction for continuity). For n = 0 it is 0 to 1.
func Wilson(k, n int) (low, high float64) {
	if n <= 0 {
		return 0, 1
	}
	return wilson(float64(k)/float64(n), float64(n))
}

func wilson(share, n float64) (low, high float64) {
	middle := (share + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(share*(1-share)/n+z*z/(4*n*n))
	// At the ends, rounding must not exclude the share.
	return max(0, min(middle-half, share)), min(1, max(middle+half, share))
}

// Fisher returns the two-sided p of Fisher's exact test that two proportions, of k1 in n1
// and of k2 in n2, are the same: the probability of all tables with these sums that are
// no more probable than this one. Both are taken as independent samples.
//
// Note: where both are of the same documents, but it is not known which ones were right,
// this errs on the side of calling them the same.
func Fisher(k1, n1, k2, n2 int) float64 {
	right := k1 + k2
	table := func(k int) float64 { // log of the hypergeometric probability
		return logChoose(n1, k) + logChoose(n2, right-k) - logChoose(n1+n2, right)
	}
	seen := table(k1)
	var p float64
	for k := max(0, right-n2); k <= min(n1, right); k++ {
		// Tables that are as probable, but for rounding, count.
		if log := table(k); log <= seen+1e-7 {
			p += math.Exp(log)
		}
	}
	return min(p, 1)
}

// logChoose is the logarithm of the binomial coefficient.
func logChoose(n, k int) float64 {
	gamma := func(n int) float64 {
		x, _ := math.Lgamma(float64(n) + 1)
		return x
	}
	return gamma(n) - gamma(k) - gamma(n-k)
}
