package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Within blocks of 256 weights, sums have factors. They are multiplied as float32,
// which is exact: all are whole numbers below 2^24. To every product a zero is
// added, since a whole number has no negative zero.

// q4K: after two half floats and three dwords of 6-bit scales and mins, 64 weights
// have 32 bytes a row, the first 32 weights in the low nibbles.
func (t *tilerVNNI) q4K() { t.pairs(144, 2*halfVNNI+3*dwordVNNI, noFifths) }

// q5K: as Q4_K, with the fifth bits before the nibbles.
func (t *tilerVNNI) q5K() {
	t.pairs(176, 2*halfVNNI+(3+8)*dwordVNNI, 2*halfVNNI+3*dwordVNNI)
}

// pairs multiplies the 256 weights of Q4_K and Q5_K, 128 at a time.
func (t *tilerVNNI) pairs(size, disp, fifths int) {
	later := AllocLocal(4 * 64) // scales and mins of the second half
	s, m := t.scalesAndMins(later)

	q, f, halves, at := GP64(), GP64(), GP64(), GP64()
	LEAQ(Mem{Base: t.w, Disp: disp}, q)
	if fifths != noFifths {
		LEAQ(Mem{Base: t.w, Disp: fifths}, f)
	}
	MOVQ(t.w, at)
	MOVL(U32(2), halves.As32())
	Label("half")
	for i := range 4 {
		prefetch(at, i*rowsVNNI*size/8, (i+1)*rowsVNNI*size/8)
		x := i * xBytes
		var h pair
		if fifths != noFifths {
			h = dwordOf(f, dwordVNNI*i)
		}
		t.clear(t.sum)
		for g := range 8 {
			codes := dwordOf(q, dwordVNNI*(8*(i/2)+g))
			for side, codes := range codes {
				if i%2 > 0 {
					VPSRLD(Imm(4), codes, codes)
				}
				VPANDD(t.constant[bytes(15)], codes, codes)
				if fifths != noFifths {
					t.orBits(codes, h[side], 4-g, bytes(16))
				}
			}
			t.multiply(codes, x+4*g)
		}
		factor := byteOf(s, i, VPSRLD)
		for _, s := range t.sum {
			t.convert(s, factor, pair{t.constant[0], t.constant[0]})
		}
		d := t.scales(0)
		for r, s := range t.sum {
			t.addProduct(r, s, d, x)
		}
		offset, dmin := byteOf(m, i, VPSRLD), t.scales(halfVNNI)
		for side := range offset {
			VPXORD_BCST(whole(dwords(1<<31)), dmin[side], dmin[side])
			VMULPS(dmin[side], offset[side], offset[side])
		}
		t.addOffset(offset, x)
	}
	for side := range s {
		VMOVDQU32(later.Offset(64*side), s[side])
		VMOVDQU32(later.Offset(64*(2+side)), m[side])
	}
	ADDQ(U32(uint32(rowsVNNI*size/2)), at)
	ADDQ(U32(16*dwordVNNI), q)
	if fifths != noFifths {
		ADDQ(U32(4*dwordVNNI), f)
	}
	t.advance(4)
	DECQ(halves)
	JNZ(LabelRef("half"))
}

// convert makes sums float32, multiplies them with their factors and adds others.
func (t *tilerVNNI) convert(s, factor, plus pair) {
	for side, s := range s {
		VCVTDQ2PS(s, s)
		VFMADD213PS(plus[side], factor[side], s)
	}
}

// scalesAndMins unpacks the scales and mins of Q4_K and Q5_K. Each row has three
// dwords of them after two half floats. Byte j of s and m becomes scale and min j, and
// later gets those of 4+j.
func (t *tilerVNNI) scalesAndMins(later Mem) (s, m pair) {
	s, m = newPair(), newPair()
	for side := range s {
		var dword [3]VecVirtual
		for i := range dword {
			dword[i] = ZMM()
			VMOVDQU32(Mem{Base: t.w, Disp: 2*halfVNNI + dwordVNNI*i + 64*side}, dword[i])
		}
		// The first four are six bits of the first two dwords. Of the others, the
		// third has the low four bits, and those two the upper ones.
		VPANDD_BCST(whole(bytes(63)), dword[0], s[side])
		VPANDD_BCST(whole(bytes(63)), dword[1], m[side])
		high := ZMM()
		VPSRLD(Imm(4), dword[2], high)
		for i, v := range []VecVirtual{dword[2], high} {
			VPANDD(t.constant[bytes(15)], v, v)
			VPSRLD(Imm(2), dword[i], dword[i])
			VPTERNLOGD_BCST(Imm(0xf8), whole(bytes(0x30)), dword[i], v) // v | dword&0x30
			VMOVDQU32(v, later.Offset(64*(2*i+side)))
		}
	}
	return s, m
}

// byteOf returns byte i of the dwords of v as float32. right shifts to the right, with
// the sign or without.
func byteOf(v pair, i int, right func(...Op)) pair {
	p := newPair()
	for side, f := range p {
		v := v[side]
		if i < 3 {
			VPSLLD(Imm(uint64(24-8*i)), v, f)
			v = f
		}
		right(Imm(24), v, f)
		VCVTDQ2PS(f, f)
	}
	return p
}

// What the two sums of 16 activations are multiplied with where codes count from
// -32, in 16 bits each: sums of the first and of the last 16 weights begin there.
const (
	firstHalf = 0x0000ffe0_0000ffe0
	lastHalf  = 0xffe00000_ffe00000
)

// q6K: after a half float, 128 weights have 64 bytes of nibbles a row and 32 bytes of
// upper bits: the first 64 weights are low nibbles, and the 32 weights g have bits
// 2·g of the upper ones. Then there are 16 bytes of factors a row, each of 16 weights.
func (t *tilerVNNI) q6K() {
	const low, high, factors = halfVNNI, halfVNNI + 32*dwordVNNI, halfVNNI + (32+16)*dwordVNNI
	q, h, f, halves, at := GP64(), GP64(), GP64(), GP64(), GP64()
	LEAQ(Mem{Base: t.w, Disp: low}, q)
	LEAQ(Mem{Base: t.w, Disp: high}, h)
	LEAQ(Mem{Base: t.w, Disp: factors}, f)
	MOVQ(t.w, at)
	MOVL(U32(2), halves.As32())
	Label("half")
	for g := range 4 {
		prefetch(at, g*rowsVNNI*210/8, (g+1)*rowsVNNI*210/8)
		x := g * xBytes
		before := make([]pair, len(t.sum)) // the products of the first 16 weights
		for r := range before {
			before[r] = pair{t.constant[0], t.constant[0]}
		}
		for part, start := range []uint64{firstHalf, lastHalf} {
			t.clear(t.sum)
			c := ZMM()
			VPBROADCASTD(whole(start), c)
			for r, s := range t.sum {
				VPDPWSSD_BCST(t.operand(r, x+xHalves), c, s[0])
				VMOVDQA32(s[0], s[1])
			}
			for k := 4 * part; k < 4*part+4; k++ {
				codes := dwordOf(q, dwordVNNI*(8*(g%2)+k))
				for side, codes := range codes {
					upper := ZMM()
					VMOVDQU32(Mem{Base: h, Disp: dwordVNNI*k + 64*side}, upper)
					if g >= 2 {
						VPSRLD(Imm(4), codes, codes)
					}
					VPANDD(t.constant[bytes(15)], codes, codes)
					t.orBits(codes, upper, 4-2*g, bytes(0x30))
				}
				t.multiply(codes, x+4*k)
			}
			factor := byteOf(dwordOf(f, dwordVNNI*(g/2)), 2*(g%2)+part, VPSRAD)
			for r, s := range t.sum {
				t.convert(s, factor, before[r])
				if part == 0 {
					before[r], t.sum[r] = s, newPair()
				}
			}
		}
		d := t.scales(0)
		for r, s := range t.sum {
			t.addProduct(r, s, d, x)
		}
	}
	ADDQ(U32(rowsVNNI*210/2), at)
	ADDQ(U32(16*dwordVNNI), q)
	ADDQ(U32(8*dwordVNNI), h)
	ADDQ(U32(2*dwordVNNI), f)
	t.advance(4)
	DECQ(halves)
	JNZ(LabelRef("half"))
}
