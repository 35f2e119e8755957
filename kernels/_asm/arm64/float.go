package main

import "fmt"

// A widening loads the next eight weights of a float type as float32, and moves
// on.
type widening struct {
	name string
	next func(w *writer, from gp, v [2]vec)
}

var widenings = []widening{
	{"F32", (*writer).next2},
	{"F16", func(w *writer, from gp, v [2]vec) {
		w.emit("FMOVQ.P 16(%s), F%d", from, v[1])
		w.do(fromHalf, v[0], v[1])
		w.do(fromHalfs, v[1], v[1])
	}},
	{"BF16", func(w *writer, from gp, v [2]vec) {
		zero := w.vector()
		w.zero(zero)
		w.emit("FMOVQ.P 16(%s), F%d", from, v[1])
		w.do(zip16, v[0], zero, v[1])
		w.do(zip16h, v[1], zero, v[1])
		w.release(zero)
	}},
}

func floats(w *writer) {
	for _, f := range widenings {
		for rows := 1; rows <= 4; rows++ {
			dots(w, f, rows)
		}
	}
	for _, f := range widenings[1:] {
		widen(w, f)
	}
	narrowF16(w)
	narrowBF16(w)
}

// dots prints products of rows of weights with rows of activations. Enough rows of
// weights are taken at once to have eight sums or more: an addition takes about four
// cycles, and two or more start in each.
func dots(w *writer, f widening, rows int) {
	together := map[int]int{1: 4, 2: 4, 3: 2, 4: 2}[rows]
	name := fmt.Sprintf("dots%sx%d", f.name, rows)
	w.function(name, "dst *float32, stride int, w *byte, row int, x0, x1, x2, x3 *float32, eights, n int", "", 0,
		fmt.Sprintf("%s is the dotsFunc of %s for %d.", name, f.name, rows))
	d := &dotter{writer: w, widening: f, rows: rows,
		dst: w.argument("dst"), stride: w.argument("stride"), to: w.register(),
		w: w.argument("w"), row: w.argument("row"), n: w.register(),
		x: w.registers(rows), from: w.registers(together)}
	n := w.argument("n")
	w.label("many")
	w.emit("CMP $%d, %s", together, n)
	w.emit("BLT one")
	d.emitRows(together, "many")
	w.emit("SUB $%d, %s", together, n)
	w.emit("B many")
	w.label("one")
	w.emit("CBZ %s, done", n)
	d.emitRows(1, "one")
	w.emit("SUB $1, %s", n)
	w.emit("B one")
	w.label("done")
	w.emit("RET")
}

type dotter struct {
	*writer
	widening
	rows            int
	dst, stride, to gp
	w, row          gp
	n               gp
	x               []gp // places in the activations
	from            []gp // places in the weights
}

// emitRows computes rows of weights and moves on to the next.
func (d *dotter) emitRows(together int, label string) {
	acc := make([][2]vec, together*d.rows)
	for i := range acc {
		acc[i] = d.pair()
		d.zero(acc[i][:]...)
	}
	for r, x := range d.x {
		d.reload(fmt.Sprintf("x%d", r), x)
	}
	for k := range together {
		d.emit("MOVD %s, %s", d.w, d.from[k])
		d.emit("ADD %s, %s", d.row, d.w)
	}
	d.reload("eights", d.n)
	d.emit("CBZ %s, %s_sum", d.n, label)
	d.loop(label+"_eight", d.n, func() {
		w := make([][2]vec, together)
		for k := range w {
			w[k] = d.pair()
			d.next(d.writer, d.from[k], w[k])
		}
		x := d.pair()
		for r := range d.rows {
			d.next2(d.x[r], x)
			for k := range w {
				for h := range x {
					d.do(fmla, acc[k*d.rows+r][h], w[k][h], x[h])
				}
			}
		}
		for _, v := range append(w, x) {
			d.release(v[:]...)
		}
	})
	d.label(label + "_sum")
	d.emit("MOVD %s, %s", d.dst, d.to)
	for r := range d.rows {
		if r > 0 {
			d.emit("ADD %s, %s", d.stride, d.to)
		}
		for k := range together {
			a := acc[k*d.rows+r]
			d.across(a)
			d.emit("FMOVS F%d, %d(%s)", a[0], 4*k, d.to)
		}
	}
	d.emit("ADD $%d, %s", 4*together, d.dst)
	for _, a := range acc {
		d.release(a[:]...)
	}
}

// across adds the eight values of v to one, in v[0]: those four apart, then those two
// apart, then the two that are left.
func (w *writer) across(v [2]vec) {
	w.do(fadd, v[0], v[0], v[1])
	w.emit("VDUP V%d.D[1], V%d.D2", v[0], v[1])
	w.do(fadd2, v[0], v[0], v[1])
	w.do(faddp2, v[0], v[0])
}

// eights prints a body that is run for each eight values, and the end of the
// function.
func (w *writer) eights(body func()) {
	w.loop("eight", w.argument("eights"), body)
	w.emit("RET")
}

// put2 and put store to where p points and move it on.
func (w *writer) put2(v [2]vec, p gp) { w.emit("FSTPQ.P (F%d, F%d), 32(%s)", v[0], v[1], p) }
func (w *writer) put(v vec, p gp)     { w.emit("FMOVQ.P F%d, 16(%s)", v, p) }

func widen(w *writer, f widening) {
	w.function("widen"+f.name, "dst *float32, src *byte, eights int", "", 0,
		"widen"+f.name+" widens eights·8 values, at least 8.")
	dst, src, v := w.argument("dst"), w.argument("src"), w.pair()
	w.eights(func() {
		f.next(w, src, v)
		w.put2(v, dst)
	})
}

func narrowF16(w *writer) {
	w.function("narrowF16", "dst *byte, src *float32, eights int", "", 0,
		"narrowF16 rounds eights·8 values, at least 8, as ToF16 does.")
	dst, src, v := w.argument("dst"), w.argument("src"), w.pair()
	w.eights(func() {
		w.next2(src, v)
		w.do(toHalf, v[0], v[0])
		w.do(toHalfs, v[0], v[1])
		w.put(v[0], dst)
	})
}

func narrowBF16(w *writer) {
	w.function("narrowBF16", "dst *byte, src *float32, eights int", "", 0,
		"narrowBF16 rounds eights·8 values, at least 8, as ToBF16 does.")
	dst, src, v := w.argument("dst"), w.argument("src"), w.pair()
	below, one, quiet := w.dwords(0x7fff), w.dwords(1), w.dwords(0x40<<16)
	rounded, number := w.vector(), w.vector()
	w.eights(func() {
		w.next2(src, v)
		for _, v := range v {
			w.do(ushr32, rounded, v, 16)
			w.do(and, rounded, rounded, one)
			w.do(add32, rounded, rounded, v)
			w.do(add32, rounded, rounded, below)
			w.do(fcmeq, number, v, v) // no NaN
			w.do(orr, v, v, quiet)    // what a NaN becomes
			w.do(bit, v, rounded, number)
		}
		w.do(uzp16h, v[0], v[0], v[1]) // the upper halfs
		w.put(v[0], dst)
	})
}
