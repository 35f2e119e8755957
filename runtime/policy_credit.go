package runtime

import (
	"math"

	"lladakit/kernels"
)

// credits is the memory of "credit" (CreditDecoding, arXiv 2510.06133, as in dInfer,
// arXiv 2510.08666). Every masked position gives credit to tokens. At each step, old
// credits C are multiplied by CreditDecay, and that of the most probable token t
// grows by its probability:
//
//	C_t += p_t^CreditGamma
//
// The prediction is then that of the logits z_k + CreditAlpha·log(1 + C_k), which the
// official rule decides on. Only tokens with credit change relative to each other,
// so that the softmax of these logits needs only theirs:
//
//	p'_k = p_k·(1 + C_k)^α / (1 + Σ_j p_j·((1 + C_j)^α - 1))
//
// Its greatest is among the tokens with credit, for the most probable one has some
// and all without have less probability than it.
type credits struct {
	alpha, gamma, decay float64
	held                [][]credit // [block], tokens in the order of their first credit
}

type credit struct {
	token int32
	value float64
}

func newCredits(block int, o *PolicyOptions) *credits {
	c := &credits{alpha: o.CreditAlpha, gamma: o.CreditGamma, decay: o.CreditDecay, held: make([][]credit, block)}
	for i := range c.held {
		c.held[i] = make([]credit, 0, 4)
	}
	return c
}

func (c *credits) reset() {
	for i := range c.held {
		c.held[i] = c.held[i][:0]
	}
}

// fuse gives credit to the predictions at masked positions, and replaces their
// tokens and probabilities by those that the credits lead to.
func (c *credits) fuse(v *view) {
	for i, masked := range v.masked {
		if !masked {
			continue
		}
		s := &v.stats[i]
		p := probability(float64(s.Prob))
		at := -1
		for k := range c.held[i] {
			c.held[i][k].value *= c.decay
			if c.held[i][k].token == s.Token {
				at = k
			}
		}
		if at < 0 {
			at = len(c.held[i])
			c.held[i] = append(c.held[i], credit{token: s.Token})
		}
		c.held[i][at].value += math.Pow(p, c.gamma)

		// The prediction stays among equals.
		raised := func(p, value float64) float64 { return p * math.Pow(1+value, c.alpha) }
		token, most := s.Token, raised(p, c.held[i][at].value)
		sum := 1 + most - p
		for k, h := range c.held[i] {
			if k == at {
				continue
			}
			// No token is more probable than the prediction, whatever rounding says.
			q := min(p, probability(v.prob(i, h.token)))
			r := raised(q, h.value)
			if r > most {
				token, most = h.token, r
			}
			sum += r - q
		}
		s.Token, s.Prob = token, float32(most/sum)
	}
}

// probability returns p, or 0 for what is no probability.
func probability(p float64) float64 {
	if p >= 0 && p <= 1 {
		return p
	}
	return 0
}

// shareOf returns the probability of a token in a row of logits whose statistics
// are s.
func shareOf(logits []float32, s *kernels.Stats, token int32) float64 {
	return float64(s.Prob) * math.Exp(float64(logits[token])-float64(logits[s.Token]))
}
