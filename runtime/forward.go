package runtime

import (
	"math"

	"lladakit/kernels"
)

// Forward computes the hidden states of positions pos to pos+len(ids)-1, which
// hold ids, under the block-causal mask with blocks of the given length. The
// cache must hold the keys and values of every earlier position; those of these
// positions are written into it. Logits are then had from Head.
//
// len(ids) is at most the state's rows, and the last position below the cache's.
func (s *State) Forward(ids []int32, pos, block int, cache *Cache) {
	c, w := s.cfg, s.w
	s.n, s.pos, s.block, s.cache = len(ids), pos, block, cache
	n := s.n

	for r, id := range ids {
		w.Embedding.Row(s.h[r*c.Hidden:(r+1)*c.Hidden], int(id))
	}
	s.angles()
	for i := range w.Layers {
		l := &w.Layers[i]
		s.layer, s.l = i, l

		s.norm(s.u, s.h, l.AttnNorm)
		s.product(s.qkv, &l.QKV, s.u, n)
		s.pool.Run(n, 1, s.normTask) // query and key norms, rotation; keys and values to the cache
		s.pool.Run(n*c.KVHeads, 1, s.attendTask)
		s.product(s.o, &l.AttnOutput, s.mix, n)
		kernels.Add(s.h, s.o[:n*c.Hidden])

		s.norm(s.u, s.h, l.FFNNorm)
		if i < c.DenseLayers {
			s.mlp(s.o, &l.Dense)
		} else {
			s.mixture(s.o, l)
		}
		kernels.Add(s.h, s.o[:n*c.Hidden])
	}
}

// Head returns the logits of the given rows of the last pass: [len(rows),
// vocab], valid until the next call. There is no shift: the logits of a position
// predict the token at that position.
func (s *State) Head(rows []int) []float32 {
	c := s.cfg
	for i, r := range rows {
		kernels.RMSNorm(s.u[i*c.Hidden:(i+1)*c.Hidden], s.h[r*c.Hidden:(r+1)*c.Hidden], s.w.OutputNorm, c.RMSEps)
	}
	logits := s.logit[:len(rows)*c.Vocab]
	s.product(logits, &s.w.Head, s.u, len(rows))
	return logits
}

// norm normalises the rows of the pass.
func (s *State) norm(dst, x, weight []float32) {
	width := s.cfg.Hidden
	for r := range s.n {
		kernels.RMSNorm(dst[r*width:(r+1)*width], x[r*width:(r+1)*width], weight, s.cfg.RMSEps)
	}
}

// mlp computes down(silu(gate u) · (up u)) of the normed rows.
func (s *State) mlp(dst []float32, m *MLP) {
	n := s.n
	s.product(s.gate, &m.Gate, s.u, n)
	s.product(s.up, &m.Up, s.u, n)
	act := s.gate[:n*m.Gate.Rows]
	kernels.SiLUMul(act, act, s.up)
	s.product(dst, &m.Down, act, n)
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
