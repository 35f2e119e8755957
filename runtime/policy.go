package runtime

// acceptThreshold decides which positions of a block a step writes, by the
// official rule: every masked position whose probability is above the
// threshold; or, if those are fewer than quota, the quota most probable masked
// ones, the lower position first among equals.
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
	for n := high; n < quota; n++ {
		best := -1
		for i, c := range conf {
			if c >= 0 && !take[i] && (best < 0 || c > conf[best]) {
				best = i
			}
		}
		if best < 0 {
			break // no masks left
		}
		take[best] = true
	}
	return high
}
