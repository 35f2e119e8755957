package runtime

import "math"

// decideEntropyBound is "entropy-bound" (EB-sampler, arXiv 2505.24857; the default
// and the form are SGLang's). Of the masked positions by rising entropy
// H(1) ≤ H(2) ≤ …, the lower position first among equals, it writes the first, and
// further ones as long as the entropies of those before them do not exceed a bound:
// the n-th, if
//
//	H(1) + … + H(n-1) ≤ γ
//
// but the quota at least. The threshold has no effect. Entropies are those of whole
// distributions: the mask token counts, where SGLang leaves it out.
func decideEntropyBound(take []bool, v *view, o *PolicyOptions) (passed int) {
	clear(take)
	sum := 0.0
	for n := 0; n < v.least() || sum <= o.EntropyBound; n++ {
		at, least := -1, 0.0
		for i, c := range v.conf {
			if c < 0 || take[i] {
				continue
			}
			if h := entropyOf(v.stats[i].Entropy); at < 0 || h < least {
				at, least = i, h
			}
		}
		if at < 0 {
			break
		}
		take[at] = true
		if sum <= o.EntropyBound {
			passed++
		}
		sum += least
	}
	return passed
}

// entropyOf returns a computed entropy: rounding may leave it below 0, and what is
// no number is the greatest.
func entropyOf(h float32) float64 {
	if h != h {
		return math.Inf(1)
	}
	return max(0, float64(h))
}
