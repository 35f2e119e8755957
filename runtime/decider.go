package runtime

import "lladakit/kernels"

// view is what a policy sees of a block at one step. All slices have one element
// per position of the block.
type view struct {
	current []int32         // the tokens before the step
	masked  []bool          // where they are masks
	fixed   []bool          // where they are the prompt's, never to be written
	stats   []kernels.Stats // of masked positions; for Policy.All of all that are not fixed

	quota     int     // tokens to write at least, if there are as many masks; below 1 means 1
	threshold float32 // Options.Threshold

	// prob returns the probability of a token at a masked position. Only "credit"
	// asks, only for tokens that were the position's most probable one at an earlier
	// step of the block, and before it changes stats there.
	prob func(position int, token int32) float64

	conf []float32 // probability of the predicted token where it may be written, else -1
	calm []int     // "klass": see stability
}

// least returns how many tokens to write at least.
func (v *view) least() int { return max(1, v.quota) }

// open sets conf: to the probabilities at masked positions, or, for parts of sub
// positions, at those of the first parts that together have masks for the quota.
// What is no number is the least probable.
func (v *view) open(conf []float32, sub int) {
	v.conf = conf
	masks, closed := 0, false
	for i, masked := range v.masked {
		if sub > 0 && i%sub == 0 && masks >= v.least() {
			closed = true
		}
		conf[i] = -1
		if masked && !closed {
			masks++
			conf[i] = 0
			if p := v.stats[i].Prob; p > 0 {
				conf[i] = p
			}
		}
	}
}

// A decider applies a policy to the blocks of one sequence, one after the other. It
// keeps what policies remember between the steps of a block.
type decider struct {
	policy *Policy
	opt    PolicyOptions // filled
	conf   []float32

	stability *stability // of "klass", else nil
	credits   *credits   // of "credit", else nil
}

// newDecider returns a decider for blocks of the given length. The options have
// been checked.
func newDecider(o PolicyOptions, block int) *decider {
	d := &decider{policy: o.policy(), opt: o.filled(), conf: make([]float32, block)}
	switch d.opt.Name {
	case PolicyKLASS:
		d.stability = newStability(block, d.opt.KLThreshold)
	case PolicyCredit:
		d.credits = newCredits(block, &d.opt)
	}
	return d
}

// reset forgets the block before. It must be called before the first step of each.
func (d *decider) reset() {
	if d.stability != nil {
		d.stability.reset()
	}
	if d.credits != nil {
		d.credits.reset()
	}
}

// observe shows a masked position's logits, [vocab], to a policy that wants them.
// It must be called once for each of them before each decide. Calls for different
// positions may run at the same time.
func (d *decider) observe(position int, logits []float32) {
	if d.stability != nil {
		d.stability.observe(position, logits)
	}
}

// decide sets take, for every position of the block, to whether the step writes the
// predicted token there. "credit" changes predictions: Token and Prob in the
// statistics of masked positions are what it decided by.
//
// It returns how many masked positions passed the policy's rule. If they are fewer
// than the quota, the step fell back on the next best ones.
func (d *decider) decide(take []bool, v *view) (passed int) {
	if d.credits != nil {
		d.credits.fuse(v)
	}
	if d.stability != nil {
		v.calm = d.stability.calm
	}
	v.open(d.conf, d.opt.SubBlock)
	return d.policy.decide(take, v, &d.opt)
}

// mostConfident returns the position with the greatest confidence that is not taken, the
// lowest of equals, or -1 if all that may be written are taken.
func mostConfident(take []bool, conf []float32) int {
	at := -1
	for i, c := range conf {
		if c >= 0 && !take[i] && (at < 0 || c > conf[at]) {
			at = i
		}
	}
	return at
}

// topUp takes further positions, the best first, until n of them have become quota.
func topUp(take []bool, conf []float32, n, quota int) {
	for ; n < quota; n++ {
		i := mostConfident(take, conf)
		if i < 0 {
			return
		}
		take[i] = true
	}
}
