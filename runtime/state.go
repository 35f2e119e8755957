package runtime

import (
	"time"

	"lladakit/internal/arch"
	"lladakit/kernels"
)

// State holds the buffers of passes over up to a given number of rows, made
// once: no pass allocates.
type State struct {
	m    *Model
	cfg  *arch.Config
	w    *Weights
	pool *kernels.Pool
	most int // the most rows that a pass computes

	h   []float32 // [rows, hidden], the residual stream
	u   []float32 // [rows, hidden], its norm
	qkv []float32 // [rows, (heads + 2·kvHeads)·headDim]
	mix []float32 // [rows, heads·headDim], what attention gathered
	o   []float32 // [rows, hidden], what a part adds to h
	act []float32 // [rows, ff] of dense layers
	up  []float32 // [rows, ff]
	cos []float32 // [rows, rotaryDim/2]
	sin []float32

	all       []int               // 0, 1, 2… rows
	in        kernels.Activations // what matrices are multiplied with now
	attention attention
	moe       moeState
	head      headState
	scratch   []kernels.Scratch // per worker

	// What the running operation works on. Functions passed to the pool are
	// made once, since a new closure would be an allocation.
	parts []Part
	rows  []row // [n], what each row of this pass is
	want  []int // rows whose logits are wanted
	n     int   // rows that are computed now: all, or in the end those wanted
	layer int
	l     *Layer
	cost  Cost
	mark  time.Time // when the phase that is timed began
	one   [1]float32
	mul   struct {
		m      *kernels.Matrix
		dst    []float32
		stride int
	}
	norm                                               struct{ dst, x, weight []float32 }
	mulTask, attendTask, headsTask, normTask, takeTask func(worker, lo, hi int)
}

// NewState makes buffers for passes over at most rows rows, with statistics of at most
// headRows of them.
func (m *Model) NewState(rows, headRows int) *State {
	c := &m.Config
	s := &State{m: m, cfg: c, w: m.Weights, pool: m.pool, most: rows}
	workers := m.pool.Workers()
	s.h = make([]float32, rows*c.Hidden)
	s.u = make([]float32, max(rows, headRows)*c.Hidden)
	s.qkv = make([]float32, rows*c.QKVDim())
	s.mix = make([]float32, rows*c.Heads*c.HeadDim)
	s.o = make([]float32, rows*c.Hidden)
	s.act = make([]float32, rows*c.DenseFF)
	s.up = make([]float32, rows*c.DenseFF)
	s.cos = make([]float32, rows*c.RotaryDim/2)
	s.sin = make([]float32, rows*c.RotaryDim/2)
	s.in = *kernels.NewActivations(max(rows, headRows) * max(c.Hidden, c.Heads*c.HeadDim, c.DenseFF))
	s.scratch = make([]kernels.Scratch, workers)
	for _, matrices := range m.Matrices() {
		for i := range s.scratch {
			for _, matrix := range matrices {
				s.scratch[i].Reserve(matrix, max(rows, headRows))
			}
		}
	}
	for i := range rows {
		s.all = append(s.all, i)
	}
	s.cost.Experts = make([]int, c.Layers)
	s.rows, s.want = make([]row, 0, rows), make([]int, 0, rows)
	s.attention = newAttention(c, kvTypes[m.KV], rows, workers)
	s.moe = newMoEState(c, rows, workers)
	s.head = newHeadState(c, headRows, workers)
	s.mulTask, s.attendTask, s.headsTask, s.normTask, s.takeTask = s.mulRange, s.attendRange, s.normHeads, s.normRange, s.takeRange
	s.moe.routeTask, s.moe.upTask, s.moe.downTask, s.moe.mixTask = s.routeRange, s.expertUp, s.expertDown, s.mixExperts
	s.head.task = s.headRange
	return s
}

// observe tells the observer of a product.
func (s *State) observe(m *kernels.Matrix, in *kernels.Activations) {
	if s.m.observer != nil {
		s.m.observer(Observation{Matrix: m, X: in.X, Rows: in.Rows})
	}
}

func newAttention(c *arch.Config, t kernels.Type, rows, workers int) attention {
	a := attention{
		query: make([]int32, 0, rows), spans: make([]span, 0, rows), heads: *kernels.NewActivations(0),
		most: AttendRows(c, workers),
	}
	queries := min(rows, a.most) * c.Heads / c.KVHeads
	for range workers {
		w := attendWorker{rows: make([]int32, 0, queries), out: make([]float32, queries*c.HeadDim)}
		w.scratch.Reserve(t, queries, c.HeadDim)
		a.workers = append(a.workers, w)
	}
	return a
}

// ProductRows is how many rows of a matrix a worker takes at a time.
const ProductRows = 32

// take makes n rows of x the input of the products that follow.
func (s *State) take(x []float32, n, cols int) {
	s.in.Reset(x, n, cols)
	if s.m.rounds {
		s.pool.Run(n, 1, s.takeTask)
	}
}

func (s *State) takeRange(_, lo, hi int) { s.in.Quantize(lo, hi) }

// takeNorm makes the norms of n rows of x the input of the products that follow.
func (s *State) takeNorm(x []float32, n int, weight []float32) {
	s.norm.dst, s.norm.x, s.norm.weight = s.u, x, weight
	s.in.Reset(s.u, n, s.cfg.Hidden)
	s.pool.Run(n, 1, s.normTask)
}

func (s *State) normRange(_, lo, hi int) {
	for r := lo; r < hi; r++ {
		at, end := r*s.cfg.Hidden, (r+1)*s.cfg.Hidden
		kernels.RMSNorm(s.norm.dst[at:end], s.norm.x[at:end], s.norm.weight, s.cfg.RMSEps)
	}
	if s.m.rounds {
		s.in.Quantize(lo, hi)
	}
}

// product computes dst = input · mᵀ on all workers.
func (s *State) product(dst []float32, m *kernels.Matrix) {
	if s.in.Rows == 0 {
		return
	}
	s.observe(m, &s.in)
	s.cost.read(m, s.in.Rows)
	s.mul.m, s.mul.dst, s.mul.stride = m, dst, m.Rows
	s.pool.Run(m.Rows, ProductRows, s.mulTask)
}

func (s *State) mulRange(worker, lo, hi int) {
	s.mul.m.Product(s.mul.dst[lo:], s.mul.stride, &s.in, nil, lo, hi, &s.scratch[worker])
}

// keep moves rows of h, ascending, to its front: the rest of the pass is about
// them alone.
func (s *State) keep(rows []int) {
	for i, r := range rows {
		if i != r {
			copy(s.h[i*s.cfg.Hidden:(i+1)*s.cfg.Hidden], s.h[r*s.cfg.Hidden:])
			s.rows[i] = s.rows[r]
		}
	}
	s.n = len(rows)
}
