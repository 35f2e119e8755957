package runtime

import (
	"time"

	"lladakit/kernels"
)

// Cost is what a pass took: one Forward, and what came of its rows after it.
type Cost struct {
	Rows   int // positions that were computed
	Logits int // of these, those whose logits were wanted

	// Bytes that were read: of weights, every matrix once a pass, of experts those
	// used; and of the cache, what a sequence's positions see, once. Cache is the
	// latter's part.
	Bytes int64
	Cache int64

	// MACs are products of weights, or of keys and values, with activations. Int4 and
	// Int8 are those of them that were made in whole numbers: with weights of up to 4
	// bits, and with larger ones or with rounded keys and values, whose 16 bits are no
	// faster to multiply than 8. The others are made in float32.
	MACs int64
	Int4 int64
	Int8 int64

	Experts []int // [layers], routed experts that some row used, in all passes together

	// Where the time went. The phases add up to Total.
	Embedding   time.Duration // and angles of rotation
	Norms       time.Duration // of rows, and the sums of layers
	Projections time.Duration // query, key, value, and output of attention
	Rotation    time.Duration // norms and rotation of heads; keys and values to the cache
	Attention   time.Duration
	FFN         time.Duration // dense layers, routers, experts
	Head        time.Duration // with its norm, and the statistics of logits
	Acceptance  time.Duration // of predictions by the loop
	Total       time.Duration
}

// Cost returns what the last pass and its head took. Its slice is used again.
func (s *State) Cost() Cost { return s.cost }

// read takes note of a product with a whole matrix.
func (c *Cost) read(m *kernels.Matrix, rows int) {
	c.Bytes += int64(len(m.Data))
	c.multiply(m.Type, int64(rows)*int64(m.Rows)*int64(m.Cols))
}

// multiply takes note of n products with weights of a type.
func (c *Cost) multiply(t kernels.Type, n int64) {
	c.MACs += n
	switch t {
	case kernels.Q4_0, kernels.Q4_1, kernels.Q4_K, kernels.Q2_K, kernels.Q3_K, kernels.IQ4_NL, kernels.MXFP4:
		c.Int4 += n
	default:
		if t.Rounds() {
			c.Int8 += n
		}
	}
}

// costOfAttention takes note of the attention of the planned rows.
func (s *State) costOfAttention() {
	c, query := s.cfg, s.attention.query
	for i, r := range query {
		part := &s.parts[s.rows[r].part]
		seen := int64(part.seen(s.rows[r].pos))
		n := 2 * seen * int64(c.Heads*c.HeadDim)
		s.cost.MACs += n
		if part.Cache.Type != kernels.F32 {
			s.cost.Int8 += n
		}
		if i+1 == len(query) || s.rows[query[i+1]].part != s.rows[r].part {
			// The part's last row sees the most.
			keys, _, _ := part.store(s.layer, 0, s.rows[r].pos)
			n := 2 * int64(c.KVHeads) * seen * int64(len(keys.Data)/keys.Rows)
			s.cost.Bytes += n
			s.cost.Cache += n
		}
	}
}

// reset begins a new pass.
func (c *Cost) reset() {
	experts := c.Experts
	clear(experts)
	*c = Cost{Experts: experts}
}

// start begins the next phase now, after time that is none's.
func (s *State) start() { s.mark = time.Now() }

// lap ends a phase and begins the next.
func (s *State) lap(phase *time.Duration) {
	now := time.Now()
	took := now.Sub(s.mark)
	*phase += took
	s.cost.Total += took
	s.mark = now
}
