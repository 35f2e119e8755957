package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// What the stack holds: factors and offsets of up to eight blocks of 32 weights,
// and the scales of all.
func (t *tiler) factor(j int) Mem { return t.local.Offset(32 * j) }
func (t *tiler) offset(j int) Mem { return t.local.Offset(256 + 32*j) }
func (t *tiler) scale() Mem       { return t.local.Offset(512) }

// q4K: after 32 bytes of scales and 96 of 6-bit scales and mins, 64 weights have 32
// bytes a row, the first 32 weights in the low nibbles.
func (t *tiler) q4K() { t.pairs(32+96, 0, 8) }

// q5K: as Q4_K, with the fifth bits before the nibbles.
func (t *tiler) q5K() { t.pairs(32+96+256, 32+96, 4) }

// pairs multiplies the 256 weights of Q4_K and Q5_K, 64 at a time.
func (t *tiler) pairs(disp, fifths, flush int) {
	t.scalesAndMins()
	q, pair := GP64(), GP64()
	LEAQ(Mem{Base: t.w, Disp: disp + 128}, q) // offsets of one byte make shorter instructions
	XORL(pair.As32(), pair.As32())
	Label("pair")
	for i := range 2 {
		m := &multiplier{tiler: t, flush: flush, x: i * xBytes}
		for g := range 8 {
			codes := t.nibbles(Mem{Base: q, Disp: 32*g - 128}, i)
			if fifths > 0 {
				t.orFifth(codes, Mem{Base: t.w, Index: pair, Scale: 1, Disp: fifths + 32*i}, g)
			}
			m.multiply(codes, g, t.factor(i).Idx(pair, 1))
		}
		t.addScaled(t.scale(), i*xBytes)
		t.addOffset(t.offset(i).Idx(pair, 1), i*xBytes)
	}
	ADDQ(U32(256), q)
	t.advance(2)
	ADDQ(Imm(64), pair)
	CMPQ(pair, U32(256))
	JNE(LabelRef("pair"))
}

// scalesAndMins unpacks the scales and mins of Q4_K and Q5_K. Each row has three
// dwords of them from byte 32 on. factor(j) becomes scale j, twice in 16 bits, and
// offset(j) becomes -dmin times min j.
func (t *tiler) scalesAndMins() {
	VMOVUPS(t.scales(0), t.scale())
	dmin := t.scales(16)
	VXORPS(whole(dwords(1<<31)), dmin, dmin)
	var dword [3]VecVirtual
	for i := range dword {
		dword[i] = YMM()
		VMOVDQU(Mem{Base: t.w, Disp: 32 + 32*i}, dword[i])
	}
	for half := range 2 {
		// The first four are six bits of the first two dwords. Of the others, the
		// third has the low four bits, and those two the upper ones.
		s, m := YMM(), YMM()
		if half == 0 {
			VPAND(whole(bytes(63)), dword[0], s)
			VPAND(whole(bytes(63)), dword[1], m)
		} else {
			VPSRLW(Imm(4), dword[2], m)
			VPAND(whole(bytes(15)), dword[2], s)
			VPAND(whole(bytes(15)), m, m)
			for i, v := range []VecVirtual{s, m} {
				VPSRLW(Imm(2), dword[i], dword[i])
				VPAND(whole(bytes(0x30)), dword[i], dword[i])
				VPOR(dword[i], v, v)
			}
		}
		for i := range 4 {
			v := YMM()
			VPSHUFB(pick(i, none, i, none), s, v)
			VMOVDQU(v, t.factor(4*half+i))
			v = YMM()
			VPSHUFB(pick(i, none, none, none), m, v)
			VCVTDQ2PS(v, v)
			VMULPS(dmin, v, v)
			VMOVUPS(v, t.offset(4*half+i))
		}
	}
}

// q6K: after 16 bytes of scales, 128 weights have 64 bytes of nibbles a row and 32
// bytes of upper bits: the first 64 weights are low nibbles, and the 32 weights g
// have bits 2·g of the upper ones. Then there are 16 bytes of factors a row, each of
// 16 weights.
func (t *tiler) q6K() {
	VMOVUPS(t.scales(0), t.scale())
	const low, high, factors = 16, 16 + 8*128, 16 + 8*(128+64)
	q, h, f := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: t.w, Disp: low + 256}, q)
	LEAQ(Mem{Base: t.w, Disp: high + 128}, h)
	LEAQ(Mem{Base: t.w, Disp: factors}, f)
	Label("half")
	t.factors(f)
	for g := range 4 {
		x := g * xBytes
		m := &multiplier{tiler: t, flush: 2, x: x}
		for k := range 8 {
			codes := t.nibbles(Mem{Base: q, Disp: 256*(g%2) + 32*k - 256}, g/2)
			upper := YMM()
			VMOVDQU(Mem{Base: h, Disp: 32*k - 128}, upper)
			shift(upper, 4-2*g)
			VPAND(whole(bytes(0x30)), upper, upper)
			VPOR(upper, codes, codes)
			m.multiply(codes, k, t.factor(2*g+k/4))
		}
		for r, s := range t.sum {
			// The codes count from -32.
			b := YMM()
			VPBROADCASTD(t.operand(r, x+xHalves), b)
			VPMADDWD(t.offset(g), b, b)
			VPSUBD(b, s, s)
		}
		t.addScaled(t.scale(), x)
	}
	ADDQ(U32(512), q)
	ADDQ(U32(256), h)
	ADDQ(Imm(64), f)
	t.advance(4)
	end := GP64()
	LEAQ(Mem{Base: t.w, Disp: factors + 128}, end)
	CMPQ(f, end)
	JNE(LabelRef("half"))
}

// factors unpacks the eight factors of 128 weights at f. factor(j) becomes factor
// j, twice in 16 bits, and offset(g) becomes 32 times the factors of the two halves
// of 32 weights, to be multiplied with the sums of their activations.
func (t *tiler) factors(f GPVirtual) {
	for i := range 2 {
		s := YMM()
		VMOVDQU(Mem{Base: f, Disp: 32 * i}, s)
		for k := range 4 {
			v := YMM()
			VPSHUFB(pick(none, k, none, k), s, v)
			VPSRAW(Imm(8), v, v)
			VMOVDQU(v, t.factor(4*i+k))
		}
		for k := range 2 {
			v := YMM()
			VPSHUFB(pick(none, 2*k, none, 2*k+1), s, v)
			VPSRAW(Imm(3), v, v)
			VMOVDQU(v, t.offset(2*i+k))
		}
	}
}
