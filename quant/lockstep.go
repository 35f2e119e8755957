package quant

import (
	"math"

	"lladakit/internal/gguf"
	"lladakit/kernels"
)

// Q4_K and Q5_K without importance are what most matrices become. Their eight
// sub-blocks of 32 weights are searched in step, side by side in vectors, with every
// operation on each of them the one that [layout.search] does, in the same order:
// the bytes are the same.

// A lockstep is a searcher of such blocks, one after the other.
type lockstep struct {
	searcher
	side  kernels.SubBlocks
	codes [32][8]int8

	// Of each sub-block: what the kernels are given, and what they return.
	id, m, d          [8]float64
	q, qq, xq, errors [8]float64
}

// quantizeInStep writes whole blocks of src in the format t, Q4_K or Q5_K.
func quantizeInStep(t gguf.Type, dst []byte, src []float32) (overflows int) {
	s := new(lockstep)
	for ; len(src) > 0; src = src[256:] {
		if t == gguf.Q4_K {
			b, n := s.search(&layoutQ4_K, (*[256]float32)(src))
			packQ4_K((*[144]byte)(dst), &b)
			dst, overflows = dst[144:], overflows+n
		} else {
			b, n := s.search(&layoutQ5_K, (*[256]float32)(src))
			packQ5_K((*[176]byte)(dst), &b)
			dst, overflows = dst[176:], overflows+n
		}
	}
	return overflows
}

// search is layout.search of a block without importance.
func (s *lockstep) search(l *layout, src *[256]float32) (b super, overflows int) {
	s.searcher = searcher{layout: l, n: 8}
	weigh(s.x[:], s.w[:], src[:], nil)
	for i, x := range s.x {
		s.side[i%32][i/32] = x
	}
	s.subBlocks()
	d, _ := l.scales.scale(s.scale[:s.n], s.curvature[:s.n])
	dmin, _ := l.scales.scale(s.min[:s.n], s.weight[:s.n])
	b, coarse := s.round(d, dmin, false)
	d, dmin = s.solve(&b)
	if better, fine := s.round(d, dmin, true); fine < coarse {
		b = better
	}
	if infinite(b.d) || infinite(b.dmin) {
		return b, len(src)
	}
	return b, 0
}

// subBlocks searches every sub-block for itself, as grid.offsetScale does.
func (s *lockstep) subBlocks() {
	var lines [8]line
	var low, high, best [8]float64
	var done [8]bool // whether there is nothing more to try
	for j := range 8 {
		x, _ := s.sub(j)
		l := &lines[j]
		l.below, l.w = true, 32
		least, most, sum := x[0], x[0], 0.0
		for _, x := range x {
			if x < least {
				least = x
			}
			if x > most {
				most = x
			}
			sum += x
		}
		low[j], high[j], l.x = min(least, 0), most, sum
		best[j], s.weight[j] = math.Inf(-1), 32
		if done[j] = low[j] == high[j]; done[j] {
			s.min[j] = -low[j]
		}
	}
	hi := s.layout.codes.hi
	// try is the one of offsetScale, for all that are not done.
	try := func(last bool) {
		s.side.Sums(&s.q, &s.qq, &s.xq, &s.id, &s.m, hi)
		for j := range lines {
			if done[j] {
				continue
			}
			l := &lines[j]
			l.q, l.qq, l.xq = s.q[j], s.qq[j], s.xq[j]
			d, m := l.solve()
			gain := float64(d*l.xq) + float64(m*l.x)
			if gain <= best[j] || d <= 0 {
				done[j] = last
				continue
			}
			best[j], s.scale[j], s.min[j], s.curvature[j] = gain, d, -m, l.qq
		}
	}
	s.m = low
	for _, place := range s.layout.codes.starts {
		for j := range s.id {
			s.id[j] = place / (high[j] - low[j])
		}
		try(false)
	}
	for range steps {
		for j := range s.id {
			s.id[j], s.m[j] = reciprocal(s.scale[j]), -s.min[j]
		}
		try(true)
	}
}

// round is searcher.round.
func (s *lockstep) round(d, dmin float64, both bool) (b super, sum float64) {
	b.d, d = half(d)
	b.dmin, dmin = half(dmin)
	var scales, mins [2][8]float64
	id, idmin := reciprocal(d), reciprocal(dmin)
	for j := range 8 {
		scales[0][j], scales[1][j] = s.scales.around(s.scale[j]*id, both)
		mins[0][j], mins[1][j] = s.scales.around(s.min[j]*idmin, both)
	}
	tries := 1
	if both {
		tries = 2
	}
	least := [8]float64{}
	for j := range least {
		least[j] = math.Inf(1)
	}
	hi := s.layout.codes.hi
	for _, scale := range scales[:tries] {
		for _, low := range mins[:tries] {
			for j := range 8 {
				s.d[j], s.m[j] = d*scale[j], dmin*low[j]
				s.id[j] = reciprocal(s.d[j])
			}
			s.side.Errors(&s.errors, &s.d, &s.id, &s.m, hi)
			for j, err := range s.errors {
				if err < least[j] {
					least[j] = err
					b.scale[j], b.min[j] = int8(scale[j]), int8(low[j])
				}
			}
		}
	}
	for j := range 8 {
		sum += least[j]
		s.id[j], s.m[j] = reciprocal(d*float64(b.scale[j])), dmin*float64(b.min[j])
	}
	s.side.Codes(&s.codes, &s.id, &s.m, hi)
	for i := range b.code {
		b.code[i] = s.codes[i%32][i/32]
	}
	return b, sum
}
