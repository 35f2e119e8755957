package runtime

import (
	"math"
	"math/rand/v2"
	"slices"

	"lladakit/kernels"
)

// sampler draws tokens at a temperature above 0. Draws come from one generator
// in the order of positions, so that they depend on the seed alone.
type sampler struct {
	opt   *Options
	mask  int32
	rng   *rand.Rand
	order []int32   // [vocab], candidates by descending logit
	prob  []float64 // [vocab]
}

func newSampler(o *Options, vocab int, mask int32) *sampler {
	return &sampler{
		opt: o, mask: mask, rng: rand.New(rand.NewPCG(o.Seed, 0)),
		order: make([]int32, vocab), prob: make([]float64, vocab),
	}
}

// sample replaces the token and the probability of stats, which describe the
// row of logits, by a draw: divide by the temperature, keep the TopK greatest
// logits (and all that equal the last of them), of those the most probable up
// to a share of TopP (the first always), and draw from the softmax of what is
// left. The mask token is never drawn, but keeps its share of the softmax.
func (s *sampler) sample(logits []float32, stats *kernels.Stats) {
	order := s.order[:0]
	for id := range logits {
		if int32(id) != s.mask {
			order = append(order, int32(id))
		}
	}
	// Stable in ids, so that equal logits have one order.
	slices.SortFunc(order, func(a, b int32) int {
		switch {
		case logits[a] > logits[b]:
			return -1
		case logits[a] < logits[b]:
			return 1
		}
		return int(a - b)
	})
	if k := s.opt.TopK; k > 0 && k < len(order) {
		last := logits[order[k-1]]
		for k < len(order) && logits[order[k]] == last {
			k++
		}
		order = order[:k]
	}
	// Exponentials relative to the greatest logit: the differences shrink or
	// grow with the temperature, so that no temperature overflows.
	high := max(logits[order[0]], logits[s.mask])
	weigh := func(id int32) float64 {
		return math.Exp(float64(logits[id]-high) / s.opt.Temperature)
	}
	masked, sum := weigh(s.mask), 0.0
	for i, id := range order {
		s.prob[i] = weigh(id)
		sum += s.prob[i]
	}
	if p := s.opt.TopP; p > 0 && p < 1 {
		before, kept := 0.0, 0
		for kept < len(order) && (kept == 0 || before <= p*(sum+masked)) {
			before += s.prob[kept]
			kept++
		}
		order, sum = order[:kept], before
	}
	draw, at := s.rng.Float64()*sum, 0
	for ; at+1 < len(order) && draw >= s.prob[at]; at++ {
		draw -= s.prob[at]
	}
	stats.Token = order[at]
	stats.Prob = float32(s.prob[at] / (sum + masked))
}
