package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Products with weights of float types and AVX-512: a register has eight weights of each
// of two rows, so that sums have the order that they have with AVX2.

func dotsVNNI() {
	for _, f := range widenings {
		for rows := 1; rows <= 4; rows++ {
			dots512(f, rows)
		}
	}
}

// dots512 emits products of rows of weights with rows of activations, with about eight
// sums at a time as dots does.
func dots512(f widening, rows int) {
	pairs := map[int]int{1: 4, 2: 4, 3: 2, 4: 2}[rows]
	name := fmt.Sprintf("dots%sx%dVNNI", f.name, rows)
	TEXT(name, NOSPLIT, "func(dst *float32, stride int, w *byte, row int, x0, x1, x2, x3 *float32, eights, n int)")
	Doc(fmt.Sprintf("%s is the dotsFunc of %s for %d.", name, f.name, rows))
	Pragma("noescape")
	d := newDotter(f, rows)
	d.extract = func(v, hi Op) { VEXTRACTF32X4(Imm(1), v, hi) } // from any register
	n := NewParamAddr("n", 72)
	Label("many")
	CMPQ(n, Imm(uint64(2*pairs)))
	JLT(LabelRef("one"))
	d.emitPairs(pairs)
	SUBQ(Imm(uint64(2*pairs)), n)
	JMP(LabelRef("many"))
	Label("one")
	CMPQ(n, Imm(0))
	JE(LabelRef("done"))
	d.emit(1, "one")
	DECQ(n)
	JMP(LabelRef("one"))
	Label("done")
	VZEROUPPER()
	RET()
}

// emitPairs computes so many pairs of rows of weights and moves on to the next.
func (d *dotter) emitPairs(pairs int) {
	acc := make([][]VecVirtual, pairs)
	for p := range acc {
		for range d.rows {
			v := ZMM()
			VPXORD(v, v, v)
			acc[p] = append(acc[p], v)
		}
	}
	XORL(d.at.As32(), d.at.As32())
	MOVQ(d.w, d.wat)
	further := GP64() // four rows on
	LEAQ(Mem{Base: d.w, Index: d.row, Scale: 4}, further)
	Load(Param("eights"), d.n)
	TESTQ(d.n, d.n)
	JZ(LabelRef("many_sum"))
	Label("many_eight")
	w := make([]VecVirtual, pairs)
	for p := range w {
		base := d.wat
		if p >= 2 {
			base = further
		}
		w[p] = d.loadPair(nth(base, d.row, d.row3, 2*p%4), nth(base, d.row, d.row3, 2*p%4+1))
	}
	for r := range d.rows {
		x := ZMM()
		VBROADCASTF64X4(Mem{Base: d.x[r], Index: d.at, Scale: 1}, x)
		for p := range w {
			VFMADD231PS(x, w[p], acc[p][r])
		}
	}
	ADDQ(Imm(32), d.at)
	ADDQ(Imm(uint64(8*d.size)), d.wat)
	ADDQ(Imm(uint64(8*d.size)), further)
	DECQ(d.n)
	JNZ(LabelRef("many_eight"))
	Label("many_sum")
	for p := range acc {
		for r, v := range acc[p] {
			to := nth(d.dst, d.stride, d.stride3, r)
			to.Disp = 8 * p
			second := YMM()
			VEXTRACTF64X4(Imm(1), v, second)
			VMOVSS(acrossBy(d.extract, v.AsY()), to)
			to.Disp += 4
			VMOVSS(acrossBy(d.extract, second), to)
		}
	}
	ADDQ(Imm(uint64(8*pairs)), d.dst)
	for range pairs {
		LEAQ(Mem{Base: d.w, Index: d.row, Scale: 2}, d.w)
	}
}

// loadPair loads eight weights of each of two rows as float32.
func (d *dotter) loadPair(lo, hi Mem) VecVirtual {
	v, h := ZMM(), YMM()
	if d.size == 4 {
		VMOVUPS(lo, v.AsY())
		VINSERTF64X4(Imm(1), hi, v, v)
		return v
	}
	VMOVDQU32(lo, h.AsX())
	VINSERTI32X4(Imm(1), hi, h, h)
	if d.name == "F16" {
		VCVTPH2PS(h, v)
		return v
	}
	VPMOVZXWD(h, v)
	VPSLLD(Imm(16), v, v)
	return v
}
