package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A widening loads eight weights of a float type as float32.
type widening struct {
	name string
	size int // bytes of a weight
	load func(m Mem, v VecVirtual)
}

var widenings = []widening{
	{"F32", 4, func(m Mem, v VecVirtual) { VMOVUPS(m, v) }},
	{"F16", 2, func(m Mem, v VecVirtual) { VCVTPH2PS(m, v) }},
	{"BF16", 2, func(m Mem, v VecVirtual) {
		VPMOVZXWD(m, v)
		VPSLLD(Imm(16), v, v)
	}},
}

func floats() {
	for _, w := range widenings {
		for rows := 1; rows <= 4; rows++ {
			dots(w, rows)
		}
	}
	for _, w := range widenings[1:] {
		widen(w)
	}
	narrowF16()
	narrowBF16()
}

// dots emits products of rows of weights with rows of activations. Enough rows of
// weights are taken at once to have about eight sums: an addition takes four
// cycles, and two start in each.
func dots(f widening, rows int) {
	together := map[int]int{1: 4, 2: 4, 3: 2, 4: 2}[rows]
	name := fmt.Sprintf("dots%sx%d", f.name, rows)
	TEXT(name, NOSPLIT, "func(dst *float32, stride int, w *byte, row int, x0, x1, x2, x3 *float32, eights, n int)")
	Doc(fmt.Sprintf("%s is the dotsFunc of %s for %d.", name, f.name, rows))
	Pragma("noescape")
	d := newDotter(f, rows)
	n := NewParamAddr("n", 72)
	Label("many")
	CMPQ(n, Imm(uint64(together)))
	JLT(LabelRef("one"))
	d.emit(together, "many")
	SUBQ(Imm(uint64(together)), n)
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

type dotter struct {
	widening
	rows                 int
	dst, stride, stride3 Register
	w, row, row3         Register
	x                    []Register
	at                   GPVirtual // offset in the activations
	wat                  GPVirtual // the weights there
	n                    GPVirtual

	extract func(v, hi Op) // of across
}

func newDotter(f widening, rows int) *dotter {
	d := &dotter{widening: f, rows: rows, extract: func(v, hi Op) { VEXTRACTF128(Imm(1), v, hi) },
		dst: Load(Param("dst"), GP64()), stride: Load(Param("stride"), GP64()), stride3: GP64(),
		w: Load(Param("w"), GP64()), row: Load(Param("row"), GP64()), row3: GP64(), at: GP64(), wat: GP64(), n: GP64()}
	LEAQ(Mem{Base: d.stride, Index: d.stride, Scale: 2}, d.stride3)
	LEAQ(Mem{Base: d.row, Index: d.row, Scale: 2}, d.row3)
	for r := range rows {
		d.x = append(d.x, Load(Param(fmt.Sprintf("x%d", r)), GP64()))
	}
	return d
}

// emit computes rows of weights and moves on to the next.
func (d *dotter) emit(together int, label string) {
	acc := zeroed(together * d.rows)
	XORL(d.at.As32(), d.at.As32())
	MOVQ(d.w, d.wat)
	Load(Param("eights"), d.n)
	TESTQ(d.n, d.n)
	JZ(LabelRef(label + "_sum"))
	Label(label + "_eight")
	w := make([]VecVirtual, together)
	for k := range w {
		w[k] = YMM()
		d.load(nth(d.wat, d.row, d.row3, k), w[k])
	}
	for r := range d.rows {
		x := YMM()
		VMOVUPS(Mem{Base: d.x[r], Index: d.at, Scale: 1}, x)
		for k := range w {
			VFMADD231PS(x, w[k], acc[k*d.rows+r])
		}
	}
	ADDQ(Imm(32), d.at)
	ADDQ(Imm(uint64(8*d.size)), d.wat)
	DECQ(d.n)
	JNZ(LabelRef(label + "_eight"))
	Label(label + "_sum")
	for k := range together {
		for r := range d.rows {
			to := nth(d.dst, d.stride, d.stride3, r)
			to.Disp = 4 * k
			VMOVSS(acrossBy(d.extract, acc[k*d.rows+r]), to)
		}
	}
	ADDQ(Imm(uint64(4*together)), d.dst)
	for k := together; k > 0; k -= 2 {
		if k == 1 {
			ADDQ(d.row, d.w)
		} else {
			LEAQ(Mem{Base: d.w, Index: d.row, Scale: 2}, d.w)
		}
	}
}

// nth returns the memory at base + n·stride for n up to 3.
func nth(base, stride, stride3 Register, n int) Mem {
	switch n {
	case 0:
		return Mem{Base: base}
	case 3:
		return Mem{Base: base, Index: stride3, Scale: 1}
	}
	return Mem{Base: base, Index: stride, Scale: uint8(n)}
}

// across adds the eight values of v: those four apart, then those two apart, then
// the two that are left.
func across(v VecVirtual) VecVirtual {
	return acrossBy(func(v, hi Op) { VEXTRACTF128(Imm(1), v, hi) }, v)
}

// acrossBy is across with an instruction that takes the upper half of a register.
func acrossBy(extract func(v, hi Op), v Register) VecVirtual {
	lo, hi := v.(Vec).AsX(), XMM()
	extract(v, hi)
	VADDPS(hi, lo, lo)
	VMOVHLPS(lo, lo, hi)
	VADDPS(hi, lo, lo)
	VMOVSHDUP(lo, hi)
	VADDSS(hi, lo, lo)
	return lo.(VecVirtual)
}

// A loop emits body once for each of n, which is not zero.
func loop(n Register, body func()) {
	Label("loop")
	body()
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func widen(f widening) {
	TEXT("widen"+f.name, NOSPLIT, "func(dst *float32, src *byte, eights int)")
	Doc("widen" + f.name + " widens eights·8 values, at least 8.")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("eights"), GP64())
	loop(n, func() {
		v := YMM()
		f.load(Mem{Base: src}, v)
		VMOVUPS(v, Mem{Base: dst})
		ADDQ(Imm(32), dst)
		ADDQ(Imm(uint64(8*f.size)), src)
	})
}

func narrowF16() {
	TEXT("narrowF16", NOSPLIT, "func(dst *byte, src *float32, eights int)")
	Doc("narrowF16 rounds eights·8 values, at least 8, as ToF16 does.")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("eights"), GP64())
	loop(n, func() {
		v := YMM()
		VMOVUPS(Mem{Base: src}, v)
		VCVTPS2PH(Imm(0), v, Mem{Base: dst})
		ADDQ(Imm(32), src)
		ADDQ(Imm(16), dst)
	})
}

func narrowBF16() {
	TEXT("narrowBF16", NOSPLIT, "func(dst *byte, src *float32, eights int)")
	Doc("narrowBF16 rounds eights·8 values, at least 8, as ToBF16 does.")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("eights"), GP64())
	below, one, quiet := loaded(dwords(0x7fff)), loaded(dwords(1)), loaded(dwords(0x40))
	loop(n, func() {
		v, nan, odd := YMM(), YMM(), YMM()
		VMOVDQU(Mem{Base: src}, v)
		VCMPPS(Imm(3), v, v, nan) // unordered
		VPSRLD(Imm(16), v, odd)
		cut := YMM()
		VPOR(quiet, odd, cut) // what a NaN becomes
		VPAND(one, odd, odd)
		VPADDD(below, v, v)
		VPADDD(odd, v, v)
		VPSRLD(Imm(16), v, v)
		VPBLENDVB(nan, cut, v, v)
		half := XMM()
		VEXTRACTI128(Imm(1), v, half)
		VPACKUSDW(half, v.AsX(), half)
		VMOVDQU(half, Mem{Base: dst})
		ADDQ(Imm(32), src)
		ADDQ(Imm(16), dst)
	})
}
