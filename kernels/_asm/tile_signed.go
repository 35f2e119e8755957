package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// sumBytes sums up 32 weights of 8 bits from disp on.
func (t *tiler) sumBytes(disp int) {
	m := &signedMultiplier{tiler: t}
	for g := range 8 {
		q, a := YMM(), YMM()
		VMOVDQU(Mem{Base: t.w, Disp: disp + 32*g}, q)
		if t.rows < 4 {
			VPABSB(q, a)
		} else {
			// These go to any port; VPABSB goes to the two of VPSIGNB, which
			// are busy with four rows.
			VPXOR(a, a, a)
			VPSUBB(q, a, a)
			VPMINUB(q, a, a)
		}
		m.multiply(q, a, g)
	}
	m.add()
}

// valuesIQ4NL are ValuesIQ4_NL of package kernels.
var valuesIQ4NL = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// sumLookups sums up 32 weights whose nibbles, from disp on, are places in
// valuesIQ4NL.
func (t *tiler) sumLookups(disp int) {
	var half [2]uint64
	for i, v := range valuesIQ4NL {
		half[i/8] |= uint64(uint8(v)) << (i % 8 * 8)
	}
	m := &signedMultiplier{tiler: t}
	for g := range 8 {
		q, table, a := t.nibbles(Mem{Base: t.w, Disp: disp + 32*(g%4)}, g/4), YMM(), YMM()
		VMOVDQU(vector(half[0], half[1]), table)
		VPSHUFB(q, table, q)
		VPABSB(q, a)
		m.multiply(q, a, g)
	}
	m.add()
}

// A signedMultiplier sums up products of signed codes. The unsigned factor is the
// magnitude of the weight, which moves its sign to the activation: all sums of two
// then fit into 16 bits, but not those of four.
//
// Two rows are taken together, and added up only after the next two are multiplied.
// Each step of a row needs the one before it, and on Zen 3 steps that come too early
// fill the queues of the few ports that multiply.
type signedMultiplier struct {
	*tiler
	late []product // multiplied, but not in sum yet
}

// A product is of one row and one group of weights, in 16 bits.
type product struct {
	row   int
	v     VecVirtual
	first bool // whether sum has none of the row before it
}

// multiply multiplies the codes q, of group g of four weights, whose magnitudes are
// a, with those of all rows.
func (m *signedMultiplier) multiply(q, a VecVirtual, g int) {
	for r := 0; r < m.rows; r += 2 {
		var p []product
		for i := r; i < min(r+2, m.rows); i++ {
			x := YMM()
			VPBROADCASTD(m.operand(i, 4*g), x)
			p = append(p, product{i, x, g == 0})
		}
		for _, p := range p {
			VPSIGNB(q, p.v, p.v)
		}
		for _, p := range p {
			VPMADDUBSW(p.v, a, p.v)
		}
		m.add()
		m.late = p
	}
}

// add adds up what is late.
func (m *signedMultiplier) add() {
	for _, p := range m.late {
		VPMADDWD(m.ones, p.v, p.v)
		if p.first {
			m.sum[p.row] = p.v
		} else {
			VPADDD(p.v, m.sum[p.row], m.sum[p.row])
		}
	}
	m.late = nil
}
