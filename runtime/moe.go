package runtime

import (
	"math"

	"lladakit/internal/arch"
	"lladakit/kernels"
)

// moeState holds the buffers of the routed experts. A slot is one use of one
// expert by one row; slots of the same expert lie together, so that an expert's
// weights are read once for all rows that chose it. The shared expert is one more,
// which every row uses.
type moeState struct {
	prob   []float32 // [rows, experts], sigmoid of the router
	bias   []float32 // [experts], of one row: what experts are chosen by
	group  []float32 // [groups], of one row
	chosen []int32   // [rows, used], experts by descending biased score
	weight []float32 // [rows, used], their shares
	slot   []int32   // [rows, used], where the result of a choice is
	share  []float32 // [slots], weights in the order of slots
	row    []int32   // [slots], which row a slot is of
	first  []int32   // [experts+1], first slot of each expert
	count  []int32   // 0, 1, 2…

	fetch      *fetch
	units      []unit
	ups, downs []piece
	act        kernels.Activations // [slots, ff]
	actX       []float32
	sharedAct  kernels.Activations // [rows, sharedFF]
	sharedX    []float32
	y          []float32   // [slots, hidden]
	gate, up   [][]float32 // per worker: [rows, pieceRows]

	coreset                   coresetState
	dst                       []float32
	upTask, downTask, mixTask func(worker, lo, hi int)
}

// unit is what there is to do for an expert that any row uses.
type unit struct {
	m      *MLP
	rows   []int32              // of the input
	act    *kernels.Activations // where what lies between its matrices is
	slots  []int32              // rows of act
	dst    []float32            // [slots, hidden], its results
	shares []float32            // of a routed expert: the weights of its results
}

// piece is a range of rows of a unit's matrices: the work of one worker at a time.
type piece struct{ unit, lo, hi int32 }

// pieceWeights is about how many weights of a matrix a piece has, and pieceRows how
// many rows at most. Pieces begin at multiples of 32.
const (
	pieceWeights = 1 << 17
	pieceRows    = 256
)

func newMoEState(c *arch.Config, rows, workers int) moeState {
	slots := rows * c.ExpertsUsed
	e := moeState{
		prob: make([]float32, rows*c.Experts), bias: make([]float32, c.Experts), group: make([]float32, c.ExpertGroups),
		chosen: make([]int32, slots), weight: make([]float32, slots), slot: make([]int32, slots),
		share: make([]float32, slots), row: make([]int32, slots), first: make([]int32, c.Experts+1),
		units: make([]unit, 0, c.Experts+1), fetch: newFetch(c.Experts),
		ups:   make([]piece, 0, c.Experts*count(c.ExpertFF, c.Hidden)+count(c.SharedFF, c.Hidden)),
		downs: make([]piece, 0, c.Experts*count(c.Hidden, c.ExpertFF)+count(c.Hidden, c.SharedFF)),
		act:   *kernels.NewActivations(slots * c.ExpertFF), actX: make([]float32, slots*c.ExpertFF),
		sharedAct: *kernels.NewActivations(rows * c.SharedFF), sharedX: make([]float32, rows*c.SharedFF),
		y: make([]float32, slots*c.Hidden),
	}
	e.coreset = coresetState{votes: make([]float32, c.Experts), order: make([]int32, 0, c.Experts)}
	for i := range slots {
		e.count = append(e.count, int32(i))
	}
	for i := len(e.count); i < rows; i++ {
		e.count = append(e.count, int32(i))
	}
	for range workers {
		e.gate = append(e.gate, make([]float32, rows*pieceRows))
		e.up = append(e.up, make([]float32, rows*pieceRows))
	}
	return e
}

// mixture computes the routed experts and the shared one for the input, the
// normed rows.
func (s *State) mixture(dst []float32, l *Layer) {
	c, e := s.cfg, &s.moe
	s.product(e.prob, &l.Router)
	kernels.Sigmoid(e.prob[:s.n*c.Experts])
	for r := range s.n {
		s.route(r, l.RouterBias)
	}
	s.restrict(l.RouterBias)
	s.gather()
	s.plan(dst, l)
	e.dst = dst
	if s.m.scarce {
		e.fetch.begin(e.units)
	}
	s.pool.Run(len(e.ups), 1, e.upTask)
	s.pool.Run(len(e.downs), 1, e.downTask)
	s.observeExperts()
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
	s.choose(r, prob)
}

var minusInf = float32(math.Inf(-1))

// choose gives row r the experts with the greatest biased scores.
func (s *State) choose(r int, prob []float32) {
	c, e := s.cfg, &s.moe
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

// gather sorts the choices of all rows by expert.
func (s *State) gather() {
	c, e := s.cfg, &s.moe
	chosen := e.chosen[:s.n*c.ExpertsUsed]
	clear(e.first)
	for _, x := range chosen {
		e.first[x+1]++
	}
	for x := range c.Experts {
		e.first[x+1] += e.first[x]
	}
	// Hand out slots from the front of each expert's run, then move the run
	// boundaries back to where they were.
	for i, x := range chosen {
		at := e.first[x]
		e.first[x]++
		e.slot[i], e.share[at], e.row[at] = at, e.weight[i], int32(i/c.ExpertsUsed)
	}
	copy(e.first[1:], e.first[:c.Experts])
	e.first[0] = 0
}

// plan lists the experts that are used, the shared one first, and the pieces of
// their matrices.
func (s *State) plan(dst []float32, l *Layer) {
	c, e := s.cfg, &s.moe
	e.act.Reset(e.actX, s.n*c.ExpertsUsed, c.ExpertFF)
	e.units = e.units[:0]
	if c.Shared > 0 {
		e.sharedAct.Reset(e.sharedX, s.n, c.SharedFF)
		all := e.count[:s.n]
		e.units = append(e.units, unit{m: &l.Shared, rows: all, act: &e.sharedAct, slots: all, dst: dst})
	} else {
		clear(dst[:s.n*c.Hidden])
	}
	for x := range c.Experts {
		lo, hi := e.first[x], e.first[x+1]
		if lo < hi {
			e.units = append(e.units, unit{
				m: &l.Experts[x], rows: e.row[lo:hi], act: &e.act, slots: e.count[lo:hi],
				dst: e.y[int(lo)*c.Hidden:], shares: e.share[lo:hi],
			})
		}
	}
	e.ups, e.downs = e.ups[:0], e.downs[:0]
	for i := range e.units {
		m, rows := e.units[i].m, len(e.units[i].rows)
		s.cost.read(&m.Gate, rows)
		s.cost.read(&m.Up, rows)
		s.cost.read(&m.Down, rows)
		if e.units[i].shares != nil {
			s.cost.Experts[s.layer]++
		}
		e.ups = pieces(e.ups, i, m.Gate.Rows, m.Gate.Cols)
		e.downs = pieces(e.downs, i, m.Down.Rows, m.Down.Cols)
	}
}

// ExpertRows returns how many rows of an expert's matrix, of cols weights each, a worker
// takes at a time: those of a piece.
func ExpertRows(cols int) int { return min(pieceRows, max(32, pieceWeights/max(1, cols)/32*32)) }

// count returns how many pieces a matrix has.
func count(rows, cols int) int { return (rows + ExpertRows(cols) - 1) / ExpertRows(cols) }

// pieces appends those of a matrix.
func pieces(all []piece, unit, rows, cols int) []piece {
	step := ExpertRows(cols)
	for lo := 0; lo < rows; lo += step {
		all = append(all, piece{int32(unit), int32(lo), int32(min(lo+step, rows))})
	}
	return all
}

// expertUp computes silu(gate x)·(up x) of pieces lo to hi, rounded where the next
// matrix wants that.
func (s *State) expertUp(worker, lo, hi int) {
	e := &s.moe
	for _, p := range e.ups[lo:hi] {
		if s.m.scarce {
			e.fetch.reach(2*int(p.unit) + 1)
		}
		u := &e.units[p.unit]
		from, to := int(p.lo), int(p.hi)
		n := to - from
		gate, up := e.gate[worker], e.up[worker]
		u.m.Gate.Product(gate, n, &s.in, u.rows, from, to, &s.scratch[worker])
		u.m.Up.Product(up, n, &s.in, u.rows, from, to, &s.scratch[worker])
		ff := u.m.Gate.Rows
		for i, slot := range u.slots {
			at := int(slot)*ff + from
			kernels.SiLUMul(u.act.X[at:at+n], gate[i*n:(i+1)*n], up[i*n:(i+1)*n])
			if u.m.Down.Type.Rounds() {
				u.act.QuantizePart(int(slot), from, to)
			}
		}
	}
}

// expertDown computes the results of pieces lo to hi.
func (s *State) expertDown(worker, lo, hi int) {
	e := &s.moe
	for _, p := range e.downs[lo:hi] {
		if s.m.scarce {
			e.fetch.reach(2*len(e.units) + int(p.unit))
		}
		u := &e.units[p.unit]
		u.m.Down.Product(u.dst[p.lo:], u.m.Down.Rows, u.act, u.slots, int(p.lo), int(p.hi), &s.scratch[worker])
	}
}

// mixExperts adds the weighted results of rows lo to hi to the shared expert's,
// in the order of the choices.
func (s *State) mixExperts(_, lo, hi int) {
	c, e := s.cfg, &s.moe
	for r := lo; r < hi; r++ {
		dst := e.dst[r*c.Hidden : (r+1)*c.Hidden]
		for k := r * c.ExpertsUsed; k < (r+1)*c.ExpertsUsed; k++ {
			at := int(e.slot[k]) * c.Hidden
			kernels.AddScaled(dst, e.y[at:at+c.Hidden], e.weight[k])
		}
	}
}
