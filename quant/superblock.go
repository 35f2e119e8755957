package quant

import "math"

// The K layouts: 256 weights in sub-blocks with scales of few bits, which count in
// units of one half float for all. The same problem on two levels:
//
// The sub-blocks are searched apart. That gives sub-block j a scale s_j, and for
// scales around it E_j(s) = E_j(s_j) + A_j·(s - s_j)² with A_j = Σwq², as long as
// the codes stay. So quantizing the scales is again a weighted least squares,
// solved by the same search with the A_j as weights; so are the offsets, with Σw.
//
// Then the codes are rounded anew for what has become of the scales, d and dmin
// are solved for from all 256 codes, and a second rounding tries the whole numbers
// below and above each scale and offset.

// A super is a block in numbers: w ≈ d·scale·code - dmin·min.
type super struct {
	d, dmin uint16 // half floats
	scale   [16]int8
	min     [16]int8 // zero in layouts without
	code    [256]int8
}

// A layout is what the search needs to know of a K layout.
type layout struct {
	size    int  // weights in a sub-block
	offsets bool // whether sub-blocks have mins
	codes   grid // of the weights
	scales  grid // of scales and mins
}

var (
	layoutQ2_K = layout{16, true,
		grid{0, 3, []float64{2, 2.3, 2.6, 2.9, 3.2, 3.6, 4.2}},
		grid{0, 15, []float64{13, 14, 14.5, 15, 15.5}}}
	layoutQ3_K = layout{16, false,
		grid{-4, 3, []float64{-6, -5, -4.5, -4, -3.5, -3, 2.75, 3.25, 3.75, 4.25, 5}},
		grid{-32, 31, []float64{-32.5, -32, -31.5, 30.5, 31, 31.5}}}
	layoutQ4_K = layout{32, true,
		grid{0, 15, []float64{14, 14.5, 15, 15.75, 16.5}},
		grid{0, 63, []float64{62, 62.5, 63, 63.5}}}
	layoutQ5_K = layout{32, true,
		grid{0, 31, []float64{29.5, 30, 30.5, 31, 31.75, 33}},
		grid{0, 63, []float64{62, 62.5, 63, 63.5}}}
	layoutQ6_K = layout{16, false,
		grid{-32, 31, []float64{-33.5, -32.5, -32, -31.5, 30.5, 31, 31.5, 32.5}},
		grid{-128, 127, []float64{-128.5, -128, -127.5, 127, 127.5}}}
)

// A searcher is the work on one block. The slices by sub-block hold what the
// sub-block would have for itself.
type searcher struct {
	*layout
	x, w      [256]float64
	n         int         // sub-blocks
	scale     [16]float64 // x ≈ scale·q - min
	min       [16]float64
	curvature [16]float64 // Σwq²
	weight    [16]float64 // Σw
}

// search quantizes a block.
func (l *layout) search(src *[256]float32, importance []float32) (b super, overflows int) {
	s := searcher{layout: l, n: len(src) / l.size}
	weigh(s.x[:], s.w[:], src[:], importance)
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

// sub returns the weights of sub-block j and what their errors count.
func (s *searcher) sub(j int) (x, w []float64) {
	return s.x[j*s.size : (j+1)*s.size], s.w[j*s.size : (j+1)*s.size]
}

// subBlocks searches every sub-block for itself.
func (s *searcher) subBlocks() {
	for j := range s.n {
		x, w := s.sub(j)
		if !s.offsets {
			s.scale[j], s.curvature[j] = s.codes.scale(x, w)
			continue
		}
		var m float64
		s.scale[j], m, s.curvature[j] = s.codes.offsetScale(x, w, true)
		s.min[j] = -m
		for _, w := range w {
			s.weight[j] += w
		}
	}
}

// round returns the block with the given scales, and its error. The scale of a
// sub-block is the nearest to its own, or, if both is true, the better one of the
// two around it; so is its min.
func (s *searcher) round(d, dmin float64, both bool) (b super, sum float64) {
	b.d, d = half(d)
	b.dmin, dmin = half(dmin)
	id, idmin := reciprocal(d), reciprocal(dmin)
	for j := range s.n {
		x, w := s.sub(j)
		least := math.Inf(1)
		scale0, scale1 := s.scales.around(s.scale[j]*id, both)
		min0, min1 := s.scales.around(s.min[j]*idmin, both)
		for scale := scale0; scale <= scale1; scale++ {
			for min := min0; min <= min1; min++ {
				if err := s.codes.error(x, w, d*scale, dmin*min); err < least {
					least = err
					b.scale[j], b.min[j] = int8(scale), int8(min)
				}
			}
		}
		sum += least
		id, m := reciprocal(d*float64(b.scale[j])), dmin*float64(b.min[j])
		for i, x := range x {
			b.code[j*s.size+i] = int8(code((x+m)*id, s.codes.lo, s.codes.hi))
		}
	}
	return b, sum
}

// around returns the codes below and above v, or twice the nearest code.
func (g *grid) around(v float64, both bool) (below, above float64) {
	if !both {
		q := code(v, g.lo, g.hi)
		return q, q
	}
	below = min(max(math.Floor(v), g.lo), g.hi)
	return below, min(below+1, g.hi)
}

// error returns Σ w·(x - (d·q - m))² for the best codes.
func (g *grid) error(x, w []float64, d, m float64) (sum float64) {
	w = w[:len(x)]
	id := reciprocal(d)
	for i, x := range x {
		x += m
		diff := x - float64(d*code(x*id, g.lo, g.hi))
		sum += float64(float64(w[i]*diff) * diff)
	}
	return sum
}

// solve returns the best d and dmin for the scales, mins and codes of b: the
// least squares of x - (d·u - dmin·v) with u = scale·code and v = min.
func (s *searcher) solve(b *super) (d, dmin float64) {
	var e equations
	for j := range s.n {
		var l line
		x, w := s.sub(j)
		for i, x := range x {
			q := float64(b.code[j*s.size+i])
			wq := float64(w[i] * q)
			l.w += w[i]
			l.x += float64(w[i] * x)
			l.q += wq
			l.qq += float64(wq * q)
			l.xq += float64(wq * x)
		}
		e.add(&l, float64(b.scale[j]), float64(b.min[j]))
	}
	return e.solve()
}

// equations are the sums that d and dmin follow from.
type equations struct{ uu, uv, vv, ux, vx float64 }

// add adds a sub-block's.
func (e *equations) add(l *line, scale, v float64) {
	e.uu += float64(scale * scale * l.qq)
	e.uv += float64(scale * v * l.q)
	e.vv += float64(v * v * l.w)
	e.ux += float64(scale * l.xq)
	e.vx += float64(v * l.x)
}

func (e *equations) solve() (d, dmin float64) {
	d, dmin, ok := solve2(e.uu, -e.uv, e.vv, e.ux, -e.vx)
	if !ok { // no mins
		return e.ux * reciprocal(e.uu), 0
	}
	return d, dmin
}
