package main

import "math"

// least is the smallest magnitude of activations that is not rounded to zero.
const least = 0x1p-120

func quantizers(w *writer) {
	activations(w)
	quantizeQ8_0(w)
	quantizeQ4_0(w)
}

// next32 loads 32 float32.
func (w *writer) next32(from gp, v []vec) {
	for i := 0; i < len(v); i += 2 {
		w.next2(from, [2]vec{v[i], v[i+1]})
	}
}

// greatest sets most to the greatest magnitude of x, in all lanes. As whole numbers,
// infinities are greater than all others, and NaNs greater still.
func (w *writer) greatest(most vec, x []vec) {
	a := w.vector()
	w.do(fabs, most, x[0])
	for _, x := range x[1:] {
		w.do(fabs, a, x)
		w.do(umax32, most, most, a)
	}
	w.do(umaxv32, most, most)
	w.do(dup, most, most, 0)
	w.release(a)
}

// pack makes the 32 whole numbers of x bytes, in order, in x[0] and x[1].
func (w *writer) pack(x []vec) {
	for i := range 4 {
		w.do(uzp16, x[i], x[2*i], x[2*i+1])
	}
	for i := range 2 {
		w.do(uzp8, x[i], x[2*i], x[2*i+1])
	}
}

func activations(w *writer) {
	w.function("quantizeBlocks", "dst *int8, src *float32, n int", "", 0,
		"quantizeBlocks is quantizePlain of n blocks, at least 1.")
	dst, src, n := w.argument("dst"), w.argument("src"), w.argument("n")
	first, last := w.register(), w.register()
	x, most := w.many(8), w.vector()
	least, greatest, most127 := w.single(least), w.single(math.MaxFloat32), w.single(127)
	large, infinite, inverse, scale := w.vector(), w.vector(), w.vector(), w.vector()
	w.loop("block", n, func() {
		w.next32(src, x)
		w.greatest(most, x)
		// What is out of range has codes of zero: too small for an inverse, infinite,
		// or a NaN, which every comparison denies.
		w.do(fcmge, large, most, least)
		w.do(fcmge, infinite, greatest, most)
		w.do(mvn, infinite, infinite)
		w.do(fdiv, scale, most, most127)
		w.do(fdiv, inverse, most127, most)
		w.do(and, scale, scale, large)
		w.do(orr, scale, scale, infinite) // all bits, a NaN
		w.do(bic, large, large, infinite)
		w.do(and, inverse, inverse, large)
		for _, x := range x {
			w.do(fmul, x, x, inverse) // of a NaN, or with an infinity, a NaN
			w.do(fcvtns, x, x)        // of a NaN, zero
		}
		w.pack(x)
		w.store2([2]vec{x[0], x[1]}, dst, 0)
		for i, sum := range []gp{first, last} {
			w.do(saddlv, x[i], x[i])
			w.emit("VMOV V%d.H[0], %s", x[i], sum)
			w.emit("MOVH %s, %d(%s)", sum, xHeader+8+2*i, dst)
		}
		w.emit("ADDW %s, %s", first, last)
		w.emit("SXTH %s, %[1]s", last)
		w.emit("SCVTFWS %s, F%d", last, most)
		w.emit("FMULS F%d, F%d", scale, most)
		w.emit("FMOVS F%d, %d(%s)", scale, xHeader, dst)
		w.emit("FMOVS F%d, %d(%s)", most, xHeader+4, dst)
		w.emit("NEGW %s<<3, %[1]s", last)
		w.emit("MOVW %s, %d(%s)", last, xHeader+12, dst)
		w.emit("ADD $%d, %s", xBytes, dst)
	})
	w.emit("RET")
}

// finites replaces what is not finite by zero.
func (w *writer) finites(greatest vec, v ...vec) {
	a := w.vector()
	for _, v := range v {
		w.do(fabs, a, v)
		w.do(fcmge, a, greatest, a)
		w.do(and, v, v, a)
	}
	w.release(a)
}

// quantizer prints the loop over blocks of 32 weights x at src that have a half float
// d and size bytes. begin loads constants; body computes d from the greatest magnitude;
// end writes the codes, given the inverse of d.
func quantizer(w *writer, name string, size int, begin func(), body func(src gp, x []vec, d vec), end func(dst gp, x []vec, id vec)) {
	w.function("quantize"+name, "dst *byte, src *float32, n int", "overflows int", 0,
		"quantize"+name+" is Quantize"+name+" of n blocks, at least 1.")
	dst, src, n := w.argument("dst"), w.argument("src"), w.argument("n")
	overflows, bits := w.register(), w.register()
	greatest, one := w.single(math.MaxFloat32), w.single(1)
	x, d, id := w.many(8), w.vector(), w.vector()
	begin()
	w.emit("MOVD ZR, %s", overflows)
	w.loop("block", n, func() {
		w.next32(src, x)
		w.finites(greatest, x...)
		w.greatest(d, x)
		body(src, x, d)
		w.do(fdiv, id, one, d)
		w.finites(greatest, id)
		end(dst, x, id)
		w.do(toHalf, d, d)
		w.emit("VMOV V%d.H[0], %s", d, bits)
		w.emit("MOVH %s, (%s)", bits, dst)
		w.emit("AND $0x7fff, %s", bits)
		w.emit("EOR $0x7c00, %s", bits)
		w.emit("CBNZ %s, next", bits)
		w.emit("ADD $32, %s", overflows)
		w.label("next")
		w.emit("ADD $%d, %s", size, dst)
	})
	w.emit("MOVD %s, %s", overflows, w.arguments["overflows"])
	w.emit("RET")
}

func quantizeQ8_0(w *writer) {
	var most vec
	quantizer(w, "Q8_0", 34,
		func() { most = w.single(127) },
		func(_ gp, _ []vec, d vec) { w.do(fdiv, d, d, most) },
		func(dst gp, x []vec, id vec) {
			for _, x := range x {
				w.do(fmul, x, x, id)
				w.do(fcvtas, x, x)
			}
			w.pack(x)
			w.store(x[0], dst, 2)
			w.store(x[1], dst, 18)
		})
}

func quantizeQ4_0(w *writer) {
	var eighth, half, last vec
	var place, bits gp
	quantizer(w, "Q4_0", 18,
		func() {
			eighth, half, last = w.single(-0.125), w.single(8.5), w.dwords(15)
			place, bits = w.register(), w.register()
		},
		func(src gp, x []vec, d vec) {
			// The first weight of that magnitude gives the sign.
			same := w.many(4)
			for i := range same {
				a, b := w.vector(), w.vector()
				w.do(fabs, a, x[2*i])
				w.do(fabs, b, x[2*i+1])
				w.do(cmeq32, a, a, d)
				w.do(cmeq32, b, b, d)
				w.do(uzp16, same[i], a, b)
				w.release(a, b)
			}
			w.emit("SUB $128, %s, %s", src, place)
			for i := range 2 { // four bits for each weight
				w.do(uzp8, same[i], same[2*i], same[2*i+1])
				w.do(shrn, same[i], same[i], 4)
				w.emit("FMOVD F%d, %s", same[i], bits)
				if i == 0 {
					w.emit("CBNZ %s, place", bits)
					w.emit("ADD $64, %s", place)
				}
			}
			w.label("place")
			w.emit("RBIT %s, %[1]s", bits)
			w.emit("CLZ %s, %[1]s", bits)
			w.emit("ADD %s, %s", bits, place)
			w.emit("MOVWU (%s), %s", place, place)
			// All may be zeros, or not finite: then it is not -0.
			w.emit("FMOVS F%d, %s", d, bits)
			w.emit("CMPW $0, %s", bits)
			w.emit("CSELW EQ, ZR, %s, %[1]s", place)
			w.emit("VDUP %s, V%d.S4", place, d)
			w.do(fmul, d, d, eighth)
			w.release(same...)
		},
		func(dst gp, x []vec, id vec) {
			for _, x := range x {
				w.do(fmul, x, x, id)
				w.do(fadd, x, x, half)
				w.do(fcvtzs, x, x)
				w.do(smin32, x, x, last)
			}
			for i := range 4 {
				w.do(shl32, x[i+4], x[i+4], 4)
				w.do(orr, x[i], x[i], x[i+4])
			}
			for i := range 2 {
				w.do(uzp16, x[i], x[2*i], x[2*i+1])
			}
			w.do(uzp8, x[0], x[0], x[1])
			w.store(x[0], dst, 2)
		})
}
