package runtime

// acceptThreshold decides which positions of a block a step writes, by the
// official rule (LLaDA2.0's generate): every masked position whose probability is
// above the threshold; or, if those are fewer than quota, the quota most probable
// masked ones, the lower position first among equals.
//
// conf has the probability of the predicted token per position, and is negative
// where there is no mask. take, of the same length, receives the decision.
//
// It returns how many probabilities are above the threshold.
func acceptThreshold(take []bool, conf []float32, quota int, threshold float32) (high int) {
	for i, c := range conf {
		take[i] = c >= 0 && c > threshold
		if take[i] {
			high++
		}
	}
	// Whatever is above the threshold is among the most probable, so topping up
	// is the same as choosing anew.
	topUp(take, conf, high, quota)
	return high
}

// decideThreshold is "threshold", and "credit" after [credits.fuse].
func decideThreshold(take []bool, v *view, _ *PolicyOptions) int {
	return acceptThreshold(take, v.conf, v.least(), v.threshold)
}

// decideFactor is "factor" (Fast-dLLM, arXiv 2505.22618, section 3.3). Of the masked
// positions by falling probability p(1) ≥ p(2) ≥ …, it writes the first n, n being
// the greatest with
//
//	(n+1)·(1 - p(n)) < f
//
// but the quota at least. The left side grows with n, so that n is found by going on
// until the inequality fails. The paper proves that for f = 1 the most probable tokens
// of the single positions are the most probable ones together, too. The threshold has
// no effect.
func decideFactor(take []bool, v *view, o *PolicyOptions) (passed int) {
	clear(take)
	for n := 1; ; n++ {
		i := mostConfident(take, v.conf)
		if i < 0 || !(float64(n+1)*(1-float64(v.conf[i])) < o.Factor) {
			break
		}
		take[i] = true
		passed = n
	}
	topUp(take, v.conf, passed, v.least())
	return passed
}
