package runtime

// decideHierarchical is "hierarchical" (dInfer, arXiv 2510.08666). The masked
// positions of a block lie in runs. It writes
//
//   - the most probable position of every run, if above LowThreshold,
//   - every position above the threshold,
//   - the most probable position of all; of these, the quota at least.
//
// Tokens written together thus have masks between them, and every step cuts the runs
// in two, so that a block may take as few steps as the logarithm of its length.
//
// dInfer writes all positions of a run that equal its best; here it is the first. Its
// default of LowThreshold is 0.4; runs that it publishes have 0.62 with a threshold
// of 0.76, or 0.5 with 0.8.
func decideHierarchical(take []bool, v *view, o *PolicyOptions) (passed int) {
	top := -1 // the best of the run
	for i, c := range v.conf {
		take[i] = c >= 0 && c > v.threshold
		if take[i] {
			passed++
		}
		switch {
		case c < 0:
			top = -1
			continue
		case top < 0 || c > v.conf[top]:
			top = i
		}
		last := i+1 == len(v.conf) || v.conf[i+1] < 0
		if last && v.conf[top] > o.LowThreshold && !take[top] {
			take[top] = true
			passed++
		}
	}
	// If anything passed, so did the most probable position: it is the best of its
	// run, and above whatever another one is above.
	topUp(take, v.conf, passed, v.least())
	return passed
}
