package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Products with AVX-512 VNNI. One instruction multiplies the codes of four weights,
// which must be unsigned, with those of four activations and adds the four products
// to 32 bits. Codes that are signed in their format count from above zero here, and
// what that is off by is where sums begin.
//
// A tile has 32 rows, two registers of them. Processors that do two such
// multiplications at a time do no more than two loads: so four activations, once they
// are in all lanes of a register, are multiplied with both.

// A formatVNNI is how packed weights become codes and scales.
type formatVNNI struct {
	name      string
	size      int      // bytes of a block of a row
	rows      int      // how many rows of activations there are registers for
	constants []uint64 // dwords, twice each
	emit      func(*tilerVNNI)
}

// What is packed of a block: half floats take halfVNNI bytes, and four bytes of the
// rest dwordVNNI.
const (
	rowsVNNI  = 32
	halfVNNI  = 2 * rowsVNNI
	dwordVNNI = 4 * rowsVNNI
)

var formatsVNNI = []formatVNNI{
	{"Q4_0", 18, 6, []uint64{bytes(15)}, func(t *tilerVNNI) {
		t.begin(xBias, 0)
		t.sumNibbles(halfVNNI, noFifths, nil)
		t.addScaled(t.scales(0), 0)
	}},
	{"Q4_1", 20, 6, []uint64{bytes(15)}, func(t *tilerVNNI) {
		t.clear(t.sum)
		t.sumNibbles(2*halfVNNI, noFifths, nil)
		t.addScaled(t.scales(0), 0)
		t.addOffset(t.scales(halfVNNI), 0)
	}},
	{"Q5_0", 22, 4, []uint64{bytes(15), bytes(16)}, func(t *tilerVNNI) {
		t.begin(xBias, 1)
		t.sumNibbles(halfVNNI+dwordVNNI, halfVNNI, nil)
		t.addScaled(t.scales(0), 0)
	}},
	{"Q5_1", 24, 4, []uint64{bytes(15), bytes(16)}, func(t *tilerVNNI) {
		t.clear(t.sum)
		t.sumNibbles(2*halfVNNI+dwordVNNI, 2*halfVNNI, nil)
		t.addScaled(t.scales(0), 0)
		t.addOffset(t.scales(halfVNNI), 0)
	}},
	{"Q8_0", 34, 6, []uint64{bytes(128)}, func(t *tilerVNNI) {
		t.begin(xBias, 4)
		t.sumBytes(halfVNNI)
		t.addScaled(t.scales(0), 0)
	}},
	{"IQ4_NL", 18, 6, []uint64{bytes(15)}, func(t *tilerVNNI) {
		t.begin(xBias, 4)
		t.sumNibbles(halfVNNI, noFifths, t.table)
		t.addScaled(t.scales(0), 0)
	}},
	{"Q4_K", 144, 4, []uint64{0, bytes(15)}, (*tilerVNNI).q4K},
	{"Q5_K", 176, 4, []uint64{0, bytes(15), bytes(16)}, (*tilerVNNI).q5K},
	{"Q6_K", 210, 4, []uint64{0, bytes(15), bytes(0x30)}, (*tilerVNNI).q6K},
}

func tilesVNNI() {
	for _, f := range formatsVNNI {
		for rows := 1; rows <= f.rows; rows++ {
			tileVNNI(f, rows)
		}
	}
}

// A pair is a register for each half of the rows of a tile.
type pair [2]VecVirtual

func newPair() pair { return pair{ZMM(), ZMM()} }

// A tilerVNNI emits the function that multiplies tiles with some rows of activations.
type tilerVNNI struct {
	w   GPVirtual   // the block of weights
	x   []GPVirtual // the blocks of activations
	sum []pair      // of the block: a whole number for each row
	acc []pair      // of the row

	constant map[uint64]VecVirtual
	table    VecVirtual // of IQ4_NL: its values, counted from -128
}

func tileVNNI(f formatVNNI, rows int) {
	name := fmt.Sprintf("tile%sx%dVNNI", f.name, rows)
	TEXT(name, NOSPLIT, "func(dst *float32, stride int, w *byte, x **int8, blocks, tiles int)")
	Doc(fmt.Sprintf("%s is the tileFunc of %s for %d.", name, f.name, rows))
	Pragma("noescape")
	t := &tilerVNNI{w: GP64(), constant: map[uint64]VecVirtual{}}
	dst := Load(Param("dst"), GP64())
	Load(Param("w"), t.w)
	for range rows {
		t.x, t.sum, t.acc = append(t.x, GP64()), append(t.sum, newPair()), append(t.acc, newPair())
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

	Label("tile")
	t.clear(t.acc)
	xs := Load(Param("x"), GP64())
	for r, x := range t.x {
		MOVQ(Mem{Base: xs, Disp: 8 * r}, x)
	}
	Load(Param("blocks"), blocks)

	Label("block")
	size := rowsVNNI * f.size
	if f.size < superblockVNNI {
		prefetch(t.w, 0, size)
	}
	f.emit(t)
	ADDQ(U32(uint32(size)), t.w)
	if f.size < superblockVNNI {
		t.advance(1)
	}
	DECQ(blocks)
	JNZ(LabelRef("block"))

	to, stride := GP64(), Load(Param("stride"), GP64())
	MOVQ(dst, to)
	for r, a := range t.acc {
		if r > 0 {
			ADDQ(stride, to)
		}
		for side, v := range a {
			VMOVUPS(v, Mem{Base: to, Disp: 64 * side})
		}
	}
	ADDQ(U32(4*rowsVNNI), dst)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// superblockVNNI is less than blocks of 256 weights take.
const superblockVNNI = 100

// prefetch asks for the bytes from lo to hi behind p that are so far ahead.
func prefetch(p GPVirtual, lo, hi int) {
	for ; lo < hi; lo += 64 {
		PREFETCHT0(Mem{Base: p, Disp: ahead + lo})
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
func (t *tilerVNNI) clear(v []pair) {
	for _, p := range v {
		for _, v := range p {
			VXORPS(v, v, v)
		}
	}
}

// dwordOf returns four bytes of every row, at disp behind base.
func dwordOf(base GPVirtual, disp int) pair {
	p := newPair()
	for side, v := range p {
		VMOVDQU32(Mem{Base: base, Disp: disp + 64*side}, v)
	}
	return p
}

// scales returns the half floats at disp in the block.
func (t *tilerVNNI) scales(disp int) pair {
	p := newPair()
	for side, v := range p {
		VCVTPH2PS(Mem{Base: t.w, Disp: disp + 32*side}, v)
	}
	return p
}

// begin starts sums with the number at x in the blocks of activations, doubled that
// many times.
func (t *tilerVNNI) begin(x, doubled int) {
	for r, s := range t.sum {
		VPBROADCASTD(t.operand(r, x), s[0])
		if doubled > 0 {
			VPSLLD(Imm(uint64(doubled)), s[0], s[0])
		}
		VMOVDQA32(s[0], s[1])
	}
}

// multiply multiplies the codes q, of four weights of each row, with the codes at x
// of all rows of activations.
func (t *tilerVNNI) multiply(q pair, x int) {
	for r, s := range t.sum {
		v := ZMM()
		VPBROADCASTD(t.operand(r, x), v)
		for side := range q {
			VPDPBUSD(v, q[side], s[side])
		}
	}
}

// noFifths is where codes of 4 bits have their fifth bits.
const noFifths = 0

// sumNibbles sums up 32 weights with codes of 4 bits from disp on, weight k in the
// low and weight k+16 in the high half of byte k; with fifth bits, or as places in
// a table, unless these are none.
func (t *tilerVNNI) sumNibbles(disp, fifths int, table VecVirtual) {
	var h pair
	if fifths != noFifths {
		h = dwordOf(t.w, fifths)
	}
	for g := range 4 {
		lo, hi := dwordOf(t.w, disp+dwordVNNI*g), newPair()
		for side := range lo {
			VPSRLD(Imm(4), lo[side], hi[side])
		}
		for i, q := range []pair{lo, hi} {
			g := g + 4*i
			for side, q := range q {
				VPANDD(t.constant[bytes(15)], q, q)
				if fifths != noFifths {
					t.orBits(q, h[side], 4-g, bytes(16))
				}
				if table != nil {
					VPSHUFB(q, table, q)
				}
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
		q := newPair()
		for side, q := range q {
			VPXORD(Mem{Base: t.w, Disp: disp + dwordVNNI*g + 64*side}, t.constant[bytes(128)], q)
		}
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
func (t *tilerVNNI) addScaled(scales pair, x int) {
	for r, s := range t.sum {
		for _, s := range s {
			VCVTDQ2PS(s, s)
		}
		t.addProduct(r, s, scales, x)
	}
}

// addProduct adds s, times the scales of weights and activations, to the sums of row r.
func (t *tilerVNNI) addProduct(r int, s, scales pair, x int) {
	v := ZMM()
	VBROADCASTSS(t.operand(r, x+xScale), v)
	for side := range s {
		d := ZMM()
		VMULPS(v, scales[side], d)
		VFMADD231PS(d, s[side], t.acc[r][side])
	}
}

// addOffset adds the offsets of weights times the sums of activations.
func (t *tilerVNNI) addOffset(offsets pair, x int) {
	for r, a := range t.acc {
		v := ZMM()
		VBROADCASTSS(t.operand(r, x+xSum), v)
		for side := range a {
			VFMADD231PS(v, offsets[side], a[side])
		}
	}
}
