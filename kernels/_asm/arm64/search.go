package main

// searches prints what the search for the scales of eight sub-blocks is made of. They
// are side by side, in the lanes of four registers of float64.
func searches(w *writer) {
	search(w, "q, qq, xq *float64", "lineSums", func(s *searcher) {
		q, qq, xq := w.many(4), w.many(4), w.many(4)
		for _, sums := range [][]vec{q, qq, xq} {
			w.zero(sums...)
		}
		v := w.vector()
		s.weights(func(h int, x vec) {
			w.do(fsub64, v, x, s.m[h])
			s.code(v, h)
			// All products are exact: to fuse them with the sums changes nothing.
			w.do(fadd64, q[h], q[h], v)
			w.do(fmla64, qq[h], v, v)
			w.do(fmla64, xq[h], x, v)
		})
		w.storeEight("q", q)
		w.storeEight("qq", qq)
		w.storeEight("xq", xq)
	})
	search(w, "d, errors *float64", "lineErrors", func(s *searcher) {
		sums, v := w.many(4), w.vector()
		w.zero(sums...)
		d := w.loadEight("d")
		s.weights(func(h int, x vec) {
			w.do(fadd64, x, x, s.m[h])
			w.copyTo(v, x)
			s.code(v, h)
			w.do(fmul64, v, v, d[h])
			w.do(fsub64, x, x, v)
			w.do(fmul64, x, x, x)
			w.do(fadd64, sums[h], sums[h], x)
		})
		w.storeEight("errors", sums)
	})
	search(w, "codes *int8", "lineCodes", func(s *searcher) {
		to, q := w.argument("codes"), w.many(4)
		s.weights(func(h int, x vec) {
			w.do(fadd64, x, x, s.m[h])
			s.code(x, h)
			w.do(fcvtns64, q[h], x)
			if h < 3 {
				return
			}
			w.do(uzp32, q[0], q[0], q[1])
			w.do(uzp32, q[2], q[2], q[3])
			w.do(uzp16, q[0], q[0], q[2])
			w.do(narrowByte, q[0], q[0])
			w.emit("FMOVD.P F%d, 8(%s)", q[0], to)
		})
	})
}

type searcher struct {
	*writer
	id, m     []vec // eight values, two in a register
	hi, zeros vec
}

func search(w *writer, more, name string, body func(s *searcher)) {
	w.function(name, "x, id, m *float64, hi float64, "+more, "", 0, name+" is the function of the implementation with this name.")
	s := &searcher{writer: w, id: w.loadEight("id"), m: w.loadEight("m"), hi: w.vector(), zeros: w.vector()}
	w.emit("FMOVD %s, F%d", w.arguments["hi"], s.hi)
	w.emit("VDUP V%d.D[0], V%[1]d.D2", s.hi)
	w.zero(s.zeros)
	body(s)
	w.emit("RET")
}

func (w *writer) loadEight(name string) []vec {
	p, v := w.argument(name), w.many(4)
	w.load2(p, 0, [2]vec{v[0], v[1]})
	w.load2(p, 32, [2]vec{v[2], v[3]})
	w.drop(p)
	return v
}

func (w *writer) storeEight(name string, v []vec) {
	p := w.argument(name)
	w.store2([2]vec{v[0], v[1]}, p, 0)
	w.store2([2]vec{v[2], v[3]}, p, 32)
	w.drop(p)
}

// weights calls f for the 32 weights of each sub-block: the k-th of all eight stand
// together, two in a register.
func (s *searcher) weights(f func(h int, x vec)) {
	from, n, x := s.argument("x"), s.register(), s.pair()
	s.emit("MOVD $32, %s", n)
	s.loop("weight", n, func() {
		for h := range 4 {
			if h%2 == 0 {
				s.next2(from, x)
			}
			f(h, x[h%2])
		}
	})
}

// code replaces v by the whole number of 0 to hi that is nearest to v·id.
func (s *searcher) code(v vec, h int) {
	s.do(fmul64, v, v, s.id[h])
	s.do(fmax64, v, v, s.zeros)
	s.do(fmin64, v, v, s.hi)
	s.do(frintn64, v, v)
}
