package runtime

import (
	"lladakit/internal/arch"
	"lladakit/kernels"
)

// Observation is what a weight matrix is multiplied with.
type Observation struct {
	Matrix *kernels.Matrix // of the model's Weights
	X      []float32       // [Rows, Matrix.Cols]; must not be kept
	Rows   int
	Shares []float32 // [Rows], of a routed expert: the weights of its results; nil for other matrices
}

// Observer is told of every product. It is called by one goroutine at a time.
type Observer func(Observation)

// Observe makes every later operation of the model call f; nil ends that.
func (m *Model) Observe(f Observer) { m.observer = f }

// Matrices returns the matrices that the model's inputs are multiplied with, by
// the names of their tensors in a file whose experts share a type: one, or one
// for each expert. Routers, which are never quantized, are left out.
func (m *Model) Matrices() map[string][]*kernels.Matrix {
	all := map[string][]*kernels.Matrix{}
	for _, t := range m.Config.Tensors() {
		switch {
		case t.Exact() || t.Role == arch.TokenEmbedding:
		case t.Merged == "":
			all[t.GGUF] = []*kernels.Matrix{m.Weights.matrix(t.Role, t.Layer)}
		default:
			experts := m.Weights.Layers[t.Layer].Experts
			for e := range experts {
				all[t.GGUF] = append(all[t.GGUF], experts[e].expert(t.Role))
			}
		}
	}
	return all
}

// observeExperts tells the observer of the products of the units.
func (s *State) observeExperts() {
	if s.m.observer == nil {
		return
	}
	e := &s.moe
	for i := range e.units {
		u := &e.units[i]
		x := rowsOf(&s.in, u.rows)
		s.m.observer(Observation{&u.m.Gate, x, len(u.rows), u.shares})
		s.m.observer(Observation{&u.m.Up, x, len(u.rows), u.shares})
		s.m.observer(Observation{&u.m.Down, rowsOf(u.act, u.slots), len(u.slots), u.shares})
	}
}

// rowsOf copies rows of activations.
func rowsOf(a *kernels.Activations, rows []int32) []float32 {
	var x []float32
	for _, r := range rows {
		x = append(x, a.X[int(r)*a.Cols:(int(r)+1)*a.Cols]...)
	}
	return x
}
