package runtime

import (
	"lladakit/internal/arch"
	"lladakit/kernels"
)

// State holds the buffers of a pass over up to a given number of rows, made
// once: no pass allocates.
type State struct {
	m    *Model
	cfg  *arch.Config
	w    *Weights
	pool *kernels.Pool
	rows int // the most a pass computes

	h     []float32 // [rows, hidden], the residual stream
	u     []float32 // [rows, hidden], its norm
	qkv   []float32 // [rows, (heads + 2·kvHeads)·headDim]
	mix   []float32 // [rows, heads·headDim], what attention gathered
	o     []float32 // [rows, hidden], what a part adds to h
	gate  []float32 // [rows, ff] of dense layers and shared experts
	up    []float32 // [rows, ff]
	cos   []float32 // [rows, rotaryDim/2]
	sin   []float32
	moe   moeState
	logit []float32 // [head rows, vocab]

	weight [][]float32 // per worker: a dequantized row of any matrix
	score  [][]float32 // per worker: [positions]

	// What the running operation works on. Functions passed to the pool are
	// made once, since a new closure would be an allocation.
	n     int // rows of this pass
	pos   int // position of the first
	block int
	cache *Cache
	layer int
	l     *Layer
	mul   struct {
		m      *kernels.Matrix
		dst, x []float32
		n      int
	}
	mulTask, attendTask, normTask func(worker, lo, hi int)
}

// NewState makes buffers for passes over at most rows rows against caches of at
// most positions positions, with logits of at most headRows rows at a time.
func (m *Model) NewState(rows, positions, headRows int) *State {
	c := &m.Config
	s := &State{m: m, cfg: c, w: m.Weights, pool: m.pool, rows: rows}
	// Only parts that some layer has: the file's tensors vouch for no other
	// number, and memory must not be taken for it.
	ff := 0
	if c.DenseLayers > 0 {
		ff = c.DenseFF
	}
	if c.DenseLayers < c.Layers {
		ff = max(ff, c.SharedFF)
		s.moe = newMoEState(c, rows)
	}
	s.h = make([]float32, rows*c.Hidden)
	s.u = make([]float32, max(rows, headRows)*c.Hidden)
	s.qkv = make([]float32, rows*c.QKVDim())
	s.mix = make([]float32, rows*c.Heads*c.HeadDim)
	s.o = make([]float32, rows*c.Hidden)
	s.gate = make([]float32, rows*ff)
	s.up = make([]float32, rows*ff)
	s.cos = make([]float32, rows*c.RotaryDim/2)
	s.sin = make([]float32, rows*c.RotaryDim/2)
	s.logit = make([]float32, headRows*c.Vocab)
	widest := max(c.Hidden, c.Heads*c.HeadDim, ff, c.ExpertFF)
	for range m.pool.Workers() {
		s.weight = append(s.weight, make([]float32, widest))
		s.score = append(s.score, make([]float32, positions))
	}
	s.mulTask, s.attendTask, s.normTask = s.mulRange, s.attendRange, s.normHeads
	s.moe.upTask, s.moe.downTask, s.moe.mixTask = s.expertUp, s.expertDown, s.mixExperts
	return s
}

// Workers take this many matrix rows at a time.
const mulChunk = 32

// product computes dst = x · mᵀ for n rows of x on all workers.
func (s *State) product(dst []float32, m *kernels.Matrix, x []float32, n int) {
	if s.m.observer != nil {
		s.m.observer(Observation{Matrix: m, X: x[:n*m.Cols], Rows: n})
	}
	s.mul.m, s.mul.dst, s.mul.x, s.mul.n = m, dst, x, n
	s.pool.Run(m.Rows, mulChunk, s.mulTask)
}

func (s *State) mulRange(worker, lo, hi int) {
	s.mul.m.Mul(s.mul.dst, s.mul.x, s.mul.n, lo, hi, s.weight[worker])
}
