package runtime

import (
	"math"

	"lladakit/kernels"
)

// attendRows is how many rows of the pass attend together at most: with the query
// heads that share a key-value head, enough to use what is made of the keys and
// values many times. With more workers than that gives work to, it is fewer.
const attendRows = 32

// span is a run of queries of the same block, which see the same positions.
type span struct{ lo, hi int }

// attention holds the buffers of attention.
type attention struct {
	heads   kernels.Activations // [rows·(heads+2·kvHeads), headDim], a view of State.qkv
	query   []int32             // rows of the pass whose attention is wanted
	most    int                 // rows of a span
	spans   []span              // of query
	workers []attendWorker
}

type attendWorker struct {
	rows    []int32   // of heads
	out     []float32 // [queries, headDim]
	scratch kernels.AttendScratch
}

// plan chooses which rows of the pass attend, ascending.
func (a *attention) plan(s *State, rows []int) {
	a.query, a.spans = a.query[:0], a.spans[:0]
	for i, r := range rows {
		a.query = append(a.query, int32(r))
		last := len(a.spans) - 1
		if last >= 0 && i-a.spans[last].lo < a.most && s.together(r, rows[i-1]) {
			a.spans[last].hi = i + 1
		} else {
			a.spans = append(a.spans, span{i, i + 1})
		}
	}
}

// together reports whether two rows are of one block of one sequence.
func (s *State) together(r, q int) bool {
	a, b := s.rows[r], s.rows[q]
	block := s.parts[a.part].Block
	return a.part == b.part && a.pos/block == b.pos/block
}

// attend computes attention of the planned rows into State.mix.
func (s *State) attend() {
	c := s.cfg
	s.costOfAttention()
	s.choosePositions()
	s.attention.heads.Reset(s.qkv, s.n*(c.Heads+2*c.KVHeads), c.HeadDim)
	s.pool.Run(len(s.attention.spans)*c.KVHeads, 1, s.attendTask)
}

// normHeads prepares rows lo to hi for attention: it normalises and rotates
// their queries in place, scaled by 1/√headDim, and puts their keys, normalised
// and rotated, and their values into the cache.
func (s *State) normHeads(_, lo, hi int) {
	c, l := s.cfg, s.l
	half := c.RotaryDim / 2
	scale := float32(1 / math.Sqrt(float64(c.HeadDim)))
	for r := lo; r < hi; r++ {
		row := s.qkv[r*c.QKVDim() : (r+1)*c.QKVDim()]
		cos, sin := s.cos[r*half:(r+1)*half], s.sin[r*half:(r+1)*half]
		for h := range c.Heads + c.KVHeads {
			head := row[h*c.HeadDim : (h+1)*c.HeadDim]
			norm := l.QueryNorm
			if h >= c.Heads {
				norm = l.KeyNorm
			}
			if norm != nil {
				kernels.RMSNorm(head, head, norm, c.RMSEps)
			}
			kernels.Rope(head, cos, sin)
			if h < c.Heads {
				for i := range head {
					head[i] *= scale
				}
			}
		}
		part, pos := &s.parts[s.rows[r].part], s.rows[r].pos
		for h := range c.KVHeads {
			k, v, at := part.store(s.layer, h, pos)
			k.SetRow(at, row[(c.Heads+h)*c.HeadDim:][:c.HeadDim])
			v.SetRow(at, row[(c.Heads+c.KVHeads+h)*c.HeadDim:][:c.HeadDim])
		}
	}
}

// attendRange computes attention for items lo to hi, where item i·kvHeads+g is
// span i with the query heads that share key-value head g.
func (s *State) attendRange(worker, lo, hi int) {
	c, a := s.cfg, &s.attention
	w := &a.workers[worker]
	group := c.Heads / c.KVHeads
	for item := lo; item < hi; item++ {
		x, g := a.spans[item/c.KVHeads], item%c.KVHeads
		first := s.rows[a.query[x.lo]]
		part := &s.parts[first.part]
		keys, values, _ := part.store(s.layer, g, first.pos)
		seen := part.seen(first.pos)
		w.rows = w.rows[:0]
		for _, r := range a.query[x.lo:x.hi] {
			for h := g * group; h < (g+1)*group; h++ {
				w.rows = append(w.rows, r*int32(c.Heads+2*c.KVHeads)+int32(h))
			}
		}
		out := w.out[:len(w.rows)*c.HeadDim]
		kernels.Attend(out, &a.heads, w.rows, keys, values, seen, &w.scratch)
		for i := range x.hi - x.lo {
			to := s.mix[((x.lo+i)*c.Heads+g*group)*c.HeadDim:]
			copy(to[:group*c.HeadDim], out[i*group*c.HeadDim:])
		}
	}
}
