package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Products with AVX-512 VNNI. One instruction multiplies the codes of four weights,
// which must be unsigned, with those of four activations and adds the four products
// to 32 bits; it repeats the activations in all lanes by itself. Codes that are
// signed in their format count from above zero here, and what that is off by is
// where sums begin.
//
// A register has two tiles of eight rows, one in each half. The last of an odd
// number of tiles is multiplied with itself as its neighbour.

// A formatVNNI is how packed weights become codes and scales.
type formatVNNI struct {
	name      string
	size      int      // bytes of a block of eight rows
	constants []uint64 // dwords, twice each
	emit      func(*tilerVNNI)
}

var formatsVNNI = []formatVNNI{
	{"Q4_0", 8 * 18, []uint64{bytes(15)}, func(t *tilerVNNI) {
		t.begin(xBias, 0)
		t.sumNibbles(16, noFifths, nil)
		t.addScaled(t.scales(0), 0)
	}},
	{"Q4_1", 8 * 20, []uint64{bytes(15)}, func(t *tilerVNNI) {
		t.clear(t.sum)
		t.sumNibbles(32, noFifths, nil)
		t.addScaled(t.scales(0), 0)
		t.addOffset(t.scales(16), 0)
	}},
	{"Q5_0", 8 * 22, []uint64{bytes(15), bytes(16)}, func(t *tilerVNNI) {
		t.begin(xBias, 1)
		t.sumNibbles(48, 16, nil)
		t.addScaled(t.scales(0), 0)
	}},
	{"Q5_1", 8 * 24, []uint64{bytes(15), bytes(16)}, func(t *tilerVNNI) {
		t.clear(t.sum)
		t.sumNibbles(64, 32, nil)
		t.addScaled(t.scales(0), 0)
		t.addOffset(t.scales(16), 0)
	}},
	{"Q8_0", 8 * 34, []uint64{bytes(128)}, func(t *tilerVNNI) {
		t.begin(xBias, 4)
		t.sumBytes(16)
		t.addScaled(t.scales(0), 0)
	}},
	{"IQ4_NL", 8 * 18, []uint64{bytes(15)}, func(t *tilerVNNI) {
		t.begin(xBias, 4)
		t.sumNibbles(16, noFifths, t.table)
		t.addScaled(t.scales(0), 0)
	}},
	{"Q4_K", 8 * 144, []uint64{0, bytes(15)}, (*tilerVNNI).q4K},
	{"Q5_K", 8 * 176, []uint64{0, bytes(15), bytes(16)}, (*tilerVNNI).q5K},
	{"Q6_K", 8 * 210, []uint64{0, bytes(15), bytes(0x30), firstHalf, lastHalf}, (*tilerVNNI).q6K},
}

func tilesVNNI() {
	for _, f := range formatsVNNI {
		for rows := 1; rows <= 4; rows++ {
			tileVNNI(f, rows)
		}
	}
}

// A tilerVNNI emits the function that multiplies pairs of tiles with up to four
// rows of activations.
type tilerVNNI struct {
	w     GPVirtual    // the block of weights of the first tile
	next  GPVirtual    // how far behind is that of the second
	ahead GPVirtual    // the same block of the next two tiles
	x     []GPVirtual  // the blocks of activations
	sum   []VecVirtual // of the block: a whole number for each of sixteen rows
	acc   []VecVirtual // of the row

	constant map[uint64]VecVirtual
	table    VecVirtual // of IQ4_NL: its values, counted from -128
}

func tileVNNI(f formatVNNI, rows int) {
	name := fmt.Sprintf("tile%sx%dVNNI", f.name, rows)
	TEXT(name, NOSPLIT, "func(dst *float32, stride int, w *byte, x0, x1, x2, x3 *int8, blocks, tiles int)")
	Doc(fmt.Sprintf("%s is the tileFunc of %s for %d.", name, f.name, rows))
	Pragma("noescape")
	t := &tilerVNNI{w: GP64(), next: GP64(), ahead: GP64(), constant: map[uint64]VecVirtual{}}
	dst := Load(Param("dst"), GP64())
	Load(Param("w"), t.w)
	for range rows {
		t.x, t.sum, t.acc = append(t.x, GP64()), append(t.sum, ZMM()), append(t.acc, ZMM())
	}
	tiles, blocks := Load(Param("tiles"), GP64()), GP64()
	for _, v := range f.constants {
		c := ZMM()
		VPBROADCASTD(whole(v), c)
		t.constant[v] = c
	}
	if f.name == "IQ4_NL" {
		t.table = lookupsVNNI()
	}

	Label("tiles")
	t.clear(t.acc)
	for r, x := range t.x {
		Load(Param(fmt.Sprintf("x%d", r)), x)
	}
	Load(Param("blocks"), blocks)
	IMUL3Q(U32(uint32(f.size)), blocks, t.next)
	CMPQ(tiles, Imm(1))
	JNE(LabelRef("block"))
	XORL(t.next.As32(), t.next.As32())

	Label("block")
	LEAQ(Mem{Base: t.w, Index: t.next, Scale: 2}, t.ahead)
	if f.size < superblock {
		t.prefetch(0, (f.size+32)/64)
	}
	f.emit(t)
	ADDQ(U32(uint32(f.size)), t.w)
	if f.size < superblock {
		t.advance(1)
	}
	DECQ(blocks)
	JNZ(LabelRef("block"))

	TESTQ(t.next, t.next)
	JZ(LabelRef("one"))
	t.store(dst, func(a VecVirtual, to Mem) { VMOVUPS(a, to) })
	ADDQ(Imm(64), dst)
	ADDQ(t.next, t.w)
	SUBQ(Imm(2), tiles)
	JNZ(LabelRef("tiles"))
	VZEROUPPER()
	RET()

	Label("one")
	t.store(dst, func(a VecVirtual, to Mem) { VMOVUPS(a.AsY(), to) })
	VZEROUPPER()
	RET()
}

// store stores the sums of all rows with move.
func (t *tilerVNNI) store(dst Register, move func(a VecVirtual, to Mem)) {
	to, stride := GP64(), Load(Param("stride"), GP64())
	MOVQ(dst, to)
	for r, a := range t.acc {
		if r > 0 {
			ADDQ(stride, to)
		}
		move(a, Mem{Base: to})
	}
}

// operand returns what is at disp in the current block of row r of activations.
func (t *tilerVNNI) operand(r, disp int) Mem { return Mem{Base: t.x[r], Disp: disp} }

// advance moves on by blocks of activations.
func (t *tilerVNNI) advance(blocks int) {
	for _, x := range t.x {
		ADDQ(U32(uint32(blocks*xBytes)), x)
	}
}

// clear makes registers zeros.
func (t *tilerVNNI) clear(v []VecVirtual) {
	for _, v := range v {
		VXORPS(v, v, v)
	}
}

// prefetch asks for 64 bytes each, from i to j, of the next two tiles. They are too
// far away for the first level of cache.
func (t *tilerVNNI) prefetch(i, j int) {
	for ; i < j; i++ {
		PREFETCHT1(Mem{Base: t.ahead, Disp: 64 * i})
		PREFETCHT1(Mem{Base: t.ahead, Index: t.next, Scale: 1, Disp: 64 * i})
	}
}

// load returns the 32 bytes at disp behind base in both tiles.
func (t *tilerVNNI) load(base GPVirtual, disp int) VecVirtual {
	v := ZMM()
	VBROADCASTI64X4(Mem{Base: base, Disp: disp}, v)
	VINSERTI64X4(Imm(1), Mem{Base: base, Index: t.next, Scale: 1, Disp: disp}, v, v)
	return v
}

// scales returns the eight half floats at disp in the blocks of both tiles.
func (t *tilerVNNI) scales(disp int) VecVirtual {
	h, d := YMM(), ZMM()
	VBROADCASTI32X4(Mem{Base: t.w, Disp: disp}, h)
	VINSERTI32X4(Imm(1), Mem{Base: t.w, Index: t.next, Scale: 1, Disp: disp}, h, h)
	VCVTPH2PS(h, d)
	return d
}

// begin starts sums with the number at x in the blocks of activations, doubled that
// many times.
func (t *tilerVNNI) begin(x, doubled int) {
	for r, s := range t.sum {
		VPBROADCASTD(t.operand(r, x), s)
		if doubled > 0 {
			VPSLLD(Imm(uint64(doubled)), s, s)
		}
	}
}

// multiply multiplies the codes q, of four weights of each row, with the codes at x
// of all rows of activations.
func (t *tilerVNNI) multiply(q VecVirtual, x int) {
	for r, s := range t.sum {
		VPDPBUSD_BCST(t.operand(r, x), q, s)
	}
}

// noFifths is where codes of 4 bits have their fifth bits.
const noFifths = 0

// sumNibbles sums up 32 weights with codes of 4 bits from disp on, weight k in the
// low and weight k+16 in the high half of byte k; with fifth bits, or as places in
// a table, unless these are none.
func (t *tilerVNNI) sumNibbles(disp, fifths int, table VecVirtual) {
	var h VecVirtual
	if fifths != noFifths {
		h = t.load(t.w, fifths)
	}
	for g := range 4 {
		lo := t.load(t.w, disp+32*g)
		hi := ZMM()
		VPSRLD(Imm(4), lo, hi)
		for i, q := range []VecVirtual{lo, hi} {
			g := g + 4*i
			VPANDD(t.constant[bytes(15)], q, q)
			if h != nil {
				t.orBits(q, h, 4-g, bytes(16))
			}
			if table != nil {
				VPSHUFB(q, table, q)
			}
			t.multiply(q, 4*g)
		}
	}
}

// orBits sets those bits of the codes q that v, its dwords shifted to the left by n,
// has and a constant too.
func (t *tilerVNNI) orBits(q, v VecVirtual, n int, constant uint64) {
	shifted := ZMM()
	switch {
	case n > 0:
		VPSLLD(Imm(uint64(n)), v, shifted)
	case n < 0:
		VPSRLD(Imm(uint64(-n)), v, shifted)
	default:
		shifted = v
	}
	VPTERNLOGD(Imm(0xf8), t.constant[constant], shifted, q) // q | shifted&constant
}

// sumBytes sums up 32 weights of 8 bits from disp on.
func (t *tilerVNNI) sumBytes(disp int) {
	for g := range 8 {
		q := t.load(t.w, disp+32*g)
		VPXORD(t.constant[bytes(128)], q, q)
		t.multiply(q, 4*g)
	}
}

// lookupsVNNI returns valuesIQ4NL, counted from -128.
func lookupsVNNI() VecVirtual {
	var half [2]uint64
	for i, v := range valuesIQ4NL {
		half[i/8] |= uint64(uint8(v)^128) << (i % 8 * 8)
	}
	table := ZMM()
	VBROADCASTI32X4(vector(half[0], half[1]), table)
	return table
}

// addScaled adds the sums, times the scales of weights and activations, to those
// of the rows. x is where the block of activations is.
func (t *tilerVNNI) addScaled(scales VecVirtual, x int) {
	for r, s := range t.sum {
		VCVTDQ2PS(s, s)
		t.addProduct(r, s, scales, x)
	}
}

// addProduct adds s, times the scales of weights and activations, to the sums of row r.
func (t *tilerVNNI) addProduct(r int, s, scales VecVirtual, x int) {
	d := ZMM()
	VMULPS_BCST(t.operand(r, x+xScale), scales, d)
	VFMADD231PS(d, s, t.acc[r])
}

// addOffset adds the offsets of weights times the sums of activations.
func (t *tilerVNNI) addOffset(offsets VecVirtual, x int) {
	for r, a := range t.acc {
		VFMADD231PS_BCST(t.operand(r, x+xSum), offsets, a)
	}
}
