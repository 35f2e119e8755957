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
	prob   []float32   // [rows, experts], sigmoid of the router
	bias   [][]float32 // per worker: [experts], of one row: what experts are chosen by
	group  [][]float32 // per worker: [groups], of one row
	chosen []int32     // [rows, used], experts by descending biased score
	weight []float32   // [rows, used], their shares
	slot   []int32     // [rows, used], where the result of a choice is
	share  []float32   // [slots], weights in the order of slots
	row    []int32     // [slots], which row a slot is of
	first  []int32     // [experts+1], first slot of each expert
	count  []int32     // 0, 1, 2…

	fetch      *fetch
	units      []unit
	ups, downs []piece
	act        kernels.Activations // [slots, ff]
	actX       []float32
	sharedAct  kernels.Activations // [rows, sharedFF]
	sharedX    []float32
	y          []float32   // [slots, hidden]
	gate, up   [][]float32 // per worker: [rows, rows of a piece]

	coreset coresetState
	dst     []float32

	routeTask, upTask, downTask, mixTask func(worker, lo, hi int)
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

// Few long pieces are read faster than many short ones, with less to begin with, but
// workers must be done at about the same time. So each gets some pieces that take
// about as long as each other. Pieces begin at multiples of 32 rows.
const (
	piecesEach  = 8       // pieces of a worker, about
	leastRows   = 64      // of a matrix in a piece, unless it has fewer
	mostRows    = 512     // of a matrix in a piece
	pieceValues = 1 << 16 // in a piece's result, unless leastRows have more
)

// ExpertWork is about how long products with a matrix of so many weights take for n
// rows of the input, in units of no importance: reading a weight takes as long as
// multiplying it four times.
func ExpertWork(weights, n int) int { return weights * (4 + n) }

// ExpertRows returns how many rows a worker takes at a time of a matrix of rows × cols,
// an expert's whom n rows of the input use, where the ExpertWork of all experts that any
// row uses is total.
func ExpertRows(rows, cols, n, total, workers int) int {
	most := min(mostRows, max(leastRows, pieceValues/n), max(leastRows, total/(workers*piecesEach)/ExpertWork(cols, n))) / 32 * 32
	pieces := (rows + most - 1) / most
	return ((rows+pieces-1)/pieces + 31) / 32 * 32
}

// pieceBuffer returns how many values a piece's result has at most.
func pieceBuffer(rows int) int { return min(rows*mostRows, max(pieceValues, rows*leastRows)) }

func newMoEState(c *arch.Config, rows, workers int) moeState {
	slots := rows * c.ExpertsUsed
	e := moeState{
		prob:   make([]float32, rows*c.Experts),
		chosen: make([]int32, slots), weight: make([]float32, slots), slot: make([]int32, slots),
		share: make([]float32, slots), row: make([]int32, slots), first: make([]int32, c.Experts+1),
		units: make([]unit, 0, c.Experts+1), fetch: newFetch(c.Experts),
		ups:   make([]piece, 0, (c.Experts*(c.ExpertFF+leastRows)+c.SharedFF+leastRows)/32),
		downs: make([]piece, 0, (c.Experts+1)*(c.Hidden+leastRows)/32),
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
		e.bias, e.group = append(e.bias, make([]float32, c.Experts)), append(e.group, make([]float32, c.ExpertGroups))
		e.gate = append(e.gate, make([]float32, pieceBuffer(rows)))
		e.up = append(e.up, make([]float32, pieceBuffer(rows)))
	}
	return e
}

// mixture computes the routed experts and the shared one for the input, the
// normed rows.
func (s *State) mixture(dst []float32, l *Layer) {
	e := &s.moe
	e.dst = dst
	s.product(e.prob, &l.Router)
	s.pool.Run(s.n, 1, e.routeTask)
	s.restrict(l.RouterBias)
	s.gather()
	s.plan(dst, l)
	if s.m.scarce {
		e.fetch.begin(e.units)
	}
	s.pool.Run(len(e.ups), 1, e.upTask)
	s.pool.Run(len(e.downs), 1, e.downTask)
	s.observeExperts()
	s.pool.Run(s.n, 1, e.mixTask)
}

// routeRange routes rows lo to hi.
func (s *State) routeRange(worker, lo, hi int) {
	n := s.cfg.Experts
	kernels.Sigmoid(s.moe.prob[lo*n : hi*n])
	for r := lo; r < hi; r++ {
		s.route(worker, r, s.l.RouterBias)
	}
}

// route chooses the experts of row r and their weights: within the groups whose
// two best biased scores have the greatest sums, the experts with the greatest
// biased scores; weighted by the unbiased scores, normalised over the chosen and
// scaled. The lower index wins a tie.
func (s *State) route(worker, r int, bias []float32) {
	c, e := s.cfg, &s.moe
	score, group := e.bias[worker], e.group[worker]
	prob := e.prob[r*c.Experts : (r+1)*c.Experts]
	for i, p := range prob {
		score[i] = p + bias[i]
	}
	size := c.Experts / c.ExpertGroups
	for g := range group {
		group[g] = topTwo(score[g*size : (g+1)*size])
	}
	// Keep the best groups by lowering every expert of the others.
	for range c.ExpertGroups - c.GroupsUsed {
		g := worst(group)
		group[g] = float32(math.Inf(1))
		for i := range size {
			score[g*size+i] = minusInf
		}
	}
	s.choose(score, r, prob)
}

var minusInf = float32(math.Inf(-1))

// choose gives row r the experts with the greatest biased scores, which it lowers.
func (s *State) choose(score []float32, r int, prob []float32) {
	c, e := s.cfg, &s.moe
	chosen := e.chosen[r*c.ExpertsUsed : (r+1)*c.ExpertsUsed]
	weight := e.weight[r*c.ExpertsUsed : (r+1)*c.ExpertsUsed]
	var sum float32
	for k := range chosen {
		i := best(score)
		score[i] = minusInf
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
	var up, down int
	for i := range e.units {
		m, rows := e.units[i].m, len(e.units[i].rows)
		s.cost.read(&m.Gate, rows)
		s.cost.read(&m.Up, rows)
		s.cost.read(&m.Down, rows)
		if e.units[i].shares != nil {
			s.cost.Experts[s.layer]++
		}
		up += ExpertWork(m.Gate.Rows*m.Gate.Cols, rows)
		down += ExpertWork(m.Down.Rows*m.Down.Cols, rows)
	}
	for i := range e.units {
		e.ups = s.pieces(e.ups, i, &e.units[i].m.Gate, up)
		e.downs = s.pieces(e.downs, i, &e.units[i].m.Down, down)
	}
}

// pieces appends those of a unit's matrix, where the work of all units is total.
func (s *State) pieces(all []piece, unit int, m *kernels.Matrix, total int) []piece {
	step := ExpertRows(m.Rows, m.Cols, len(s.moe.units[unit].rows), total, s.pool.Workers())
	for lo := 0; lo < m.Rows; lo += step {
		all = append(all, piece{int32(unit), int32(lo), int32(min(lo+step, m.Rows))})
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
