package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Within blocks of 256 weights, sums have factors. They are multiplied as float32,
// which is exact: all are whole numbers below 2^24. To every product a zero is
// added, since a whole number has no negative zero.

// q4K: after 32 bytes of scales and 96 of 6-bit scales and mins, 64 weights have 32
// bytes a row, the first 32 weights in the low nibbles.
func (t *tilerVNNI) q4K() { t.pairs(8*144, 32+96, noFifths) }

// q5K: as Q4_K, with the fifth bits before the nibbles.
func (t *tilerVNNI) q5K() { t.pairs(8*176, 32+96+256, 32+96) }

// pairs multiplies the 256 weights of Q4_K and Q5_K, 128 at a time.
func (t *tilerVNNI) pairs(size, disp, fifths int) {
	d := t.scales(0)
	dmin := t.scales(16)
	VPXORD_BCST(whole(dwords(1<<31)), dmin, dmin)
	s, m := t.scalesAndMins()

	q, f, halves := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: t.w, Disp: disp}, q)
	if fifths != noFifths {
		LEAQ(Mem{Base: t.w, Disp: fifths}, f)
	}
	MOVL(U32(2), halves.As32())
	Label("half")
	var raw [8]VecVirtual
	for i := range 4 {
		t.prefetchQuarter(i, size/2)
		x := i * xBytes
		var h VecVirtual
		if fifths != noFifths {
			h = t.load(f, 32*i)
		}
		t.clear(t.sum)
		for g := range raw {
			codes := ZMM()
			if i%2 == 0 {
				raw[g] = t.load(q, 256*(i/2)+32*g)
				VPANDD(t.constant[bytes(15)], raw[g], codes)
			} else {
				VPSRLD(Imm(4), raw[g], codes)
				VPANDD(t.constant[bytes(15)], codes, codes)
			}
			if h != nil {
				t.orBits(codes, h, 4-g, bytes(16))
			}
			t.multiply(codes, x+4*g)
		}
		factor := byteOf(s[0], i, VPSRLD)
		for r, s := range t.sum {
			VCVTDQ2PS(s, s)
			VFMADD213PS(t.constant[0], factor, s)
			t.addProduct(r, s, d, x)
		}
		offset := byteOf(m[0], i, VPSRLD)
		VMULPS(dmin, offset, offset)
		t.addOffset(offset, x)
	}
	VMOVDQA32(s[1], s[0])
	VMOVDQA32(m[1], m[0])
	ADDQ(U32(512), q)
	if fifths != noFifths {
		ADDQ(U32(128), f)
	}
	ADDQ(U32(uint32(size/2)), t.ahead)
	t.advance(4)
	DECQ(halves)
	JNZ(LabelRef("half"))
}

// prefetchQuarter prefetches quarter i of so many bytes.
func (t *tilerVNNI) prefetchQuarter(i, bytes int) {
	n := (bytes + 63) / 64
	t.prefetch(i*n/4, (i+1)*n/4)
}

// scalesAndMins unpacks the scales and mins of Q4_K and Q5_K. Each row has three
// dwords of them from byte 32 on. Byte j of s[h] and m[h] becomes scale and min
// 4·h+j.
func (t *tilerVNNI) scalesAndMins() (s, m [2]VecVirtual) {
	var dword [3]VecVirtual
	for i := range dword {
		dword[i] = t.load(t.w, 32+32*i)
	}
	for _, v := range []*[2]VecVirtual{&s, &m} {
		v[0], v[1] = ZMM(), ZMM()
	}
	// The first four are six bits of the first two dwords. Of the others, the
	// third has the low four bits, and those two the upper ones.
	VPANDD_BCST(whole(bytes(63)), dword[0], s[0])
	VPANDD_BCST(whole(bytes(63)), dword[1], m[0])
	VPANDD(t.constant[bytes(15)], dword[2], s[1])
	VPSRLD(Imm(4), dword[2], m[1])
	VPANDD(t.constant[bytes(15)], m[1], m[1])
	for i, v := range []VecVirtual{s[1], m[1]} {
		VPSRLD(Imm(2), dword[i], dword[i])
		VPTERNLOGD_BCST(Imm(0xf8), whole(bytes(0x30)), dword[i], v) // v | dword&0x30
	}
	return s, m
}

// byteOf returns byte i of the dwords of v as float32. right shifts to the right, with
// the sign or without.
func byteOf(v VecVirtual, i int, right func(...Op)) VecVirtual {
	f := ZMM()
	if i < 3 {
		VPSLLD(Imm(uint64(24-8*i)), v, f)
		v = f
	}
	right(Imm(24), v, f)
	VCVTDQ2PS(f, f)
	return f
}

// What the two sums of 16 activations are multiplied with where codes count from
// -32, in 16 bits each: sums of the first and of the last 16 weights begin there.
const (
	firstHalf = 0x0000ffe0_0000ffe0
	lastHalf  = 0xffe00000_ffe00000
)

// q6K: after 16 bytes of scales, 128 weights have 64 bytes of nibbles a row and 32
// bytes of upper bits: the first 64 weights are low nibbles, and the 32 weights g
// have bits 2·g of the upper ones. Then there are 16 bytes of factors a row, each of
// 16 weights.
func (t *tilerVNNI) q6K() {
	d := t.scales(0)
	const low, high, factors = 16, 16 + 8*128, 16 + 8*(128+64)
	q, h, f, halves := GP64(), GP64(), GP64(), GP64()
	LEAQ(Mem{Base: t.w, Disp: low}, q)
	LEAQ(Mem{Base: t.w, Disp: high}, h)
	LEAQ(Mem{Base: t.w, Disp: factors}, f)
	MOVL(U32(2), halves.As32())
	Label("half")
	var upper [8]VecVirtual
	for k := range upper {
		upper[k] = t.load(h, 32*k)
	}
	for g := range 4 {
		t.prefetchQuarter(g, 8*210/2)
		x := g * xBytes
		before := make([]VecVirtual, len(t.sum)) // the products of the first 16 weights
		for r := range before {
			before[r] = t.constant[0]
		}
		for part, start := range []uint64{firstHalf, lastHalf} {
			t.clear(t.sum)
			for r, s := range t.sum {
				VPDPWSSD_BCST(t.operand(r, x+xHalves), t.constant[start], s)
			}
			for k := 4 * part; k < 4*part+4; k++ {
				codes := t.load(q, 256*(g%2)+32*k)
				if g >= 2 {
					VPSRLD(Imm(4), codes, codes)
				}
				VPANDD(t.constant[bytes(15)], codes, codes)
				t.orBits(codes, upper[k], 4-2*g, bytes(0x30))
				t.multiply(codes, x+4*k)
			}
			factor := byteOf(t.load(f, g/2*32), 2*(g%2)+part, VPSRAD)
			for r, s := range t.sum {
				VCVTDQ2PS(s, s)
				VFMADD213PS(before[r], factor, s)
				if part == 0 {
					before[r], t.sum[r] = s, ZMM()
				} else {
					t.addProduct(r, s, d, x)
				}
			}
		}
	}
	ADDQ(U32(512), q)
	ADDQ(U32(256), h)
	ADDQ(Imm(64), f)
	ADDQ(U32(8*210/2), t.ahead)
	t.advance(4)
	DECQ(halves)
	JNZ(LabelRef("half"))
}
