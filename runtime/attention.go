package runtime

import (
	"math"

	"lladakit/kernels"
)

// normHeads prepares rows lo to hi for attention: it normalises and rotates
// their queries in place, and puts their keys, normalised and rotated, and
// their values into the cache.
func (s *State) normHeads(_, lo, hi int) {
	c, l := s.cfg, s.l
	half := c.RotaryDim / 2
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
		}
		at := (s.pos + r) * c.HeadDim
		for h := range c.KVHeads {
			k, v := s.cache.head(s.layer, h)
			copy(k[at:at+c.HeadDim], row[(c.Heads+h)*c.HeadDim:])
			copy(v[at:at+c.HeadDim], row[(c.Heads+c.KVHeads+h)*c.HeadDim:])
		}
	}
}

// attendRange computes attention for items lo to hi, where item r·kvHeads+g is
// row r with the query heads that share key-value head g.
func (s *State) attendRange(worker, lo, hi int) {
	c := s.cfg
	group := c.Heads / c.KVHeads
	scale := float32(1 / math.Sqrt(float64(c.HeadDim)))
	for item := lo; item < hi; item++ {
		r, g := item/c.KVHeads, item%c.KVHeads
		k, v := s.cache.head(s.layer, g)
		score := s.score[worker][:s.visible(s.pos+r)]
		for h := g * group; h < (g+1)*group; h++ {
			q := s.qkv[r*c.QKVDim()+h*c.HeadDim:][:c.HeadDim]
			for p := range score {
				score[p] = kernels.Dot(q, k[p*c.HeadDim:]) * scale
			}
			kernels.Softmax(score)
			out := s.mix[(r*c.Heads+h)*c.HeadDim:][:c.HeadDim]
			clear(out)
			for p, a := range score {
				kernels.AddScaled(out, v[p*c.HeadDim:][:c.HeadDim], a)
			}
		}
	}
}

// visible returns how many positions the one at pos sees: all up to the end of
// its block, or of the pass where that comes first.
func (s *State) visible(pos int) int {
	return min((pos/s.block+1)*s.block, s.pos+s.n)
}
