package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// single returns 32 bytes of memory that repeat v.
func single(v float32) Mem { return whole(dwords(uint64(math.Float32bits(v)))) }

// exp replaces each x by its exponential, within 1 ulp, and leaves NaNs.
//
// With n the whole number nearest to x/ln 2, exp x = 2^n · exp(x - n·ln 2). ln 2 is
// taken off in two parts, the first of few digits. The polynomial is the one of
// degree 6, with its first two coefficients 1, of least relative error in
// ±ln 2 / 2. 2^n is multiplied in two steps, so that results may be subnormal or
// infinite.
//
// Every operation waits for the one before. Those of several x are emitted in turn.
func exp(x ...VecVirtual) {
	least, most := broadcastSingle(-104.5), broadcastSingle(89)
	n, p := make([]VecVirtual, len(x)), make([]VecVirtual, len(x))
	each := func(f func(i int)) {
		for i := range x {
			f(i)
		}
	}
	each(func(i int) { VMINPS(x[i], most, x[i]) })
	each(func(i int) { VMAXPS(x[i], least, x[i]) })
	each(func(i int) { n[i] = YMM(); VMULPS(single(1/math.Ln2), x[i], n[i]) })
	each(func(i int) { VROUNDPS(Imm(0), n[i], n[i]) })
	each(func(i int) { VFNMADD231PS(single(0.693359375), n[i], x[i]) })
	each(func(i int) { VFNMADD231PS(single(math.Ln2-0.693359375), n[i], x[i]) })
	each(func(i int) { p[i] = YMM(); VMOVUPS(single(0.0013814539415761828), p[i]) })
	for _, c := range []float32{0.00836874544620514, 0.04166838899254799, 0.1666652113199234, 0.4999999403953552, 1, 1} {
		each(func(i int) { VFMADD213PS(single(c), x[i], p[i]) })
	}
	each(func(i int) { VCVTPS2DQ(n[i], n[i]) })
	half := x // no longer needed
	each(func(i int) { VPSRAD(Imm(1), n[i], half[i]) })
	each(func(i int) { VPSUBD(half[i], n[i], n[i]) })
	for _, n := range [][]VecVirtual{half, n} {
		each(func(i int) { VPADDD(whole(dwords(127)), n[i], n[i]) })
		each(func(i int) { VPSLLD(Imm(23), n[i], n[i]) })
		each(func(i int) { VMULPS(n[i], p[i], p[i]) })
	}
	each(func(i int) { VMOVAPS(p[i], x[i]) })
}

// broadcastSingle returns a register: VMINPS and VMAXPS return their second operand
// if either is a NaN, and that must be x.
func broadcastSingle(v float32) VecVirtual {
	r := YMM()
	VMOVUPS(single(v), r)
	return r
}

func vectors() {
	pause()
	TEXT("silus", NOSPLIT, "func(dst, gate, up *float32, eights int)")
	Doc("silus is SiLUMul of eights·8 values, at least 8.")
	Pragma("noescape")
	dst, gate, up, n := Load(Param("dst"), GP64()), Load(Param("gate"), GP64()), Load(Param("up"), GP64()), Load(Param("eights"), GP64())
	loop(n, func() {
		g, e := YMM(), YMM()
		VMOVUPS(Mem{Base: gate}, g)
		VXORPS(whole(dwords(1<<31)), g, e)
		exp(e)
		VADDPS(single(1), e, e)
		VDIVPS(e, g, g)
		VMULPS(Mem{Base: up}, g, g)
		VMOVUPS(g, Mem{Base: dst})
		for _, p := range []Register{dst, gate, up} {
			ADDQ(Imm(32), p)
		}
	})

	TEXT("sigmoids", NOSPLIT, "func(x *float32, eights int)")
	Doc("sigmoids is Sigmoid of eights·8 values, at least 8.")
	Pragma("noescape")
	x, n := Load(Param("x"), GP64()), Load(Param("eights"), GP64())
	loop(n, func() {
		e, one := YMM(), broadcastSingle(1)
		VMOVUPS(Mem{Base: x}, e)
		VXORPS(whole(dwords(1<<31)), e, e)
		exp(e)
		VADDPS(one, e, e)
		VDIVPS(e, one, e)
		VMOVUPS(e, Mem{Base: x})
		ADDQ(Imm(32), x)
	})

	TEXT("exps", NOSPLIT, "func(x *float32, high float32, eights int) (sum float32)")
	Doc("exps replaces each of eights·8 values, at least 8, by exp(x - high), and returns their sum, added",
		"up as Dot does.")
	Pragma("noescape")
	x, n = Load(Param("x"), GP64()), Load(Param("eights"), GP64())
	high, sum := YMM(), zeroed(1)[0]
	VBROADCASTSS(NewParamAddr("high", 8), high)
	Label("loop")
	e := YMM()
	VMOVUPS(Mem{Base: x}, e)
	VSUBPS(high, e, e)
	exp(e)
	VMOVUPS(e, Mem{Base: x})
	VADDPS(e, sum, sum)
	ADDQ(Imm(32), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VMOVSS(across(sum), result(0))
	VZEROUPPER()
	RET()

	TEXT("maxima", NOSPLIT, "func(x *float32, eights int, best, second *float32)")
	Doc("maxima writes the eight greatest values at the same place of eight, of eights·8, at least 8,",
		"to best, and the next to second. A NaN is passed over.")
	Pragma("noescape")
	x, n = Load(Param("x"), GP64()), Load(Param("eights"), GP64())
	first, second := YMM(), YMM()
	VMOVUPS(single(float32(math.Inf(-1))), first)
	VMOVUPS(single(float32(math.Inf(-1))), second)
	Label("loop")
	v, low := YMM(), YMM()
	VMOVUPS(single(float32(math.Inf(-1))), v)
	VMOVUPS(Mem{Base: x}, low)
	VMAXPS(v, low, v) // the first operand where either is a NaN
	VMINPS(first, v, low)
	VMAXPS(first, v, first)
	VMAXPS(second, low, second)
	ADDQ(Imm(32), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	for _, out := range []struct {
		name string
		v    VecVirtual
	}{{"best", first}, {"second", second}} {
		to := Load(Param(out.name), GP64())
		VMOVUPS(out.v, Mem{Base: to})
	}
	VZEROUPPER()
	RET()

	TEXT("find", NOSPLIT, "func(x *float32, v float32, eights int) (at int)")
	Doc("find returns the place of the first of eights·8 values, at least 8, that is v; one of them must be.")
	Pragma("noescape")
	x = Load(Param("x"), GP64())
	at := GP64()
	XORL(at.As32(), at.As32())
	want := YMM()
	VBROADCASTSS(NewParamAddr("v", 8), want)
	left := Load(Param("eights"), GP64())
	bits := GP32()
	Label("loop")
	same := YMM()
	VCMPPS(Imm(0), Mem{Base: x, Index: at, Scale: 4}, want, same)
	VMOVMSKPS(same, bits)
	TESTL(bits, bits)
	JNZ(LabelRef("found"))
	ADDQ(Imm(8), at)
	DECQ(left)
	JNZ(LabelRef("loop"))
	Label("found")
	BSFL(bits, bits)
	ADDQ(bits.As64(), at)
	Store(at, ReturnIndex(0))
	VZEROUPPER()
	RET()

	TEXT("shares", NOSPLIT, "func(x *float32, high float32, eights int) (sum, weighted float64)")
	Doc("shares returns Σ exp(x - high) and Σ exp(x - high)·(x - high) of eights·8 values, at least 8, in",
		"four sums of every fourth.")
	Pragma("noescape")
	x, n = Load(Param("x"), GP64()), Load(Param("eights"), GP64())
	high = YMM()
	VBROADCASTSS(NewParamAddr("high", 8), high)
	sums := zeroed(2)
	Label("loop")
	z, e := YMM(), YMM()
	VMOVUPS(Mem{Base: x}, z)
	VSUBPS(high, z, z)
	VMOVAPS(z, e)
	exp(e)
	for i := range 2 {
		// exp(-∞)·∞ is no number, where the share is none at all.
		half, share := YMM(), YMM()
		if i == 0 {
			VCVTPS2PD(e.AsX(), share)
			VCVTPS2PD(z.AsX(), half)
		} else {
			top := XMM()
			VEXTRACTF128(Imm(1), e, top)
			VCVTPS2PD(top, share)
			top = XMM()
			VEXTRACTF128(Imm(1), z, top)
			VCVTPS2PD(top, half)
		}
		VADDPD(share, sums[0], sums[0])
		zero := YMM()
		VXORPD(zero, zero, zero)
		VCMPPD(Imm(0), zero, share, zero) // where the share is zero
		VANDNPD(half, zero, half)
		VFMADD231PD(half, share, sums[1])
	}
	ADDQ(Imm(32), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	for i, s := range sums {
		lo, hi := s.AsX(), XMM()
		VEXTRACTF128(Imm(1), s, hi)
		VADDPD(hi, lo, lo)
		VPERMILPD(Imm(1), lo, hi)
		VADDSD(hi, lo, lo)
		VMOVSD(lo, result(i))
	}
	VZEROUPPER()
	RET()

	TEXT("squares", NOSPLIT, "func(x *float32, eights int, sums *float64)")
	Doc("squares writes eight sums of squares, of the values with the same remainder by 8, to sums.")
	Pragma("noescape")
	x, n = Load(Param("x"), GP64()), Load(Param("eights"), GP64())
	sums = zeroed(2)
	Label("loop")
	for i := range 2 {
		v := YMM()
		VCVTPS2PD(Mem{Base: x, Disp: 16 * i}, v)
		VFMADD231PD(v, v, sums[i])
	}
	ADDQ(Imm(32), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	to := Load(Param("sums"), GP64())
	for i, s := range sums {
		VMOVUPD(s, Mem{Base: to, Disp: 32 * i})
	}
	VZEROUPPER()
	RET()

	TEXT("norms", NOSPLIT, "func(dst, x, weight *float32, scale float32, eights int)")
	Doc("norms writes x·scale·weight of eights·8 values, at least 8.")
	Pragma("noescape")
	dst, x = Load(Param("dst"), GP64()), Load(Param("x"), GP64())
	weight, n := Load(Param("weight"), GP64()), Load(Param("eights"), GP64())
	scale := YMM()
	VBROADCASTSS(NewParamAddr("scale", 24), scale)
	loop(n, func() {
		v := YMM()
		VMULPS(Mem{Base: x}, scale, v)
		VMULPS(Mem{Base: weight}, v, v)
		VMOVUPS(v, Mem{Base: dst})
		for _, p := range []Register{dst, x, weight} {
			ADDQ(Imm(32), p)
		}
	})

	TEXT("divides", NOSPLIT, "func(x *float32, by float32, eights int)")
	Doc("divides divides eights·8 values, at least 8.")
	Pragma("noescape")
	x, n = Load(Param("x"), GP64()), Load(Param("eights"), GP64())
	by := YMM()
	VBROADCASTSS(NewParamAddr("by", 8), by)
	loop(n, func() {
		v := YMM()
		VMOVUPS(Mem{Base: x}, v)
		VDIVPS(by, v, v)
		VMOVUPS(v, Mem{Base: x})
		ADDQ(Imm(32), x)
	})

	TEXT("adds", NOSPLIT, "func(dst, x *float32, scale float32, eights int)")
	Doc("adds adds scale·x to dst, rounding twice, for eights·8 values, at least 8.")
	Pragma("noescape")
	dst, x, n = Load(Param("dst"), GP64()), Load(Param("x"), GP64()), Load(Param("eights"), GP64())
	scale = YMM()
	VBROADCASTSS(NewParamAddr("scale", 16), scale)
	loop(n, func() {
		v := YMM()
		VMULPS(Mem{Base: x}, scale, v)
		VADDPS(Mem{Base: dst}, v, v)
		VMOVUPS(v, Mem{Base: dst})
		ADDQ(Imm(32), dst)
		ADDQ(Imm(32), x)
	})
}

func pause() {
	TEXT("pause", NOSPLIT, "func()")
	Doc("pause waits for some tens of nanoseconds and leaves the core to its other thread meanwhile.")
	PAUSE()
	RET()
}

// result returns the memory of a result: Store would use an instruction without
// VEX prefix.
func result(i int) Mem {
	b, err := ReturnIndex(i).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}
