package runtime

import (
	"math"

	"lladakit/internal/arch"
	"lladakit/kernels"
)

// moeState holds the buffers of the routed experts. A slot is one use of one
// expert by one row; slots of the same expert lie together, so that an expert's
// weights are read once for all rows that chose it.
type moeState struct {
	prob    []float32 // [rows, experts], sigmoid of the router
	bias    []float32 // [experts], of one row: what experts are chosen by
	group   []float32 // [groups], of one row
	chosen  []int32   // [rows, used], experts by descending biased score
	weight  []float32 // [rows, used], their shares
	slot    []int32   // [rows, used], where the result of a choice is
	share   []float32 // [slots], weights in the order of slots
	first   []int32   // [experts+1], first slot of each expert
	touched []int32   // experts with any slot
	x       []float32 // [slots, hidden]
	act     []float32 // [slots, ff]
	up      []float32 // [slots, ff]
	y       []float32 // [slots, hidden]

	dst                       []float32
	upTask, downTask, mixTask func(worker, lo, hi int)
}

func newMoEState(c *arch.Config, rows int) moeState {
	slots := rows * c.ExpertsUsed
	return moeState{
		prob: make([]float32, rows*c.Experts), bias: make([]float32, c.Experts), group: make([]float32, c.ExpertGroups),
		chosen: make([]int32, slots), weight: make([]float32, slots), slot: make([]int32, slots), share: make([]float32, slots),
		first: make([]int32, c.Experts+1), touched: make([]int32, 0, c.Experts),
		x: make([]float32, slots*c.Hidden), y: make([]float32, slots*c.Hidden),
		act: make([]float32, slots*c.ExpertFF), up: make([]float32, slots*c.ExpertFF),
	}
}

// mixture computes the routed experts and the shared one for the normed rows.
func (s *State) mixture(dst []float32, l *Layer) {
	c, e := s.cfg, &s.moe
	s.product(e.prob, &l.Router, s.u, s.n)
	kernels.Sigmoid(e.prob[:s.n*c.Experts])
	for r := range s.n {
		s.route(r, l.RouterBias)
	}
	s.gather()
	e.dst = dst
	s.observeExperts(e.x, c.Hidden, func(m *MLP) []*kernels.Matrix { return []*kernels.Matrix{&m.Gate, &m.Up} })
	s.pool.Run(len(e.touched)*pieces(c.ExpertFF), 1, e.upTask)
	s.observeExperts(e.act, c.ExpertFF, func(m *MLP) []*kernels.Matrix { return []*kernels.Matrix{&m.Down} })
	s.pool.Run(len(e.touched)*pieces(c.Hidden), 1, e.downTask)
	if c.Shared > 0 {
		s.mlp(dst, &l.Shared)
	} else {
		clear(dst[:s.n*c.Hidden])
	}
	s.pool.Run(s.n, 1, e.mixTask)
}

// route chooses the experts of row r and their weights: within the groups whose
// two best biased scores have the greatest sums, the experts with the greatest
// biased scores; weighted by the unbiased scores, normalised over the chosen and
// scaled. The lower index wins a tie.
func (s *State) route(r int, bias []float32) {
	c, e := s.cfg, &s.moe
	prob := e.prob[r*c.Experts : (r+1)*c.Experts]
	for i, p := range prob {
		e.bias[i] = p + bias[i]
	}
	minusInf := float32(math.Inf(-1))
	size := c.Experts / c.ExpertGroups
	for g := range e.group {
		e.group[g] = topTwo(e.bias[g*size : (g+1)*size])
	}
	// Keep the best groups by lowering every expert of the others.
	for range c.ExpertGroups - c.GroupsUsed {
		g := worst(e.group)
		e.group[g] = float32(math.Inf(1))
		for i := range size {
			e.bias[g*size+i] = minusInf
		}
	}
	chosen := e.chosen[r*c.ExpertsUsed : (r+1)*c.ExpertsUsed]
	weight := e.weight[r*c.ExpertsUsed : (r+1)*c.ExpertsUsed]
	var sum float32
	for k := range chosen {
		i := best(e.bias)
		e.bias[i] = minusInf
		chosen[k], weight[k] = int32(i), prob[i]
		sum += prob[i]
	}
	for k := range weight {
		weight[k] = weight[k] / (sum + 1e-20) * c.ExpertScale
	}
}

// topTwo returns the sum of the two greatest values, or the only one.
func topTwo(x []float32) float32 {
	if len(x) == 1 {
		return x[0]
	}
	a, b := max(x[0], x[1]), min(x[0], x[1])
	for _, v := range x[2:] {
		if v > a {
			a, b = v, a
		} else if v > b {
			b = v
		}
	}
	return a + b
}

// best returns the index of the greatest value, the first of equals.
func best(x []float32) int {
	at := 0
	for i, v := range x {
		if v > x[at] {
			at = i
		}
	}
	return at
}

// worst returns the index of the least value, the last of equals.
func worst(x []float32) int {
	at := 0
	for i, v := range x {
		if v <= x[at] {
			at = i
		}
	}
	return at
}

// gather sorts the choices of all rows by expert and copies the rows there.
func (s *State) gather() {
	c, e := s.cfg, &s.moe
	chosen := e.chosen[:s.n*c.ExpertsUsed]
	clear(e.first)
	for _, x := range chosen {
		e.first[x+1]++
	}
	e.touched = e.touched[:0]
	for x := range c.Experts {
		if e.first[x+1] > 0 {
			e.touched = append(e.touched, int32(x))
		}
		e.first[x+1] += e.first[x]
	}
	// Hand out slots from the front of each expert's run, then move the run
	// boundaries back to where they were.
	for i, x := range chosen {
		at := e.first[x]
		e.first[x]++
		e.slot[i], e.share[at] = at, e.weight[i]
		r := i / c.ExpertsUsed
		copy(e.x[int(at)*c.Hidden:(int(at)+1)*c.Hidden], s.u[r*c.Hidden:])
	}
	copy(e.first[1:], e.first[:c.Experts])
	e.first[0] = 0
}

// pieces returns into how many ranges of mulChunk the rows of a matrix fall.
func pieces(rows int) int { return (rows + mulChunk - 1) / mulChunk }

// piece decodes an item of work on all touched experts: the expert, its first
// slot, how many it has, and the range of matrix rows.
func (s *State) piece(item, rows int) (m *MLP, slot, n, lo, hi int) {
	e := &s.moe
	x, part := e.touched[item/pieces(rows)], item%pieces(rows)
	slot = int(e.first[x])
	lo = part * mulChunk
	return &s.l.Experts[x], slot, int(e.first[x+1]) - slot, lo, min(lo+mulChunk, rows)
}

// expertUp computes silu(gate x)·(up x) in the slots of items lo to hi.
func (s *State) expertUp(worker, lo, hi int) {
	c, e := s.cfg, &s.moe
	for item := lo; item < hi; item++ {
		m, slot, n, from, to := s.piece(item, c.ExpertFF)
		x := e.x[slot*c.Hidden:]
		act, up := e.act[slot*c.ExpertFF:], e.up[slot*c.ExpertFF:]
		m.Gate.Mul(act, x, n, from, to, s.weight[worker])
		m.Up.Mul(up, x, n, from, to, s.weight[worker])
		for r := range n {
			a := act[r*c.ExpertFF+from : r*c.ExpertFF+to]
			kernels.SiLUMul(a, a, up[r*c.ExpertFF+from:])
		}
	}
}

// expertDown computes the results in the slots of items lo to hi.
func (s *State) expertDown(worker, lo, hi int) {
	c, e := s.cfg, &s.moe
	for item := lo; item < hi; item++ {
		m, slot, n, from, to := s.piece(item, c.Hidden)
		m.Down.Mul(e.y[slot*c.Hidden:], e.act[slot*c.ExpertFF:], n, from, to, s.weight[worker])
	}
}

// mixExperts adds the weighted results of rows lo to hi to the shared expert's,
// in the order of the choices.
func (s *State) mixExperts(_, lo, hi int) {
	c, e := s.cfg, &s.moe
	for r := lo; r < hi; r++ {
		sum := e.x[r*c.Hidden : (r+1)*c.Hidden] // the gathered rows are done with
		clear(sum)
		for k := r * c.ExpertsUsed; k < (r+1)*c.ExpertsUsed; k++ {
			at := int(e.slot[k]) * c.Hidden
			kernels.AddScaled(sum, e.y[at:at+c.Hidden], e.weight[k])
		}
		kernels.Add(e.dst[r*c.Hidden:(r+1)*c.Hidden], sum)
	}
}
