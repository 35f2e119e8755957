package runtime

import "lladakit/kernels"

// Observer sees what weight matrices are multiplied with: x, n rows of m.Cols
// values. m is a matrix of the model's Weights. It is called by one goroutine
// at a time, and must not keep x.
type Observer func(m *kernels.Matrix, x []float32, n int)

// Observe makes every later operation of the model call f; nil ends that.
func (m *Model) Observe(f Observer) { m.observer = f }

// observeExperts shows the observer what is put into some matrices of every
// touched expert: the slots of x, which have cols values each.
func (s *State) observeExperts(x []float32, cols int, matrices func(*MLP) []*kernels.Matrix) {
	if s.m.observer == nil {
		return
	}
	e := &s.moe
	for _, id := range e.touched {
		slot, n := int(e.first[id]), int(e.first[id+1]-e.first[id])
		for _, m := range matrices(&s.l.Experts[id]) {
			s.m.observer(m, x[slot*cols:(slot+n)*cols], n)
		}
	}
}
