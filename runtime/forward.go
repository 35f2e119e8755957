package runtime

import (
	"math"

	"lladakit/kernels"
)

// Forward computes the hidden states of positions pos to pos+len(ids)-1, which
// hold ids, under the block-causal mask with blocks of the given length. The
// cache must hold the keys and values of every earlier position; those of these
// positions are written into it. Logits of the rows in want, ascending, are then
// had from Head or HeadStats; the last layer computes no others.
//
// len(ids) is at most the state's rows, and the last position below the cache's.
func (s *State) Forward(ids []int32, pos, block int, cache *Cache, want []int) {
	c, w := s.cfg, s.w
	s.n, s.pos, s.block, s.cache = len(ids), pos, block, cache

	for r, id := range ids {
		w.Embedding.Row(s.h[r*c.Hidden:(r+1)*c.Hidden], int(id))
	}
	s.angles()
	s.attention.plan(s.all[:s.n], pos, block)
	for i := range w.Layers {
		l := &w.Layers[i]
		s.layer, s.l = i, l

		s.takeNorm(s.h, s.n, l.AttnNorm)
		s.product(s.qkv, &l.QKV)
		s.pool.Run(s.n, 1, s.headsTask) // query and key norms, rotation; keys and values to the cache
		last := i == c.Layers-1
		if last && len(want) == 0 {
			return // all that is wanted is in the cache
		}
		if last {
			s.attention.plan(want, pos, block)
		}
		s.attend()
		if last {
			s.keep(want)
		}
		s.take(s.mix, s.n, c.Heads*c.HeadDim)
		s.product(s.o, &l.AttnOutput)
		kernels.Add(s.h, s.o[:s.n*c.Hidden])

		s.takeNorm(s.h, s.n, l.FFNNorm)
		if i < c.DenseLayers {
			s.dense(s.o, &l.Dense)
		} else {
			s.mixture(s.o, l)
		}
		kernels.Add(s.h, s.o[:s.n*c.Hidden])
	}
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
		for r := range s.n {
			sin, cos := math.Sincos(float64(s.pos+r) * freq)
			s.sin[r*half+j], s.cos[r*half+j] = float32(sin), float32(cos)
		}
	}
}
