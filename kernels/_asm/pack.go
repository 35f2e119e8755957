package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// packs emits interleaving: 4 bytes of eight rows each become 32 bytes of a tile.
func packs() {
	TEXT("interleave", NOSPLIT, "func(dst, src *byte, row, blocks, tileRows, first, size, halfAt, halfs, dwordAt, quads, singles int)")
	Doc("interleave is interleavePlain of eight rows that are row bytes long, first and those behind it of a tile,",
		"with quads·4 + singles dwords, at least one half float and one block.")
	Pragma("noescape")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	row, blocks := Load(Param("row"), GP64()), Load(Param("blocks"), GP64())
	row3, row5, row7 := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: row, Index: row, Scale: 2}, row3)
	LEAQ(Mem{Base: row, Index: row, Scale: 4}, row5)
	LEAQ(Mem{Base: row3, Index: row, Scale: 4}, row7)
	in, out, n := GP64(), GP64(), GP64()
	step := Load(Param("tileRows"), GP64()) // how far apart dwords of a row are, and twice as far as halfs
	SHLQ(Imm(2), step)
	at := func(r int) Mem {
		m := Mem{Base: in}
		switch r {
		case 1, 2, 4:
			m.Index, m.Scale = row, uint8(r)
		case 3:
			m.Index, m.Scale = row3, 1
		case 5:
			m.Index, m.Scale = row5, 1
		case 6:
			m.Index, m.Scale = row3, 2
		case 7:
			m.Index, m.Scale = row7, 1
		}
		return m
	}

	// While a tile is packed, the next one is asked for: what lies as far behind it
	// as it is long, in the order of addresses.
	next := GP64()
	LEAQ(Mem{Base: src, Index: row, Scale: 8}, next)

	Label("block")
	Load(Param("size"), n)
	Label("line")
	PREFETCHT0(Mem{Base: next})
	ADDQ(Imm(64), next)
	SUBQ(Imm(8), n)
	JG(LabelRef("line"))
	LEAQ(Mem{Base: next, Index: n, Scale: 8}, next) // n is what was too much, negative

	MOVQ(src, in)
	Load(Param("first"), out)
	LEAQ(Mem{Base: dst, Index: out, Scale: 2}, out)
	SHRQ(Imm(1), step)
	Load(Param("halfAt"), n)
	ADDQ(n, in)
	Load(Param("halfs"), n)
	Label("half")
	for r := range 8 {
		h := GP32()
		MOVWLZX(at(r), h)
		MOVW(h.As16(), Mem{Base: out, Disp: 2 * r})
	}
	ADDQ(Imm(2), in)
	ADDQ(step, out)
	DECQ(n)
	JNZ(LabelRef("half"))

	ADDQ(step, step)
	Load(Param("first"), n)
	LEAQ(Mem{Base: out, Index: n, Scale: 2}, out)
	MOVQ(src, in)
	Load(Param("dwordAt"), n)
	ADDQ(n, in)
	Load(Param("quads"), n)
	TESTQ(n, n)
	JZ(LabelRef("rest"))
	Label("quad")
	// Rows r and r+4 share a register, so that the transposition of four dwords by
	// four rows in each half puts all eight rows side by side.
	var v [4]VecVirtual
	for r := range v {
		v[r] = YMM()
		VMOVDQU(at(r), v[r].AsX())
		VINSERTI128(Imm(1), at(r+4), v[r], v[r])
	}
	lo0, lo1, hi0, hi1 := YMM(), YMM(), YMM(), YMM()
	VPUNPCKLDQ(v[1], v[0], lo0)
	VPUNPCKLDQ(v[3], v[2], lo1)
	VPUNPCKHDQ(v[1], v[0], hi0)
	VPUNPCKHDQ(v[3], v[2], hi1)
	for _, pair := range [][2]VecVirtual{{lo0, lo1}, {hi0, hi1}} {
		for _, unpack := range []func(...Op){VPUNPCKLQDQ, VPUNPCKHQDQ} {
			d := YMM()
			unpack(pair[1], pair[0], d)
			VMOVDQU(d, Mem{Base: out})
			ADDQ(step, out)
		}
	}
	ADDQ(Imm(16), in)
	DECQ(n)
	JNZ(LabelRef("quad"))

	Label("rest")
	Load(Param("singles"), n)
	TESTQ(n, n)
	JZ(LabelRef("next"))
	Label("single")
	for r := range 8 {
		d := GP32()
		MOVL(at(r), d)
		MOVL(d, Mem{Base: out, Disp: 4 * r})
	}
	ADDQ(Imm(4), in)
	ADDQ(step, out)
	DECQ(n)
	JNZ(LabelRef("single"))

	Label("next")
	size := n
	Load(Param("size"), size)
	ADDQ(size, src)
	Load(Param("tileRows"), in)
	IMULQ(in, size)
	ADDQ(size, dst)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}
