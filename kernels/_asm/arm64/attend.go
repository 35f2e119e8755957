package main

import "math"

// Attention works on tiles of positions and on queries by sixes: six queries by sixteen
// results fill 24 registers with sums, and leave six for what is multiplied lane by lane,
// four values or pairs of words of each query, and two for what is read once for all six.
const (
	attendTile   = 64 // positions
	attendSix    = 6  // queries
	attendShares = 8191
)

// The fields of type six, in bytes.
const (
	sixHigh   = 0
	sixSum    = 32
	sixKeep   = 64
	sixShare  = 96
	sixTop    = 128
	sixScales = 160
)

func attends(w *writer) {
	scores(w, false)
	scores(w, true)
	shareFloats(w)
	shareWords(w)
	gather(w, false)
	gather(w, true)
	transposeRows(w)
	roundRows(w)
	roundColumns(w)
	widenQ8_0(w)
}

// sums are of six rows and sixteen columns.
type sums struct {
	*writer
	words bool
	row   []vec            // of each, four values or pairs of words
	acc   [attendSix][]vec // of each, sixteen sums
	v     [2]vec
}

// sums takes all registers.
func (w *writer) sums(words bool) *sums {
	s := &sums{writer: w, words: words, row: w.many(attendSix)} // words by lanes are in the first 16 registers
	for r := range s.acc {
		s.acc[r] = w.many(4)
	}
	s.v = w.pair()
	return s
}

func (s *sums) zero() {
	for _, acc := range s.acc {
		s.writer.zero(acc...)
	}
}

// free makes registers free again, all but the sums.
func (s *sums) free() {
	s.release(s.row...)
	s.release(s.v[:]...)
}

// add adds products of lane i of rows with 16 values, or pairs of words, at from.
func (s *sums) add(from gp, disp, i int) {
	for half := range 2 {
		if !s.words {
			s.load2(from, disp+32*half, s.v)
			for r, acc := range s.acc {
				for h, v := range s.v {
					s.do(fmlaLane, acc[2*half+h], v, s.row[r], i)
				}
			}
			continue
		}
		// The first words of eight pairs, and the second ones.
		s.emit("VLD2.P 32(%s), [V%d.H8, V%d.H8]", from, s.v[0], s.v[1])
		for k, v := range s.v {
			for r, acc := range s.acc {
				s.do(smlalLane, acc[2*half], v, s.row[r], 2*i+k)
				s.do(smlal2Lane, acc[2*half+1], v, s.row[r], 2*i+k)
			}
		}
	}
}

func scores(w *writer, words bool) {
	if words {
		w.function("scoreWords", "dst *float32, q *int16, stride int, k *int16, steps, panels int, of, scales *float32", "", 0,
			"scoreWords writes the scores of six queries, stride bytes apart, with panels of 16 keys to dst, [6, 64].\n"+
				"A panel holds steps·4 pairs of words of each key: the first pair of all, the second, and so on.")
	} else {
		w.function("scoreFloats", "dst, q *float32, stride int, k *float32, steps, panels int", "", 0,
			"scoreFloats writes the scores of six queries, stride bytes apart, with panels of 16 keys to dst, [6, 64].\n"+
				"A panel holds steps·4 values of each key: the first of all, the second, and so on.")
	}
	dst, to, k, stride := w.argument("dst"), w.register(), w.argument("k"), w.argument("stride")
	panels, n, q := w.argument("panels"), w.register(), w.registers(attendSix)
	var of, scales gp
	if words {
		of, scales = w.argument("of"), w.argument("scales")
	}
	s := w.sums(words)
	w.loop("panel", panels, func() {
		w.reload("q", q[0])
		for r := range q[1:] {
			w.emit("ADD %s, %s, %s", stride, q[r], q[r+1])
		}
		s.zero()
		w.reload("steps", n)
		w.loop("step", n, func() {
			for r, q := range q {
				w.emit("FMOVQ.P 16(%s), F%d", q, s.row[r])
			}
			for i := range 4 {
				if words {
					s.add(k, 0, i)
				} else {
					s.add(k, 64*i, i)
				}
			}
			if !words {
				w.emit("ADD $256, %s", k)
			}
		})
		s.free()
		if words {
			queries, keys := w.pair(), w.many(4)
			w.load2(of, sixScales, queries)
			for i := 0; i < len(keys); i += 2 {
				w.next2(scales, [2]vec{keys[i], keys[i+1]})
			}
			for r, acc := range s.acc {
				for c, v := range acc {
					w.do(scvtf, v, v)
					w.do(fmul, v, v, keys[c])
					w.do(fmulLane, v, v, queries[r/4], r%4)
				}
			}
			w.release(queries[:]...)
			w.release(keys...)
		}
		w.emit("MOVD %s, %s", dst, to)
		for r, acc := range s.acc {
			if r > 0 {
				w.emit("ADD $%d, %s", 4*attendTile, to)
			}
			w.store2([2]vec{acc[0], acc[1]}, to, 0)
			w.store2([2]vec{acc[2], acc[3]}, to, 32)
		}
		w.emit("ADD $64, %s", dst)
	})
	w.emit("RET")
}

// highest prints the greatest scores of queries, and what is to be kept of what has been
// gathered and to be taken of the tile. A NaN among the scores makes all of them NaNs.
func (w *writer) highest(scores, of gp, e *exponential) {
	at, to, n := w.register(), w.register(), w.register()
	w.emit("MOVD %s, %s", scores, at)
	w.emit("MOVD %s, %s", of, to)
	w.emit("MOVD $%d, %s", attendSix, n)
	top, v := w.pair(), w.pair()
	w.loop("highest", n, func() {
		w.next2(at, top)
		for range attendTile/8 - 1 {
			w.next2(at, v)
			for h := range v {
				w.do(fmax, top[h], top[h], v[h])
			}
		}
		w.do(fmax, top[0], top[0], top[1])
		w.do(fmaxv, top[0], top[0])
		w.emit("FMOVS F%d, %d(%s)", top[0], sixTop, to)
		w.emit("ADD $4, %s", to)
	})
	w.release(append(top[:], v[:]...)...)
	high, keep, share := w.pair(), w.pair(), w.pair()
	w.load2(of, sixHigh, keep)
	w.load2(of, sixTop, share)
	for h := range high {
		w.do(fmax, high[h], keep[h], share[h])
		for _, v := range []vec{keep[h], share[h]} {
			w.do(fsub, v, v, high[h])
			e.exp(v)
		}
	}
	w.store2(high, of, sixHigh)
	w.store2(keep, of, sixKeep)
	w.store2(share, of, sixShare)
	for _, v := range [][2]vec{high, keep, share} {
		w.release(v[:]...)
	}
	w.drop(at, to, n)
}

// shared prints the loop over the scores of queries, 16 at a time, of which body makes
// shares, and counts those.
func (w *writer) shared(scores, of gp, body func(e []vec)) {
	n, m := w.register(), w.register()
	e, sum, top, factor := w.many(4), w.pair(), w.vector(), w.vector()
	w.emit("MOVD $%d, %s", attendSix, n)
	w.loop("row", n, func() {
		w.emit("FMOVS %d(%s), F%d", sixTop, of, top)
		w.do(dup, top, top, 0)
		w.zero(sum[:]...)
		w.emit("MOVD $%d, %s", attendTile/16, m)
		w.loop("some", m, func() {
			for i := range e {
				w.load(scores, 16*i, e[i])
				w.do(fsub, e[i], e[i], top)
			}
			body(e)
			for i := range e {
				w.do(fadd, sum[i%2], sum[i%2], e[i])
			}
		})
		w.across(sum)
		for i, field := range []int{sixShare, sixSum, sixKeep} {
			w.emit("FMOVS %d(%s), F%d", field, of, []vec{factor, sum[1], top}[i])
		}
		w.emit("FMULS F%d, F%d", factor, sum[0])
		w.emit("FMULS F%d, F%d", top, sum[1])
		w.emit("FADDS F%d, F%d", sum[0], sum[1])
		w.emit("FMOVS F%d, %d(%s)", sum[1], sixSum, of)
		w.emit("ADD $4, %s", of)
	})
	w.emit("RET")
}

func shareFloats(w *writer) {
	w.function("shareFloats", "scores, of *float32", "", 0,
		"shareFloats replaces six times 64 scores by their shares, the exponentials of what they are\n"+
			"below the greatest of their query, and counts them in of.")
	scores, of, exp := w.argument("scores"), w.argument("of"), w.exponential()
	w.highest(scores, of, exp)
	w.shared(scores, of, func(e []vec) {
		exp.exp(e...)
		for i := 0; i < len(e); i += 2 {
			w.put2([2]vec{e[i], e[i+1]}, scores)
		}
	})
}

func shareWords(w *writer) {
	w.function("shareWords", "dst *int16, scores, of *float32", "", 0,
		"shareWords is shareFloats with shares that are whole numbers, 8191 for the greatest score.")
	dst, scores, of, exp := w.argument("dst"), w.argument("scores"), w.argument("of"), w.exponential()
	w.highest(scores, of, exp)
	exp.free()
	whole := w.wholeShares()
	w.shared(scores, of, func(e []vec) {
		whole.shares(e...)
		w.emit("ADD $%d, %s", 16*len(e), scores)
		v := w.many(len(e))
		for i := range v {
			w.do(fcvtns, v[i], e[i])
		}
		for i := 0; i < len(v); i += 2 {
			w.do(uzp16, v[i], v[i], v[i+1])
			w.put(v[i], dst)
		}
		w.release(v...)
	})
}

// wholeShares has the constants of shares in registers.
type wholeShares struct {
	*writer
	low, inverse, ln vec // below low all are zero
	factors          []vec
}

func (w *writer) wholeShares() *wholeShares {
	s := &wholeShares{writer: w, low: w.single(-20), inverse: w.single(1 / math.Ln2), ln: w.single(math.Ln2)}
	for _, c := range []float32{0.04127736762166023, 0.16753600537776947, 0.5000512599945068, 1} {
		s.factors = append(s.factors, w.single(attendShares*c))
	}
	return s
}

// shares replaces each x, which is not above 0, by 8191·exp x, rounded to a whole number,
// and leaves NaNs. It is exp for results of which the sixth digit does not matter, nor
// what is below a half.
func (s *wholeShares) shares(x ...vec) {
	for _, x := range x {
		n, p, q := s.vector(), s.vector(), s.vector()
		s.do(fmax, x, x, s.low)
		s.do(fmul, n, x, s.inverse)
		s.do(frintn, n, n)
		s.do(fmls, x, s.ln, n)
		s.do(fcvtns, n, n)
		s.copyTo(p, s.factors[0])
		for _, c := range append(s.factors[1:], s.factors[len(s.factors)-1]) {
			s.copyTo(q, c)
			s.do(fmla, q, p, x)
			p, q = q, p
		}
		s.do(shl32, n, n, 23)
		s.do(add32, p, p, n) // to the exponent
		s.do(frintn, x, p)
		s.release(n, p, q)
	}
}

// gather prints the sums of values.
func gather(w *writer, words bool) {
	size := 4
	if words {
		size = 2
		w.function("gatherWords", "dst *float32, stride int, p, v *int16, steps, panels int, of, scales *float32", "", 0,
			"gatherWords adds to six rows of dst, stride bytes apart, values weighted with shares, [6, 64]. A panel holds 16\n"+
				"columns of steps·4 pairs of values of which each pair is of two positions.")
	} else {
		w.function("gatherFloats", "dst *float32, stride int, p, v *float32, steps, panels int, of *float32", "", 0,
			"gatherFloats adds to six rows of dst, stride bytes apart, values weighted with shares, [6, 64]. The values are\n"+
				"steps·4 rows, stride bytes apart, in panels of 16 columns.")
	}
	dst, to, stride, panels := w.argument("dst"), w.register(), w.argument("stride"), w.argument("panels")
	p, v, from, n, of := w.register(), w.argument("v"), w.register(), w.register(), w.argument("of")
	var scales gp
	if words {
		scales = w.argument("scales")
	}
	s := w.sums(words)
	w.loop("panel", panels, func() {
		w.reload("p", p)
		if words {
			from = v
		} else {
			w.emit("MOVD %s, %s", v, from)
		}
		s.zero()
		w.reload("steps", n)
		w.loop("step", n, func() {
			for r, row := range s.row {
				w.load(p, attendTile*size*r, row)
			}
			w.emit("ADD $16, %s", p)
			for i := range 4 {
				s.add(from, 0, i)
				if !words {
					w.emit("ADD %s, %s", stride, from)
				}
			}
		})
		s.free()
		keep, share, old, factors := w.pair(), w.pair(), w.pair(), w.pair()
		w.load2(of, sixKeep, keep)
		w.load2(of, sixShare, share)
		for half := range 2 {
			if words {
				w.next2(scales, factors)
			}
			w.emit("MOVD %s, %s", dst, to)
			for r, acc := range s.acc {
				if r > 0 {
					w.emit("ADD %s, %s", stride, to)
				}
				w.load2(to, 0, old)
				for h, v := range acc[2*half:][:2] {
					if words {
						w.do(scvtf, v, v)
						w.do(fmul, v, v, factors[h])
					}
					w.do(fmulLane, old[h], old[h], keep[r/4], r%4)
					w.do(fmlaLane, old[h], v, share[r/4], r%4)
				}
				w.store2(old, to, 0)
			}
			w.emit("ADD $32, %s", dst)
		}
		for _, v := range [][2]vec{keep, share, old, factors} {
			w.release(v[:]...)
		}
		if !words {
			w.emit("ADD $64, %s", v)
		}
	})
	w.emit("RET")
}
