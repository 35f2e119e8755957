package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// What attention makes of queries, keys and values before it multiplies them.

// transpose emits the transposition of 16 rows of dwords.
func transpose() {
	TEXT("transposeRows", NOSPLIT, "func(dst, src *byte, stride, eights int)")
	Doc("transposeRows writes eights·8 dwords of 16 rows, stride bytes apart, to dst: the first of all rows,",
		"the second, and so on.")
	Pragma("noescape")
	dst, src, stride, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("stride"), GP64()), Load(Param("eights"), GP64())
	Label("eight")
	at := GP64()
	MOVQ(src, at)
	for half := range 2 { // of the rows
		stride3, at4 := GP64(), GP64()
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride3)
		LEAQ(Mem{Base: at, Index: stride, Scale: 4}, at4)
		for part := range 2 { // of the dwords
			var r [4]VecVirtual
			for i := range r {
				r[i] = YMM()
				lo, hi := nth(at, stride, stride3, i), nth(at4, stride, stride3, i)
				lo.Disp, hi.Disp = 16*part, 16*part
				VBROADCASTF128(lo, r[i])
				VINSERTF128(Imm(1), hi, r[i], r[i])
			}
			t := []VecVirtual{YMM(), YMM(), YMM(), YMM()}
			VUNPCKLPS(r[1], r[0], t[0])
			VUNPCKHPS(r[1], r[0], t[1])
			VUNPCKLPS(r[3], r[2], t[2])
			VUNPCKHPS(r[3], r[2], t[3])
			for i := range 2 {
				lo, hi := YMM(), YMM()
				VUNPCKLPD(t[2+i], t[i], lo)
				VUNPCKHPD(t[2+i], t[i], hi)
				VMOVUPS(lo, Mem{Base: dst, Disp: 64*(4*part+2*i) + 32*half})
				VMOVUPS(hi, Mem{Base: dst, Disp: 64*(4*part+2*i+1) + 32*half})
			}
		}
		if half == 0 {
			LEAQ(Mem{Base: at4, Index: stride, Scale: 4}, at)
		}
	}
	ADDQ(Imm(32), src)
	ADDQ(U32(512), dst)
	DECQ(n)
	JNZ(LabelRef("eight"))
	VZEROUPPER()
	RET()
}

// spread replaces the magnitude, as bits, by the scale limit makes of it, and returns
// its inverse: see roundWords.
func spread(most, limit VecVirtual) (inverse VecVirtual) {
	inverse = YMM()
	fits, nan := YMM(), YMM()
	VCMPPS(Imm(13), single(float32(math.Ldexp(1, -100))), most, fits) // not below
	VDIVPS(most, limit, inverse)
	VANDPS(fits, inverse, inverse)
	VSUBPS(most, most, nan)
	VDIVPS(limit, most, most)
	VADDPS(nan, most, most)
	return inverse
}

// magnitude makes most the greater of it and of the magnitude of x.
func magnitude(x Op, most VecVirtual) {
	t := YMM()
	VMOVUPS(whole(dwords(1<<31-1)), t)
	VPAND(x, t, t)
	VPMAXUD(t, most, most)
}

func roundRows() {
	TEXT("roundRows", NOSPLIT, "func(dst *int16, scales, src *float32, rows, sixteens int, limit float32)")
	Doc("roundRows is roundWords of rows of sixteens·16 values.")
	Pragma("noescape")
	dst, src, scales := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("scales"), GP64())
	rows := Load(Param("rows"), GP64())
	limit := YMM()
	VBROADCASTSS(NewParamAddr("limit", 40), limit)
	Label("row")
	n, at := Load(Param("sixteens"), GP64()), GP64()
	MOVQ(src, at)
	most := zeroed(2)
	Label("most")
	for i := range most {
		magnitude(Mem{Base: at, Disp: 32 * i}, most[i])
	}
	ADDQ(Imm(64), at)
	DECQ(n)
	JNZ(LabelRef("most"))
	t := YMM()
	VPMAXUD(most[1], most[0], most[0])
	VPERM2I128(Imm(1), most[0], most[0], t)
	VPMAXUD(t, most[0], most[0])
	VPSHUFD(Imm(0x4e), most[0], t)
	VPMAXUD(t, most[0], most[0])
	VPSHUFD(Imm(0xb1), most[0], t)
	VPMAXUD(t, most[0], most[0])
	inverse := spread(most[0], limit)
	VMOVSS(most[0].AsX(), Mem{Base: scales})
	Load(Param("sixteens"), n)
	Label("round")
	v := []VecVirtual{YMM(), YMM()}
	for i := range v {
		VMULPS(Mem{Base: src, Disp: 32 * i}, inverse, v[i])
		VCVTPS2DQ(v[i], v[i])
	}
	VPACKSSDW(v[1], v[0], v[0])
	VPERMQ(Imm(0xd8), v[0], v[0])
	VMOVDQU(v[0], Mem{Base: dst})
	ADDQ(Imm(64), src)
	ADDQ(Imm(32), dst)
	DECQ(n)
	JNZ(LabelRef("round"))
	ADDQ(Imm(4), scales)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

func roundColumns() {
	TEXT("roundColumns", NOSPLIT, "func(dst *int16, scales, src *float32, stride, pairs, panels int, limit float32)")
	Doc("roundColumns is roundWords of the columns of pairs·2 rows, stride bytes apart, in panels of 16 columns,",
		"which it writes as gatherWords reads them.")
	Pragma("noescape")
	dst, src, scales := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("scales"), GP64())
	stride, panels := Load(Param("stride"), GP64()), Load(Param("panels"), GP64())
	limit := YMM()
	VBROADCASTSS(NewParamAddr("limit", 48), limit)
	Label("panel")
	n, at := Load(Param("pairs"), GP64()), GP64()
	MOVQ(src, at)
	most := zeroed(2)
	Label("most")
	for range 2 {
		for c := range most {
			magnitude(Mem{Base: at, Disp: 32 * c}, most[c])
		}
		ADDQ(stride, at)
	}
	DECQ(n)
	JNZ(LabelRef("most"))
	var inverse [2]VecVirtual
	for c := range inverse {
		inverse[c] = spread(most[c], limit)
		VMOVUPS(most[c], Mem{Base: scales, Disp: 32 * c})
	}
	Load(Param("pairs"), n)
	MOVQ(src, at)
	Label("round")
	for c := range inverse {
		lo, hi := YMM(), YMM()
		VMULPS(Mem{Base: at, Disp: 32 * c}, inverse[c], lo)
		VCVTPS2DQ(lo, lo)
		VMULPS(Mem{Base: at, Index: stride, Scale: 1, Disp: 32 * c}, inverse[c], hi)
		VCVTPS2DQ(hi, hi)
		VPSLLD(Imm(16), hi, hi)
		VPBLENDW(Imm(0xaa), hi, lo, lo)
		VMOVDQU(lo, Mem{Base: dst, Disp: 32 * c})
	}
	LEAQ(Mem{Base: at, Index: stride, Scale: 2}, at)
	ADDQ(Imm(64), dst)
	DECQ(n)
	JNZ(LabelRef("round"))
	ADDQ(Imm(64), scales)
	ADDQ(Imm(64), src)
	DECQ(panels)
	JNZ(LabelRef("panel"))
	VZEROUPPER()
	RET()
}

func widenQ8_0() {
	TEXT("widenQ8_0", NOSPLIT, "func(dst *float32, src *byte, blocks int)")
	Doc("widenQ8_0 is Dequantize of Q8_0, of at least one block.")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("blocks"), GP64())
	loop(n, func() {
		d := XMM()
		wide, bits := YMM(), GP32()
		MOVWLZX(Mem{Base: src}, bits)
		VMOVD(bits, d)
		VCVTPH2PS(d, d)
		VBROADCASTSS(d, wide)
		for i := range 4 {
			v := YMM()
			VPMOVSXBD(Mem{Base: src, Disp: 2 + 8*i}, v)
			VCVTDQ2PS(v, v)
			VMULPS(wide, v, v)
			VMOVUPS(v, Mem{Base: dst, Disp: 32 * i})
		}
		ADDQ(Imm(34), src)
		ADDQ(U32(128), dst)
	})
}
