package runtime

import (
	"math"

	"lladakit/kernels"
)

// Part is what a pass computes of one sequence: consecutive positions, in blocks
// counted from position 0.
type Part struct {
	IDs   []int32 // the tokens of positions Pos, Pos+1, …
	Pos   int
	Block int // length of the sequence's blocks

	// Cache holds the keys and values of every earlier position, and gets those of
	// the positions that are computed.
	Cache *Cache

	// Rows lists which of IDs are computed, ascending; nil means all. Of the others
	// the cache's keys and values are used as they are.
	Rows []int

	// Want lists which of IDs logits are wanted of, ascending and all of them
	// computed. The last layer computes no others, unless WholeLayer is set.
	Want       []int
	WholeLayer bool

	// Coreset limits the experts of the last block, which then is approximate.
	Coreset Coreset

	keep   *kept // nil: all positions are seen
	choose bool  // of keep: this pass sees all positions, and chooses among them
}

// end returns the position after the part's last.
func (p *Part) end() int { return p.Pos + len(p.IDs) }

// count returns how many rows are computed.
func (p *Part) count() int {
	if p.Rows == nil {
		return len(p.IDs)
	}
	return len(p.Rows)
}

// visible returns how many positions the one at pos sees: all up to the end of its
// block, or of the part where that comes first.
func (p *Part) visible(pos int) int { return min((pos/p.Block+1)*p.Block, p.end()) }

// Forward computes hidden states of some positions of one sequence or several, under
// the block-causal mask: a position sees all those of its own block and of the blocks
// before. Logits of the rows that are wanted, those of the first part first, are
// then had from Head or HeadStats.
//
// The rows are at most as many as the state's, and no result depends on what else
// is in the pass. Parts of one pass have different caches.
func (s *State) Forward(parts ...Part) {
	s.cost.reset()
	s.start()
	c, w := s.cfg, s.w
	whole := s.begin(parts)
	s.angles()
	s.attention.plan(s, s.all[:s.n])
	s.lap(&s.cost.Embedding)
	for i := range w.Layers {
		l := &w.Layers[i]
		s.layer, s.l = i, l

		s.takeNorm(s.h, s.n, l.AttnNorm)
		s.lap(&s.cost.Norms)
		s.product(s.qkv, &l.QKV)
		s.lap(&s.cost.Projections)
		s.pool.Run(s.n, 1, s.headsTask) // query and key norms, rotation; keys and values to the cache
		s.lap(&s.cost.Rotation)
		last := i == c.Layers-1
		if last && !whole {
			if len(s.want) == 0 {
				return // all that is wanted is in the caches
			}
			s.attention.plan(s, s.want)
		}
		s.attend()
		s.lap(&s.cost.Attention)
		if last && !whole {
			s.keep(s.want)
		}
		s.take(s.mix, s.n, c.Heads*c.HeadDim)
		s.product(s.o, &l.AttnOutput)
		s.lap(&s.cost.Projections)
		kernels.Add(s.h, s.o[:s.n*c.Hidden])

		s.takeNorm(s.h, s.n, l.FFNNorm)
		s.lap(&s.cost.Norms)
		if i < c.DenseLayers {
			s.dense(s.o, &l.Dense)
		} else {
			s.mixture(s.o, l)
		}
		s.lap(&s.cost.FFN)
		kernels.Add(s.h, s.o[:s.n*c.Hidden])
	}
	if whole {
		s.keep(s.want)
	}
}

// begin lays out the rows of a pass, with their embeddings. whole says that a part
// wants its last layer whole.
func (s *State) begin(parts []Part) (whole bool) {
	s.parts, s.rows, s.want = append(s.parts[:0], parts...), s.rows[:0], s.want[:0]
	for i := range s.parts {
		p := &s.parts[i]
		whole = whole || p.WholeLayer
		want := p.Want
		for k := range p.count() {
			at := k
			if p.Rows != nil {
				at = p.Rows[k]
			}
			if len(want) > 0 && want[0] == at {
				s.want, want = append(s.want, len(s.rows)), want[1:]
			}
			r := len(s.rows)
			s.rows = append(s.rows, row{part: i, pos: p.Pos + at})
			s.w.Embedding.Row(s.h[r*s.cfg.Hidden:(r+1)*s.cfg.Hidden], int(p.IDs[at]))
		}
		if len(want) > 0 {
			panic("runtime: logits are wanted of a row that is not computed")
		}
	}
	s.n = len(s.rows)
	embedding := &s.w.Embedding
	s.cost.Bytes += int64(s.n) * int64(len(embedding.Data)/embedding.Rows)
	s.cost.Rows, s.cost.Logits = s.n, len(s.want)
	return whole
}

// row says what a row of the pass is.
type row struct {
	part int // index into State.parts
	pos  int // position in its sequence
}

// dense computes down(silu(gate u) · (up u)) of the input.
func (s *State) dense(dst []float32, m *MLP) {
	ff := m.Gate.Rows
	act := s.act[:s.n*ff]
	s.product(act, &m.Gate)
	s.product(s.up, &m.Up)
	kernels.SiLUMul(act, act, s.up)
	s.take(act, s.n, ff)
	s.product(dst, &m.Down)
}

// angles computes the rotation of every row: position · theta^(-2j/R) for
// j < R/2, in float64 because positions times frequencies need the digits.
func (s *State) angles() {
	half := s.cfg.RotaryDim / 2
	for j := range half {
		freq := math.Pow(float64(s.cfg.RopeTheta), -2*float64(j)/float64(s.cfg.RotaryDim))
		for r := range s.rows {
			sin, cos := math.Sincos(float64(s.rows[r].pos) * freq)
			s.sin[r*half+j], s.cos[r*half+j] = float32(sin), float32(cos)
		}
	}
}
