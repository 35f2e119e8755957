package runtime

import "math"

// decideKLASS is "klass" (KLASS, arXiv 2511.05664). A masked position is stable when
// each of the last KLHistory steps moved its distribution by less than KLThreshold:
//
//	KL(p_t ‖ p_{t-1}) < KLThreshold
//
// It writes the stable positions whose probability is above the threshold, topped up
// to the quota with the most probable ones. The first KLHistory steps of a block
// have no history, so that they write the quota only.
func decideKLASS(take []bool, v *view, o *PolicyOptions) (passed int) {
	for i, c := range v.conf {
		take[i] = c >= 0 && c > v.threshold && v.calm[i] >= o.KLHistory
		if take[i] {
			passed++
		}
	}
	topUp(take, v.conf, passed, v.least())
	return passed
}

// stability remembers how long the distributions of a block's positions have been
// at rest. It holds one row of logits per position.
type stability struct {
	threshold float64
	prev      [][]float32 // logits of the step before; empty before the first step
	norm      []float64   // log Σ exp of them
	calm      []int       // by how many of the last steps in a row they moved less than threshold
}

func newStability(block int, threshold float64) *stability {
	return &stability{
		threshold: threshold,
		prev:      make([][]float32, block), norm: make([]float64, block), calm: make([]int, block),
	}
}

func (s *stability) reset() {
	for i := range s.prev {
		s.prev[i], s.calm[i] = s.prev[i][:0], 0
	}
}

// observe takes the logits of a position at the next step.
func (s *stability) observe(i int, logits []float32) {
	if len(s.prev[i]) == 0 {
		s.norm[i] = logSumExp(logits)
	} else {
		var kl float64
		kl, s.norm[i] = divergence(logits, s.prev[i], s.norm[i])
		s.calm[i]++
		if !(kl < s.threshold) {
			s.calm[i] = 0
		}
	}
	s.prev[i] = append(s.prev[i][:0], logits...)
}

// divergence returns KL(p ‖ q) in nats of two distributions given as logits over the
// same tokens, and log Σ exp p; normQ is log Σ exp q. With S = Σ exp(p_k - max p),
//
//	KL = Σ softmax(p)_k·(log softmax(p)_k - log softmax(q)_k)
//	   = 1/S Σ exp(p_k - max p)·(p_k - q_k) - log Σ exp p + log Σ exp q
//
// all in float64. It is +∞ where q excludes what p does not, NaN where logits are.
func divergence(p, q []float32, normQ float64) (kl, normP float64) {
	high := greatestOf(p)
	sum, moved := 0.0, 0.0
	for k, z := range p {
		if e := math.Exp(float64(z) - high); e != 0 {
			sum += e
			moved += e * (float64(z) - float64(q[k]))
		}
	}
	normP = high + math.Log(sum)
	// Rounding may leave equal distributions a little below 0.
	return max(0, moved/sum-normP+normQ), normP
}

// logSumExp returns log Σ exp of logits.
func logSumExp(logits []float32) float64 {
	high, sum := greatestOf(logits), 0.0
	for _, z := range logits {
		sum += math.Exp(float64(z) - high)
	}
	return high + math.Log(sum)
}

// greatestOf returns the greatest logit; what is no number is passed over.
func greatestOf(logits []float32) float64 {
	high := float32(math.Inf(-1))
	for _, z := range logits {
		if z > high {
			high = z
		}
	}
	return float64(high)
}
