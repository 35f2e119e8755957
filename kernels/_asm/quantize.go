package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	absolute = 1<<31 - 1
	least    = 0x1p-120
)

func quantizers() {
	activations()
	quantizeQ8_0()
	quantizeQ4_0()
}

// load32 loads 32 float32 from p.
func load32(p Register) []VecVirtual {
	v := make([]VecVirtual, 4)
	for i := range v {
		v[i] = YMM()
		VMOVUPS(Mem{Base: p, Disp: 32 * i}, v[i])
	}
	return v
}

// greatest returns the greatest magnitude of v in all lanes. As whole numbers,
// infinities are greater than all others, and NaNs greater still.
func greatest(v []VecVirtual) VecVirtual {
	most := YMM()
	for i, v := range v {
		if i == 0 {
			VPAND(whole(dwords(absolute)), v, most)
			continue
		}
		a := YMM()
		VPAND(whole(dwords(absolute)), v, a)
		VPMAXUD(a, most, most)
	}
	other := YMM()
	VPERM2I128(Imm(1), most, most, other)
	VPMAXUD(other, most, most)
	VPSHUFD(Imm(0x4e), most, other)
	VPMAXUD(other, most, most)
	VPSHUFD(Imm(0xb1), most, other)
	VPMAXUD(other, most, most)
	return most
}

// packBytes returns the 32 whole numbers of v as bytes, in order.
func packBytes(v []VecVirtual) VecVirtual {
	lo, hi := YMM(), YMM()
	VPACKSSDW(v[1], v[0], lo)
	VPACKSSDW(v[3], v[2], hi)
	VPACKSSWB(hi, lo, lo)
	places := YMM()
	VMOVDQU(order(), places)
	VPERMD(lo, places, lo)
	return lo
}

func activations() {
	TEXT("quantizeBlocks", NOSPLIT, "func(dst *int8, src *float32, n int)")
	Doc("quantizeBlocks is quantizePlain of n blocks, at least 1.")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
	ones := loaded(bytes(1))
	loop(n, func() {
		x := load32(src)
		most := greatest(x)
		// What is out of range has codes of zero: too small for an inverse, infinite,
		// or a NaN, which every comparison denies.
		large, finite, inverse, scale := YMM(), YMM(), YMM(), YMM()
		VMOVUPS(single(least), large)
		VCMPPS(Imm(2), most, large, large) // least <= most
		VCMPPS(Imm(2), single(math.MaxFloat32), most, finite)
		VMOVUPS(single(127), inverse)
		VDIVPS(single(127), most, scale)
		VDIVPS(most, inverse, inverse)
		VANDPS(large, scale, scale)
		VANDPS(finite, large, large)
		VANDPS(large, inverse, inverse)
		for _, v := range x {
			VMULPS(inverse, v, v)
			VANDPS(large, v, v)
			VCVTPS2DQ(v, v)
		}
		q := packBytes(x)
		VMOVDQU(q, Mem{Base: dst})
		// The scale of infinities and NaNs: all bits, a NaN.
		all := YMM()
		VPCMPEQD(all, all, all)
		VANDNPS(all, finite, finite)
		VORPS(finite, scale, scale)

		VPMADDUBSW(q, ones, q)
		VPMADDWD(whole(words(1)), q, q)
		other := YMM()
		VPSHUFD(Imm(0x4e), q, other)
		VPADDD(other, q, q)
		VPSHUFD(Imm(0xb1), q, other)
		VPADDD(other, q, q)
		lo, hi := q.AsX(), XMM()
		VEXTRACTI128(Imm(1), q, hi)
		first, last := GP32(), GP32()
		VMOVD(lo, first)
		VMOVD(hi, last)
		MOVW(first.As16(), Mem{Base: dst, Disp: xHalves})
		MOVW(last.As16(), Mem{Base: dst, Disp: xHalves + 2})
		VPADDD(hi, lo, lo)
		f := XMM()
		VCVTDQ2PS(lo, f)
		VMULSS(scale.AsX(), f, f)
		VMOVSS(scale.AsX(), Mem{Base: dst, Disp: xScale})
		VMOVSS(f, Mem{Base: dst, Disp: xSum})
		ADDL(first, last)
		NEGL(last)
		SHLL(Imm(3), last)
		MOVL(last, Mem{Base: dst, Disp: xBias})
		ADDQ(U32(128), src)
		ADDQ(Imm(xBytes), dst)
	})
}

// finites replaces what is not finite by zero.
func finites(v []VecVirtual) {
	for _, v := range v {
		a := YMM()
		VANDPS(whole(dwords(absolute)), v, a)
		VCMPPS(Imm(2), single(math.MaxFloat32), a, a)
		VANDPS(a, v, v)
	}
}

// inverse returns 1/d in all lanes, or zero where that is infinite.
func inverse(d VecVirtual) VecVirtual {
	id, ok := YMM(), YMM()
	VMOVUPS(single(1), id)
	VDIVPS(d, id, id)
	VANDPS(whole(dwords(absolute)), id, ok)
	VCMPPS(Imm(2), single(math.MaxFloat32), ok, ok)
	VANDPS(ok, id, id)
	return id
}

// quantizer emits the loop over blocks of 32 weights that have a half float d
// and size bytes.
func quantizer(name string, size int, body func(dst, src Register) (d VecVirtual)) {
	TEXT("quantize"+name, NOSPLIT, "func(dst *byte, src *float32, n int) (overflows int)")
	Doc("quantize" + name + " is Quantize" + name + " of n blocks, at least 1.")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
	overflows := GP64()
	XORL(overflows.As32(), overflows.As32())
	Label("loop")
	d := body(dst, src)
	VCVTPS2PH(Imm(0), d, d.AsX())
	bits, infinite := GP32(), GP32()
	VMOVD(d.AsX(), bits)
	MOVW(bits.As16(), Mem{Base: dst})
	ANDL(U32(0x7fff), bits)
	XORL(infinite, infinite)
	CMPL(bits, U32(0x7c00))
	SETEQ(infinite.As8())
	SHLL(Imm(5), infinite)
	ADDQ(infinite.As64(), overflows)
	ADDQ(U32(128), src)
	ADDQ(Imm(uint64(size)), dst)
	DECQ(n)
	JNZ(LabelRef("loop"))
	Store(overflows, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

func quantizeQ8_0() {
	quantizer("Q8_0", 34, func(dst, src Register) (d VecVirtual) {
		x := load32(src)
		finites(x)
		d = greatest(x)
		VDIVPS(single(127), d, d)
		id := inverse(d)
		for _, v := range x {
			// Half away from zero: the greatest number below a half is added and
			// what is behind the point cut off.
			away := YMM()
			VMULPS(id, v, v)
			VANDPS(whole(dwords(1<<31)), v, away)
			VORPS(single(0.49999997), away, away)
			VADDPS(away, v, v)
			VCVTTPS2DQ(v, v)
		}
		VMOVDQU(packBytes(x), Mem{Base: dst, Disp: 2})
		return d
	})
}

func quantizeQ4_0() {
	quantizer("Q4_0", 18, func(dst, src Register) (d VecVirtual) {
		x := load32(src)
		finites(x)
		d = greatest(x)
		// The first weight of that magnitude gives the sign.
		places := GP32()
		for i := range x {
			a, bits := YMM(), GP32()
			v := x[len(x)-1-i]
			VANDPS(whole(dwords(absolute)), v, a)
			VPCMPEQD(d, a, a)
			VMOVMSKPS(a, bits)
			if i == 0 {
				places = bits
				continue
			}
			SHLL(Imm(8), places)
			ORL(bits, places)
		}
		BSFL(places, places)
		zero, bits := GP32(), GP32()
		VMOVD(d.AsX(), zero)
		MOVL(Mem{Base: src, Index: places, Scale: 4}, bits)
		TESTL(zero, zero)
		CMOVLEQ(zero, bits) // all are zeros, or not finite: not -0
		VMOVD(bits, d.AsX())
		VBROADCASTSS(d.AsX(), d)
		VMULPS(single(-0.125), d, d)
		id := inverse(d)
		for _, v := range x {
			VMULPS(id, v, v)
			VADDPS(single(8.5), v, v)
			VCVTTPS2DQ(v, v)
			VPMINSD(whole(dwords(15)), v, v)
		}
		for i := range 2 {
			VPSLLD(Imm(4), x[i+2], x[i+2])
			VPOR(x[i+2], x[i], x[i])
		}
		VPACKUSDW(x[1], x[0], x[0])
		VPACKUSWB(x[0], x[0], x[0])
		lanes := YMM()
		VMOVDQU(order(), lanes)
		VPERMD(x[0], lanes, x[0])
		VMOVDQU(x[0].AsX(), Mem{Base: dst, Disp: 2})
		return d
	})
}
