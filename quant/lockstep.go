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

// A lockstep is the work on such blocks, one after the other.
type lockstep struct {
	*layout
	side  kernels.SubBlocks
	codes [32][8]int8

	// Of each sub-block.
	low, high [8]float64 // the least weight, or zero, and the greatest
	lines     [8]line
	scale     [8]float64 // x ≈ scale·q - min
	min       [8]float64
	curvature [8]float64 // Σq²
	weight    [8]float64 // how many weights, if they are not all the same

	// What the kernels are given, and what they return.
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
	s.layout = l
	s.load(src)
	s.subBlocks()
	d, _ := l.scales.scale(s.scale[:], s.curvature[:])
	dmin, _ := l.scales.scale(s.min[:], s.weight[:])
	b, at, coarse := s.round(d, dmin, false)
	d, dmin = s.solve(&b, at)
	if better, there, fine := s.round(d, dmin, true); fine < coarse {
		b, at = better, there
	}
	s.id, s.m = at.id, at.m
	s.side.Codes(&s.codes, &s.id, &s.m, l.codes.hi)
	for i := range s.codes {
		row := &s.codes[i]
		for j := range row {
			b.code[32*j+i] = row[j]
		}
	}
	if infinite(b.d) || infinite(b.dmin) {
		return b, len(src)
	}
	return b, 0
}

// load takes the weights, and looks at each once.
func (s *lockstep) load(src *[256]float32) {
	for j := range 8 {
		part := (*[32]float32)(src[32*j:])
		least, most, sum := int32(math.MaxInt32), int32(math.MinInt32), 0.0
		for i, v := range part {
			v = finite(v)
			k := key(v)
			least, most = min(least, k), max(most, k)
			x := float64(v)
			s.side[i][j] = x
			sum += x
		}
		s.low[j], s.high[j] = min(unkey(least), 0), unkey(most)
		s.lines[j] = line{below: true, w: 32, x: sum}
	}
}

// key returns a whole number that is in the same order as x: the processor compares
// those without jumps that cannot be foreseen.
func key(x float32) int32 {
	bits := int32(math.Float32bits(x))
	return bits ^ int32(uint32(bits>>31)>>1)
}

func unkey(k int32) float64 {
	return float64(math.Float32frombits(uint32(k ^ int32(uint32(k>>31)>>1))))
}

// subBlocks searches every sub-block for itself, as grid.offsetScale does.
func (s *lockstep) subBlocks() {
	var best [8]float64
	var done [8]bool // whether there is nothing more to try
	for j := range 8 {
		best[j] = math.Inf(-1)
		s.scale[j], s.min[j], s.curvature[j], s.weight[j] = 0, 0, 0, 32
		if done[j] = s.low[j] == s.high[j]; done[j] {
			s.min[j] = -s.low[j]
		}
	}
	hi := s.layout.codes.hi
	// try is the one of offsetScale, for all that are not done.
	try := func(last bool) {
		s.side.Sums(&s.q, &s.qq, &s.xq, &s.id, &s.m, hi)
		for j := range s.lines {
			if done[j] {
				continue
			}
			l := &s.lines[j]
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
	s.m = s.low
	for _, place := range s.layout.codes.starts {
		for j := range s.id {
			s.id[j] = place / (s.high[j] - s.low[j])
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

// places say what codes stand for, by sub-block: a weight's is the nearest to
// (x+m)·id.
type places struct{ id, m [8]float64 }

// round is searcher.round, but for the codes.
func (s *lockstep) round(d, dmin float64, both bool) (b super, at places, sum float64) {
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
	for j, err := range least {
		sum += err
		at.id[j], at.m[j] = reciprocal(d*float64(b.scale[j])), dmin*float64(b.min[j])
	}
	return b, at, sum
}

// solve is searcher.solve.
func (s *lockstep) solve(b *super, at places) (d, dmin float64) {
	s.id = at.id
	for j, m := range at.m {
		s.m[j] = -m
	}
	s.side.Sums(&s.q, &s.qq, &s.xq, &s.id, &s.m, s.layout.codes.hi)
	var e equations
	for j := range s.lines {
		l := &s.lines[j]
		l.q, l.qq, l.xq = s.q[j], s.qq[j], s.xq[j]
		e.add(l, float64(b.scale[j]), float64(b.min[j]))
	}
	return e.solve()
}
