package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets in a block of activations.
const (
	xScale  = 32 // float32
	xSum    = 36 // float32, scale times the sum of the codes
	xHalves = 40 // two int16, the sums of 16 codes each
	xBias   = 44 // int32, -8 times the sum of the codes
	xBytes  = 48
)

// ahead is how far before its use a byte of weights is asked for. Hardware
// prefetchers stop at pages of 4 KiB, which are read in some hundred nanoseconds:
// not much more than memory takes to answer.
const ahead = 4096

// A format is how packed weights become codes and scales.
type format struct {
	name  string
	size  int  // bytes of a block of eight rows
	masks bool // whether the mask of nibbles has a register
	emit  func(*tiler)
}

var formats = []format{
	{"Q4_0", 8 * 18, true, func(t *tiler) {
		t.sumNibbles(16)
		t.addBias(0)
		t.addScaled(t.scales(0), 0)
	}},
	{"Q4_1", 8 * 20, true, func(t *tiler) {
		t.sumNibbles(32)
		t.addScaled(t.scales(0), 0)
		t.addOffset(t.scales(16), 0)
	}},
	{"Q5_0", 8 * 22, true, func(t *tiler) {
		t.sumFifths(48, 16)
		t.addBias(1)
		t.addScaled(t.scales(0), 0)
	}},
	{"Q5_1", 8 * 24, true, func(t *tiler) {
		t.sumFifths(64, 32)
		t.addScaled(t.scales(0), 0)
		t.addOffset(t.scales(16), 0)
	}},
	{"Q8_0", 8 * 34, false, func(t *tiler) {
		t.sumBytes(16)
		t.addScaled(t.scales(0), 0)
	}},
	{"IQ4_NL", 8 * 18, false, func(t *tiler) {
		t.sumLookups(16)
		t.addScaled(t.scales(0), 0)
	}},
	{"Q4_K", 8 * 144, true, (*tiler).q4K},
	{"Q5_K", 8 * 176, true, (*tiler).q5K},
	{"Q6_K", 8 * 210, true, (*tiler).q6K},
}

func tiles() {
	for _, f := range formats {
		for rows := 1; rows <= 4; rows++ {
			tile(f, rows)
		}
	}
}

// superblock is less than blocks of 256 weights take.
const superblock = 1000

// A tiler emits the function that multiplies tiles of eight packed rows with up
// to four rows of activations.
type tiler struct {
	rows int // of activations

	w   GPVirtual    // the block of weights
	x   []GPVirtual  // the blocks of activations
	sum []VecVirtual // of the block: a whole number for each of eight rows
	acc []VecVirtual // of the row

	ones  VecVirtual // 1 in 16 bits
	mask  Op         // 15 in 8 bits
	local Mem        // in blocks of 256 weights: eight vectors of factors, eight of offsets, one of scales
}

func tile(f format, rows int) {
	name := fmt.Sprintf("tile%sx%d", f.name, rows)
	TEXT(name, NOSPLIT, "func(dst *float32, stride int, w *byte, x **int8, blocks, tiles int)")
	Doc(fmt.Sprintf("%s is the tileFunc of %s for %d.", name, f.name, rows))
	Pragma("noescape")
	t := &tiler{rows: rows, sum: make([]VecVirtual, rows), acc: make([]VecVirtual, rows), w: GP64()}
	dst := Load(Param("dst"), GP64())
	Load(Param("w"), t.w)
	for r := range rows {
		t.x = append(t.x, GP64())
		t.acc[r] = YMM()
	}
	tiles, blocks := Load(Param("tiles"), GP64()), GP64()
	if f.size > superblock {
		t.local = AllocLocal(17 * 32)
	} else {
		t.ones = loaded(words(1))
	}
	if t.mask = whole(bytes(15)); f.masks {
		t.mask = loaded(bytes(15))
	}

	Label("tile")
	xs := Load(Param("x"), GP64())
	for r, a := range t.acc {
		VXORPS(a, a, a)
		MOVQ(Mem{Base: xs, Disp: 8 * r}, t.x[r])
	}
	Load(Param("blocks"), blocks)
	Label("block")
	for i := range (f.size + 32) / 64 {
		PREFETCHT0(Mem{Base: t.w, Disp: ahead + 64*i})
	}
	f.emit(t)
	ADDQ(U32(uint32(f.size)), t.w)
	if f.size < superblock {
		t.advance(1)
	}
	DECQ(blocks)
	JNZ(LabelRef("block"))

	to, stride := t.x[0], Load(Param("stride"), GP64())
	MOVQ(dst, to)
	for r, a := range t.acc {
		if r > 0 {
			ADDQ(stride, to)
		}
		VMOVUPS(a, Mem{Base: to})
	}
	ADDQ(Imm(32), dst)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// operand returns what is at disp in the current block of row r of activations.
func (t *tiler) operand(r, disp int) Mem { return Mem{Base: t.x[r], Disp: disp} }

// advance moves on by blocks of activations.
func (t *tiler) advance(blocks int) {
	for _, x := range t.x {
		ADDQ(U32(uint32(blocks*xBytes)), x)
	}
}

// scales returns the eight half floats at disp in the block of weights.
func (t *tiler) scales(disp int) VecVirtual {
	d := YMM()
	VCVTPH2PS(Mem{Base: t.w, Disp: disp}, d)
	return d
}

// A multiplier sums up products of codes in 16 bits, and after a number of
// vectors in 32 bits.
type multiplier struct {
	*tiler
	flush int // how many vectors fit into 16 bits
	x     int // where the codes of the activations are
	n     int // vectors so far
	part  []VecVirtual
	wide  bool // whether sum has anything
}

// multiply multiplies the codes q, of group g of four weights, with those of all
// rows. factor is what each sum of two products is multiplied with.
func (m *multiplier) multiply(q VecVirtual, g int, factor Op) {
	if m.n%m.flush == 0 {
		m.part = make([]VecVirtual, m.rows)
	}
	// Rows are taken together as far as there are registers.
	together := m.rows
	if m.flush < 8 {
		together = 1
	}
	for r := 0; r < m.rows; r += together {
		p := make([]VecVirtual, together)
		for i := range p {
			p[i] = YMM()
			VPBROADCASTD(m.operand(r+i, m.x+4*g), p[i])
		}
		for i := range p {
			VPMADDUBSW(p[i], q, p[i])
		}
		for i := range p {
			if m.n%m.flush == 0 {
				m.part[r+i] = p[i]
			} else {
				VPADDW(p[i], m.part[r+i], m.part[r+i])
			}
		}
	}
	m.n++
	if m.n%m.flush > 0 {
		return
	}
	factor = m.once(factor)
	for r, p := range m.part {
		VPMADDWD(factor, p, p)
		if m.wide {
			VPADDD(p, m.sum[r], m.sum[r])
		} else {
			m.sum[r] = p
		}
	}
	m.wide = true
}

// sumNibbles sums up 32 weights with codes of 4 bits from disp on: weight k in the
// low and weight k+16 in the high half of byte k.
func (t *tiler) sumNibbles(disp int) {
	m := &multiplier{tiler: t, flush: 8}
	for g := range 4 {
		lo, hi := YMM(), YMM()
		VMOVDQU(Mem{Base: t.w, Disp: disp + 32*g}, lo)
		VPSRLW(Imm(4), lo, hi)
		VPAND(t.mask, lo, lo)
		VPAND(t.mask, hi, hi)
		m.multiply(lo, g, t.ones)
		m.multiply(hi, g+4, t.ones)
	}
}

// sumFifths is sumNibbles with a fifth bit.
func (t *tiler) sumFifths(disp, fifths int) {
	m := &multiplier{tiler: t, flush: 4}
	for g := range 8 {
		q := t.nibbles(Mem{Base: t.w, Disp: disp + 32*(g%4)}, g/4)
		t.orFifth(q, Mem{Base: t.w, Disp: fifths}, g)
		m.multiply(q, g, t.ones)
	}
}

// nibbles returns the low (half 0) or high halfs of the bytes in m.
func (t *tiler) nibbles(m Mem, half int) VecVirtual {
	q := YMM()
	VMOVDQU(m, q)
	if half == 1 {
		VPSRLW(Imm(4), q, q)
	}
	VPAND(t.mask, q, q)
	return q
}

// orFifth sets bit 4 of the codes of group g from bit g of the bytes in m.
func (t *tiler) orFifth(q VecVirtual, m Mem, g int) {
	h := YMM()
	VMOVDQU(m, h)
	shift(h, 4-g)
	VPAND(whole(bytes(16)), h, h)
	VPOR(h, q, q)
}

// shift shifts the words of v to the left, or to the right if n is negative.
func shift(v VecVirtual, n int) {
	switch {
	case n > 0:
		VPSLLW(Imm(uint64(n)), v, v)
	case n < 0:
		VPSRLW(Imm(uint64(-n)), v, v)
	}
}

// once returns an operand of all rows, in a register if that saves loads.
func (t *tiler) once(v Op) Op {
	m, ok := v.(Mem)
	if !ok || t.rows == 1 {
		return v
	}
	r := YMM()
	VMOVUPS(m, r)
	return r
}

// addBias makes codes signed: it adds -8 times the sum of the activations, doubled
// that many times.
func (t *tiler) addBias(doubled int) {
	for r, s := range t.sum {
		b := YMM()
		VPBROADCASTD(t.operand(r, xBias), b)
		for range 1 << doubled {
			VPADDD(b, s, s)
		}
	}
}

// addScaled adds the sums, times the scales of weights and activations, to those
// of the rows. x is where the block of activations is.
func (t *tiler) addScaled(scales Op, x int) {
	scales = t.once(scales)
	for r, s := range t.sum {
		d := YMM()
		VCVTDQ2PS(s, s)
		VBROADCASTSS(t.operand(r, x+xScale), d)
		VMULPS(scales, d, d)
		VFMADD231PS(d, s, t.acc[r])
	}
}

// addOffset adds the offsets of weights times the sums of activations.
func (t *tiler) addOffset(offsets Op, x int) {
	offsets = t.once(offsets)
	for r := range t.acc {
		s := YMM()
		VBROADCASTSS(t.operand(r, x+xSum), s)
		VFMADD231PS(offsets, s, t.acc[r])
	}
}
