package runtime

import (
	"time"

	"lladakit/kernels"
)

// Cost is what passes took.
type Cost struct {
	Bytes int64 // of weights read: every matrix once a pass, of experts those used
	MACs  int64 // products of weights, or of keys and values, with activations

	Experts []int // [layers], routed experts that some row used, in all passes together

	Attention time.Duration
	FFN       time.Duration // dense layers, routers, experts
	Head      time.Duration
	Total     time.Duration // with projections, norms and everything else
}

// Cost returns what the last pass and its head took. Its slice is used again.
func (s *State) Cost() Cost { return s.cost }

// read takes note of a product with a whole matrix.
func (c *Cost) read(m *kernels.Matrix, rows int) {
	c.Bytes += int64(len(m.Data))
	c.MACs += int64(rows) * int64(m.Rows) * int64(m.Cols)
}

// reset begins a new pass.
func (c *Cost) reset() {
	experts := c.Experts
	clear(experts)
	*c = Cost{Experts: experts}
}

// since adds the time since start to d.
func since(start time.Time, d *time.Duration) { *d += time.Since(start) }
