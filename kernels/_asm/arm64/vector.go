package main

import "math"

// An exponential has the constants of exp in registers.
type exponential struct {
	*writer
	high, low      vec // results beyond are infinite and zero
	inverse, ln, l vec // 1/ln 2, and ln 2 in two parts
	factors        []vec
	one            vec // in 32 bits, 127
}

func (w *writer) exponential() *exponential {
	e := &exponential{writer: w, high: w.single(89), low: w.single(-104.5),
		inverse: w.single(1 / math.Ln2), ln: w.single(0.693359375), l: w.single(math.Ln2 - 0.693359375), one: w.dwords(127)}
	for _, c := range []float32{0.0013814539415761828, 0.00836874544620514, 0.04166838899254799, 0.1666652113199234, 0.4999999403953552, 1} {
		e.factors = append(e.factors, w.single(c))
	}
	return e
}

// free makes the registers free again.
func (e *exponential) free() {
	e.release(e.high, e.low, e.inverse, e.ln, e.l, e.one)
	e.release(e.factors...)
}

// exp replaces x by its exponential, within 1 ulp, and leaves NaNs.
//
// With n the whole number nearest to x/ln 2, exp x = 2^n · exp(x - n·ln 2). ln 2 is
// taken off in two parts, the first of few digits. The polynomial is the one of
// degree 6, with its first two coefficients 1, of least relative error in
// ±ln 2 / 2. 2^n is multiplied in two steps, so that results may be subnormal or
// infinite.
func (e *exponential) exp(x ...vec) {
	for _, x := range x {
		n, p, q := e.vector(), e.vector(), e.vector()
		e.do(fmin, x, x, e.high)
		e.do(fmax, x, x, e.low)
		e.do(fmul, n, x, e.inverse)
		e.do(frintn, n, n)
		e.do(fmls, x, e.ln, n)
		e.do(fmls, x, e.l, n)
		e.copyTo(p, e.factors[0])
		for _, c := range append(e.factors[1:], e.factors[len(e.factors)-1]) {
			e.copyTo(q, c)
			e.do(fmla, q, p, x)
			p, q = q, p
		}
		e.do(fcvtns, n, n)
		e.do(sshr32, q, n, 1)
		e.do(sub32, n, n, q)
		for _, n := range []vec{q, n} {
			e.do(add32, n, n, e.one)
			e.do(shl32, n, n, 23)
			e.do(fmul, p, p, n)
		}
		e.copyTo(x, p)
		e.release(n, p, q)
	}
}

func vectors(w *writer) {
	pause(w)
	silus(w)
	sigmoids(w)
	exps(w)
	maxima(w)
	find(w)
	shares(w)
	squares(w)

	w.function("norms", "dst, x, weight *float32, scale float32, eights int", "", 0,
		"norms writes x·scale·weight of eights·8 values, at least 8.")
	dst, x, weight, scale := w.argument("dst"), w.argument("x"), w.argument("weight"), w.everywhere("scale")
	v, u := w.pair(), w.pair()
	w.eights(func() {
		w.next2(x, v)
		w.next2(weight, u)
		for h, v := range v {
			w.do(fmul, v, v, scale)
			w.do(fmul, v, v, u[h])
		}
		w.put2(v, dst)
	})

	w.function("divides", "x *float32, by float32, eights int", "", 0,
		"divides divides eights·8 values, at least 8.")
	x, by := w.argument("x"), w.everywhere("by")
	v = w.pair()
	w.eights(func() {
		w.load2(x, 0, v)
		for _, v := range v {
			w.do(fdiv, v, v, by)
		}
		w.put2(v, x)
	})

	w.function("adds", "dst, x *float32, scale float32, eights int", "", 0,
		"adds adds scale·x to dst, rounding twice, for eights·8 values, at least 8.")
	dst, x, scale = w.argument("dst"), w.argument("x"), w.everywhere("scale")
	v, u = w.pair(), w.pair()
	w.eights(func() {
		w.next2(x, v)
		w.load2(dst, 0, u)
		for h, v := range v {
			w.do(fmul, v, v, scale)
			w.do(fadd, v, v, u[h])
		}
		w.put2(v, dst)
	})
}

func pause(w *writer) {
	w.function("pause", "", "", 0, "pause waits for some tens of nanoseconds.")
	// A barrier takes that long; the hint to yield takes no time on most processors.
	w.emit("ISB $15")
	w.emit("RET")
}

func silus(w *writer) {
	w.function("silus", "dst, gate, up *float32, eights int", "", 0,
		"silus is SiLUMul of eights·8 values, at least 8.")
	dst, gate, up, exp, one := w.argument("dst"), w.argument("gate"), w.argument("up"), w.exponential(), w.single(1)
	g, u, e := w.pair(), w.pair(), w.pair()
	w.eights(func() {
		w.next2(gate, g)
		w.next2(up, u)
		for h, e := range e {
			w.do(fneg, e, g[h])
			exp.exp(e)
			w.do(fadd, e, e, one)
			w.do(fdiv, g[h], g[h], e)
			w.do(fmul, g[h], g[h], u[h])
		}
		w.put2(g, dst)
	})
}

func sigmoids(w *writer) {
	w.function("sigmoids", "x *float32, eights int", "", 0, "sigmoids is Sigmoid of eights·8 values, at least 8.")
	x, exp, one, e := w.argument("x"), w.exponential(), w.single(1), w.pair()
	w.eights(func() {
		w.load2(x, 0, e)
		for _, e := range e {
			w.do(fneg, e, e)
			exp.exp(e)
			w.do(fadd, e, e, one)
			w.do(fdiv, e, one, e)
		}
		w.put2(e, x)
	})
}

func exps(w *writer) {
	w.function("exps", "x *float32, high float32, eights int", "sum float32", 0,
		"exps replaces each of eights·8 values, at least 8, by exp(x - high), and returns their sum, added\n"+
			"up as Dot does.")
	x, high, exp, n := w.argument("x"), w.everywhere("high"), w.exponential(), w.argument("eights")
	e, sum := w.pair(), w.pair()
	w.zero(sum[:]...)
	w.loop("eight", n, func() {
		w.load2(x, 0, e)
		for h, e := range e {
			w.do(fsub, e, e, high)
			exp.exp(e)
			w.do(fadd, sum[h], sum[h], e)
		}
		w.put2(e, x)
	})
	w.across(sum)
	w.emit("FMOVS F%d, %s", sum[0], w.arguments["sum"])
	w.emit("RET")
}

func maxima(w *writer) {
	w.function("maxima", "x *float32, eights int, best, second *float32", "", 0,
		"maxima writes the eight greatest values at the same place of eight, of eights·8, at least 8,\n"+
			"to best, and the next to second. A NaN is passed over.")
	x, n, best, second := w.argument("x"), w.argument("eights"), w.argument("best"), w.argument("second")
	v, first, next := w.pair(), w.pair(), w.pair()
	above, low := w.vector(), w.vector()
	for h := range v {
		v := w.single(float32(math.Inf(-1)))
		w.copyTo(first[h], v)
		w.copyTo(next[h], v)
	}
	w.loop("eight", n, func() {
		w.next2(x, v)
		for h, v := range v {
			w.do(fcmgt, above, v, first[h]) // a NaN is not
			w.copyTo(low, v)
			w.do(bit, low, first[h], above)
			w.do(bit, first[h], v, above)
			w.do(fcmgt, above, low, next[h])
			w.do(bit, next[h], low, above)
		}
	})
	w.store2(first, best, 0)
	w.store2(next, second, 0)
	w.emit("RET")
}

func find(w *writer) {
	w.function("find", "x *float32, v float32, eights int", "at int", 0,
		"find returns the place of the first of eights·8 values, at least 8, that is v; one of them must be.")
	x, want, n, at, bits := w.argument("x"), w.everywhere("v"), w.argument("eights"), w.register(), w.register()
	v := w.pair()
	w.emit("MOVD ZR, %s", at)
	w.loop("eight", n, func() {
		w.next2(x, v)
		for _, v := range v {
			w.do(fcmeq, v, v, want)
		}
		w.do(uzp16, v[0], v[0], v[1])
		w.do(narrowByte, v[0], v[0])
		w.emit("FMOVD F%d, %s", v[0], bits)
		w.emit("CBNZ %s, found", bits)
		w.emit("ADD $8, %s", at)
	})
	w.label("found") // 8 bits for each value
	w.emit("RBIT %s, %[1]s", bits)
	w.emit("CLZ %s, %[1]s", bits)
	w.emit("ADD %s>>3, %s", bits, at)
	w.emit("MOVD %s, %s", at, w.arguments["at"])
	w.emit("RET")
}

func shares(w *writer) {
	w.function("shares", "x *float32, high float32, eights int", "sum, weighted float64", 0,
		"shares returns Σ exp(x - high) and Σ exp(x - high)·(x - high) of eights·8 values, at least 8, in\n"+
			"four sums of every fourth.")
	x, high, exp, n := w.argument("x"), w.everywhere("high"), w.exponential(), w.argument("eights")
	v, e, sums, weighted := w.pair(), w.vector(), w.pair(), w.pair()
	z, share, none := w.vector(), w.vector(), w.vector()
	w.zero(append(sums[:], weighted[:]...)...)
	w.loop("eight", n, func() {
		w.next2(x, v)
		for _, v := range v {
			w.do(fsub, v, v, high)
			w.copyTo(e, v)
			exp.exp(e)
			for i := range 2 {
				to := []op{toDouble, toDoubles}[i]
				w.do(to, share, e)
				w.do(to, z, v)
				w.do(fadd64, sums[i], sums[i], share)
				w.do(fcmeq64, none, share) // 0·-∞ is no number
				w.do(bic, z, z, none)
				w.do(fmla64, weighted[i], share, z)
			}
		}
	})
	for _, s := range []struct {
		name string
		v    [2]vec
	}{{"sum", sums}, {"weighted", weighted}} {
		w.do(fadd64, s.v[0], s.v[0], s.v[1])
		w.do(faddp64, s.v[0], s.v[0])
		w.emit("FMOVD F%d, %s", s.v[0], w.arguments[s.name])
	}
	w.emit("RET")
}

func squares(w *writer) {
	w.function("squares", "x *float32, eights int, sums *float64", "", 0,
		"squares writes eight sums of squares, of the values with the same remainder by 8, to sums.")
	x, n, sums := w.argument("x"), w.argument("eights"), w.argument("sums")
	v, double, sum := w.pair(), w.vector(), [2][2]vec{w.pair(), w.pair()}
	for _, s := range sum {
		w.zero(s[:]...)
	}
	w.loop("eight", n, func() {
		w.next2(x, v)
		for h, v := range v {
			for i, to := range []op{toDouble, toDoubles} {
				w.do(to, double, v)
				w.do(fmla64, sum[h][i], double, double)
			}
		}
	})
	for _, s := range sum {
		w.put2(s, sums)
	}
	w.emit("RET")
}
