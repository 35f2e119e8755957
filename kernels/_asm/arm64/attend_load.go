package main

// What loads the keys and values of a tile, and queries, for attention.

func transposeRows(w *writer) {
	w.function("transposeRows", "dst, src *byte, stride, eights int", "", 0,
		"transposeRows writes eights·8 dwords of 16 rows, stride bytes apart, to dst: the first of all rows,\n"+
			"the second, and so on.")
	dst, src, stride, n, at := w.argument("dst"), w.argument("src"), w.argument("stride"), w.argument("eights"), w.register()
	w.loop("eight", n, func() {
		w.emit("MOVD %s, %s", src, at)
		for four := range 4 { // of the rows
			var rows [2][]vec // of the dwords
			for part := range rows {
				rows[part] = w.many(4)
			}
			for r := range 4 {
				w.load2(at, 0, [2]vec{rows[0][r], rows[1][r]})
				w.emit("ADD %s, %s", stride, at)
			}
			for part, rows := range rows {
				w.transpose(rows)
				for i, v := range rows {
					w.store(v, dst, 64*(4*part+i)+16*four)
				}
				w.release(rows...)
			}
		}
		w.emit("ADD $32, %s", src)
		w.emit("ADD $512, %s", dst)
	})
	w.emit("RET")
}

// A rounding is what roundWords needs in registers.
type rounding struct {
	*writer
	limit, least, t vec
}

// magnitude makes most the greater of it and of the magnitude of x, both as bits.
func (r *rounding) magnitude(x, most vec) {
	r.do(fabs, r.t, x)
	r.do(umax32, most, most, r.t)
}

// spread replaces the magnitude, as bits, by the scale limit makes of it, and sets its
// inverse: see roundWords.
func (r *rounding) spread(most, inverse vec) {
	r.do(fcmge, r.t, most, r.least)
	r.do(fdiv, inverse, r.limit, most)
	r.do(and, inverse, inverse, r.t)
	r.do(fsub, r.t, most, most) // a NaN where most is not finite
	r.do(fdiv, most, most, r.limit)
	r.do(fadd, most, most, r.t)
}

// round rounds x, of which not finite ones become 0.
func (r *rounding) round(x, inverse vec) {
	r.do(fmul, x, x, inverse)
	r.do(fcvtns, x, x)
}

func (w *writer) rounding() *rounding {
	return &rounding{w, w.everywhere("limit"), w.single(0x1p-100), w.vector()}
}

func roundRows(w *writer) {
	w.function("roundRows", "dst *int16, scales, src *float32, rows, sixteens int, limit float32", "", 0,
		"roundRows is roundWords of rows of sixteens·16 values.")
	dst, src, scales, rows := w.argument("dst"), w.argument("src"), w.argument("scales"), w.argument("rows")
	n, at, r := w.register(), w.register(), w.rounding()
	most, v, inverse := w.pair(), [2][2]vec{w.pair(), w.pair()}, w.vector()
	w.loop("row", rows, func() {
		w.reload("sixteens", n)
		w.emit("MOVD %s, %s", src, at)
		w.zero(most[:]...)
		w.loop("most", n, func() {
			for _, v := range v {
				w.next2(at, v)
				for h, v := range v {
					r.magnitude(v, most[h])
				}
			}
		})
		w.do(umax32, most[0], most[0], most[1])
		w.do(umaxv32, most[0], most[0])
		w.do(dup, most[0], most[0], 0)
		r.spread(most[0], inverse)
		w.emit("FMOVS.P F%d, 4(%s)", most[0], scales)
		w.reload("sixteens", n)
		w.loop("round", n, func() {
			for _, v := range v {
				w.next2(src, v)
				r.round(v[0], inverse)
				r.round(v[1], inverse)
				w.do(uzp16, v[0], v[0], v[1])
				w.put(v[0], dst)
			}
		})
	})
	w.emit("RET")
}

func roundColumns(w *writer) {
	w.function("roundColumns", "dst *int16, scales, src *float32, stride, pairs, panels int, limit float32", "", 0,
		"roundColumns is roundWords of the columns of pairs·2 rows, stride bytes apart, in panels of 16 columns,\n"+
			"which it writes as gatherWords reads them.")
	dst, src, scales := w.argument("dst"), w.argument("src"), w.argument("scales")
	stride, panels, n, at, next := w.argument("stride"), w.argument("panels"), w.register(), w.register(), w.register()
	r, most, inverse := w.rounding(), w.many(4), w.many(4)
	lo, hi := w.pair(), w.pair()
	w.loop("panel", panels, func() {
		w.reload("pairs", n)
		w.emit("MOVD %s, %s", src, at)
		w.zero(most...)
		w.loop("most", n, func() {
			for range 2 {
				w.load2(at, 0, lo)
				w.load2(at, 32, hi)
				for c, v := range append(lo[:], hi[:]...) {
					r.magnitude(v, most[c])
				}
				w.emit("ADD %s, %s", stride, at)
			}
		})
		for c := range most {
			r.spread(most[c], inverse[c])
			w.put(most[c], scales)
		}
		w.reload("pairs", n)
		w.emit("MOVD %s, %s", src, at)
		w.loop("round", n, func() {
			w.emit("ADD %s, %s, %s", stride, at, next)
			for half := range 2 {
				w.load2(at, 32*half, lo)
				w.load2(next, 32*half, hi)
				for h := range lo {
					r.round(lo[h], inverse[2*half+h])
					r.round(hi[h], inverse[2*half+h])
					w.do(sli32, lo[h], hi[h], 16)
				}
				w.put2(lo, dst)
			}
			w.emit("ADD %s, %s, %s", stride, next, at)
		})
		w.emit("ADD $64, %s", src)
	})
	w.emit("RET")
}

func widenQ8_0(w *writer) {
	w.function("widenQ8_0", "dst *float32, src *byte, blocks int", "", 0,
		"widenQ8_0 is Dequantize of Q8_0, of at least one block.")
	dst, src, n, bits := w.argument("dst"), w.argument("src"), w.argument("blocks"), w.register()
	d, q, half, v := w.vector(), w.pair(), w.vector(), w.pair()
	w.loop("block", n, func() {
		w.emit("MOVHU (%s), %s", src, bits)
		w.emit("FMOVS %s, F%d", bits, d)
		w.do(fromHalf, d, d)
		for h, q := range q {
			w.load(src, 2+16*h, q)
		}
		for _, q := range q {
			for _, extend := range []op{extend8, extend8h} {
				w.do(extend, half, q)
				w.do(extend16, v[0], half)
				w.do(extend16h, v[1], half)
				for _, v := range v {
					w.do(scvtf, v, v)
					w.do(fmulLane, v, v, d, 0)
				}
				w.put2(v, dst)
			}
		}
		w.emit("ADD $34, %s", src)
	})
	w.emit("RET")
}
