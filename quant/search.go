package quant

import "math"

// The search for scales. A format gives a block of weights x a scale d, or a
// scale and an offset m, and each weight a whole number q. What is sought is the
// least squares
//
//	E = Σ w·(x - d·q - m)²
//
// with w from weigh. Two facts do the work:
//
// For given codes the best scale is a formula. Without an offset it is
// d = Σwxq / Σwq², which leaves E = Σwx² - (Σwxq)²/Σwq². With an offset, d and m
// solve d·Σwq² + m·Σwq = Σwxq and d·Σwq + m·Σw = Σwx, which leaves
// E = Σwx² - d·Σwxq - m·Σwx. What is taken off Σwx² is called the gain here.
//
// For a given scale the best codes are the nearest ones. So alternating the two
// never makes E greater, and ends in a minimum that depends on the start. The
// starts let the weight of the greatest magnitude fall before, on or behind the
// last code: an error of the outermost weight often buys all others a finer
// grid, and the more so the less that weight counts.
//
// Everything is in float64, where no square of a float32 overflows or vanishes.
// Products are converted before they are added, which keeps the compiler from
// fusing the two: a file has the same bytes wherever it is made.

// steps is how many times codes and scale are alternated after the best start.
const steps = 3

// A grid is the range of codes of a format, with the starts of the search.
type grid struct {
	lo, hi float64   // the lowest and the highest code
	starts []float64 // where on the grid the weight of the greatest magnitude falls
}

// code returns the whole number in lo..hi that is nearest to v, of two the even.
func code(v, lo, hi float64) float64 {
	if v <= lo {
		return lo
	}
	if v >= hi {
		return hi
	}
	const integers = 3 << 51 // a float64 of this size has no bits for a fraction
	return float64(v) + integers - integers
}

// reciprocal returns 1/d, or zero for zero: the codes are then those of zero.
func reciprocal(d float64) float64 {
	if d == 0 {
		return 0
	}
	return 1 / d
}

// scale searches the best d for x ≈ d·q, and returns it with Σwq², the curvature
// of E around it.
func (g *grid) scale(x, w []float64) (d, curvature float64) {
	m := farthest(x)
	if m == 0 {
		return 0, 0
	}
	var best float64
	try := func(id float64) bool {
		xq, qq := g.moments(x, w, id)
		gain := xq * xq // over qq; not divided yet, as qq may be zero
		if gain <= best*qq {
			return false
		}
		best, d, curvature = gain/qq, xq/qq, qq
		return true
	}
	for _, place := range g.starts {
		try(place / m)
	}
	for range steps {
		if !try(reciprocal(d)) {
			break
		}
	}
	return d, curvature
}

// moments returns Σwxq and Σwq² for the codes nearest to x·id.
func (g *grid) moments(x, w []float64, id float64) (xq, qq float64) {
	w = w[:len(x)]
	for i, x := range x {
		q := code(x*id, g.lo, g.hi)
		wq := float64(w[i] * q)
		xq += float64(wq * x)
		qq += float64(wq * q)
	}
	return xq, qq
}

// farthest returns the value of the greatest magnitude, of several the first.
func farthest(x []float64) (m float64) {
	for _, v := range x {
		if math.Abs(v) > math.Abs(m) {
			m = v
		}
	}
	return m
}

// offsetScale searches the best d >= 0 and m for x ≈ d·q + m, and returns them
// with Σwq². The codes begin at 0. Where below is true, only m <= 0 will do.
func (g *grid) offsetScale(x, w []float64, below bool) (d, m, curvature float64) {
	s := line{below: below}
	low, high := x[0], x[0]
	for i, x := range x {
		low, high = min(low, x), max(high, x)
		s.w += w[i]
		s.x += float64(w[i] * x)
	}
	if below {
		low = min(low, 0)
	}
	if low == high {
		return 0, low, 0
	}
	best := math.Inf(-1)
	try := func(id, m0 float64) bool {
		s.sum(x, w, g.hi, id, m0)
		d1, m1 := s.solve()
		gain := float64(d1*s.xq) + float64(m1*s.x)
		if gain <= best || d1 <= 0 {
			return false
		}
		best, d, m, curvature = gain, d1, m1, s.qq
		return true
	}
	for _, place := range g.starts {
		try(place/(high-low), low)
	}
	for range steps {
		if !try(reciprocal(d), m) {
			break
		}
	}
	return d, m, curvature
}

// A line has the sums from which the best d and m for x ≈ d·q + m follow: Σw,
// Σwx, Σwq, Σwq² and Σwxq.
type line struct {
	w, x, q, qq, xq float64
	below           bool // allow only m <= 0
}

// sum sets the sums with codes in them, for the codes nearest to (x-m)·id.
func (s *line) sum(x, w []float64, hi, id, m float64) {
	w = w[:len(x)]
	var q1, q2, xq float64
	for i, x := range x {
		q := code((x-m)*id, 0, hi)
		wq := float64(w[i] * q)
		q1 += wq
		q2 += float64(wq * q)
		xq += float64(wq * x)
	}
	s.q, s.qq, s.xq = q1, q2, xq
}

// solve returns the best d and m, or the best d with m = 0 where m > 0 is best
// and will not do.
func (s *line) solve() (d, m float64) {
	d, m, ok := solve2(s.qq, s.q, s.w, s.xq, s.x)
	if !ok { // all codes are the same
		d, m = 0, s.x/s.w
	}
	if s.below && m > 0 {
		d, m = s.xq*reciprocal(s.qq), 0
	}
	return d, m
}

// solve2 solves a·y + b·z = e and b·y + c·z = f, unless the two say the same.
func solve2(a, b, c, e, f float64) (y, z float64, ok bool) {
	ac := a * c
	det := ac - float64(b*b)
	if det <= ac*1e-13 {
		return 0, 0, false
	}
	inverse := 1 / det
	y = (float64(c*e) - float64(b*f)) * inverse
	z = (float64(a*f) - float64(b*e)) * inverse
	return y, z, true
}
