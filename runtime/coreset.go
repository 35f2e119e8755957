package runtime

import "slices"

// Coreset limits which routed experts the rows of a block may use together, so that
// fewer weights are read. The rows vote for the experts of their own choice with the
// weights that they would give them; the experts with the most votes stay, and every
// row chooses among these by the same scores as before (DES-Vote, arXiv 2602.00879;
// with Mass the rule that dMoE, arXiv 2605.30876, trains for). The zero value limits
// nothing.
type Coreset struct {
	Size int     `json:"size,omitempty"` // this many experts
	Mass float32 `json:"mass,omitempty"` // as few as have this share of the votes,
	Min  int     `json:"min,omitempty"`  // but not fewer than this
}

func (c *Coreset) limits() bool { return c.Size > 0 || c.Mass > 0 }

// coresetState holds the buffers of the vote.
type coresetState struct {
	votes []float32 // [experts]
	order []int32   // [experts], by falling votes
}

// restrict applies the coresets of the pass's parts. Only rows of a part's last block
// are limited: those of a block before it are becoming final.
func (s *State) restrict(bias []float32) {
	for lo := 0; lo < s.n; {
		part := &s.parts[s.rows[lo].part]
		hi := lo
		for hi < s.n && s.rows[hi].part == s.rows[lo].part {
			hi++
		}
		if part.Coreset.limits() {
			from := lo
			for from < hi && s.rows[from].pos < part.end()-part.Block {
				from++
			}
			s.vote(from, hi, &part.Coreset, bias)
		}
		lo = hi
	}
}

// vote lets rows lo to hi choose anew among the experts that they vote for.
func (s *State) vote(lo, hi int, limit *Coreset, bias []float32) {
	c, e := s.cfg, &s.moe
	v := &e.coreset
	clear(v.votes)
	var sum float32
	for i := lo * c.ExpertsUsed; i < hi*c.ExpertsUsed; i++ {
		v.votes[e.chosen[i]] += e.weight[i]
		sum += e.weight[i]
	}
	v.order = v.order[:0]
	for x, votes := range v.votes {
		if votes > 0 {
			v.order = append(v.order, int32(x))
		}
	}
	slices.SortFunc(v.order, func(a, b int32) int {
		switch x, y := v.votes[a], v.votes[b]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return int(a - b)
	})
	keep := limit.Size
	if limit.Mass > 0 {
		var mass float32
		for keep = 0; keep < len(v.order) && mass <= limit.Mass*sum; keep++ {
			mass += v.votes[v.order[keep]]
		}
		keep = max(keep, limit.Min)
	}
	keep = min(len(v.order), max(keep, c.ExpertsUsed))
	if keep == len(v.order) {
		return
	}
	for r := lo; r < hi; r++ {
		prob := e.prob[r*c.Experts : (r+1)*c.Experts]
		score := e.bias[0]
		for i := range score {
			score[i] = minusInf
		}
		for _, x := range v.order[:keep] {
			score[x] = prob[x] + bias[x]
		}
		s.choose(score, r, prob)
	}
}
