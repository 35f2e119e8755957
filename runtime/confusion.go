package runtime

import (
	"math"

	"lladakit/kernels"
)

// Uncertainty is what a step's predictions say of how sure the model is, after
// "Dynamic Confusion Zones" (arXiv 2511.15208), whose normalisations are not public:
// these are ours. Means are over the positions that were masked before the step.
type Uncertainty struct {
	Entropy float64 // mean entropy of the predictions, in nats
	Margin  float64 // 1 - mean(p₁ - p₂), of the two most probable tokens; 0 to 1
	Change  float64 // |Entropy - that of the block's step before| / max(the latter, 10⁻³); 0 at a block's first step
	Zone    bool    // a spike, see Confusion
}

// Confusion follows the uncertainty of a generation. A step is in a zone of
// confusion if its entropy or its margin is more than two standard deviations above
// the mean of all steps before it, of which there must be eight. The zero value has
// seen no step.
type Confusion struct {
	entropy, margin spread
	block           int
	before          float64 // entropy of the step before
}

// zoneSteps and zoneDeviations define a spike.
const (
	zoneSteps      = 8
	zoneDeviations = 2
)

// Measure takes the next step: the statistics of its masked positions, of which
// there is at least one.
func (c *Confusion) Measure(block, step int, masked []kernels.Stats) Uncertainty {
	var u Uncertainty
	for i := range masked {
		u.Entropy += float64(masked[i].Entropy)
		u.Margin += float64(masked[i].Prob) - float64(masked[i].Second)
	}
	n := float64(len(masked))
	u.Entropy, u.Margin = u.Entropy/n, 1-u.Margin/n
	if step > 0 && block == c.block {
		u.Change = math.Abs(u.Entropy-c.before) / max(c.before, 1e-3)
	}
	c.block, c.before = block, u.Entropy
	u.Zone = c.entropy.spike(u.Entropy) || c.margin.spike(u.Margin)
	c.entropy.add(u.Entropy)
	c.margin.add(u.Margin)
	return u
}

// spread is the mean and the variance of values seen one after the other (Welford).
type spread struct{ n, mean, squares float64 }

func (s *spread) add(x float64) {
	s.n++
	d := x - s.mean
	s.mean += d / s.n
	s.squares += d * (x - s.mean)
}

// spike reports whether x is far above what was seen.
func (s *spread) spike(x float64) bool {
	return s.n >= zoneSteps && x > s.mean+zoneDeviations*math.Sqrt(s.squares/s.n)
}
