package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Attention with AVX-512 VNNI: a panel of 16 keys, or of 16 columns of values, is one
// register of pairs of words, and one instruction multiplies it with a pair of a
// query's and adds up. Six queries by two panels are twelve sums.

func attendsVNNI() {
	scoresVNNI()
	gatherVNNI()
}

// multiplyVNNI adds the products of pairs of words of six queries, at broadcast(r), with
// those of panels to sums.
func multiplyVNNI(sum [][]VecVirtual, broadcast func(r int) Mem, panels ...Mem) {
	v := make([]VecVirtual, len(panels))
	for c := range v {
		v[c] = ZMM()
		VMOVDQU32(panels[c], v[c])
	}
	for r := range sum {
		b := ZMM()
		VPBROADCASTD(broadcast(r), b)
		for c := range v {
			VPDPWSSD(b, v[c], sum[r][c])
		}
	}
}

// sixSums returns zeros for six queries by so many panels.
func sixSums(panels int) [][]VecVirtual {
	sum := make([][]VecVirtual, attendSix)
	for r := range sum {
		for range panels {
			v := ZMM()
			VPXORD(v, v, v)
			sum[r] = append(sum[r], v)
		}
	}
	return sum
}

// everywhere returns a float32 in all lanes.
func everywhere(m Mem) VecVirtual {
	v := ZMM()
	VBROADCASTSS(m, v)
	return v
}

func scoresVNNI() {
	TEXT("scoreWordsVNNI", NOSPLIT, "func(dst *float32, q *int16, stride int, k *int16, steps, panels int, of, scales *float32)")
	Doc("scoreWordsVNNI is scoreWords. Of the last of an odd number of panels it writes the scores twice, side by side.")
	Pragma("noescape")
	dst, k, panels := Load(Param("dst"), GP64()), Load(Param("k"), GP64()), Load(Param("panels"), GP64())
	q, stride := Load(Param("q"), GP64()), Load(Param("stride"), GP64())
	scales, of := Load(Param("scales"), GP64()), Load(Param("of"), GP64())
	size, next := Load(Param("steps"), GP64()), GP64()
	SHLQ(Imm(8), size)
	MOVQ(size, next)
	Label("panels")
	CMPQ(panels, Imm(1))
	JNE(LabelRef("pair"))
	XORL(next.As32(), next.As32())
	Label("pair")
	at, at3, row := sixRows(q, stride)
	sum := sixSums(2)
	n := Load(Param("steps"), GP64())
	Label("step")
	for i := range 4 {
		multiplyVNNI(sum, func(r int) Mem { return row(r, 4*i) },
			Mem{Base: k, Disp: 64 * i}, Mem{Base: k, Index: next, Scale: 1, Disp: 64 * i})
	}
	ADDQ(Imm(16), at)
	ADDQ(Imm(16), at3)
	ADDQ(U32(256), k)
	DECQ(n)
	JNZ(LabelRef("step"))
	for r := range attendSix {
		scale := everywhere(Mem{Base: of, Disp: sixScales + 4*r})
		for c, s := range sum[r] {
			VCVTDQ2PS(s, s)
			VMULPS(Mem{Base: scales, Disp: 64 * c}, s, s)
			VMULPS(scale, s, s)
			VMOVUPS(s, Mem{Base: dst, Disp: 4*attendTile*r + 64*c})
		}
	}
	ADDQ(next, k)
	ADDQ(U32(128), scales)
	ADDQ(U32(128), dst)
	SUBQ(Imm(2), panels)
	JG(LabelRef("panels"))
	VZEROUPPER()
	RET()
}

func gatherVNNI() {
	TEXT("gatherWordsVNNI", NOSPLIT, "func(dst *float32, stride int, p *int16, v *int16, steps, panels int, of, scales *float32)")
	Doc("gatherWordsVNNI is gatherWords.")
	Pragma("noescape")
	dst, stride, panels := Load(Param("dst"), GP64()), Load(Param("stride"), GP64()), Load(Param("panels"), GP64())
	v, of, scales := Load(Param("v"), GP64()), Load(Param("of"), GP64()), Load(Param("scales"), GP64())
	at, at3, row := sixRows(dst, stride)
	next := Load(Param("steps"), GP64())
	SHLQ(Imm(8), next)
	gather := func(label string, count int) {
		p, n := Load(Param("p"), GP64()), Load(Param("steps"), GP64())
		sum := sixSums(count)
		Label(label)
		for i := range 4 {
			from := []Mem{{Base: v, Disp: 64 * i}, {Base: v, Index: next, Scale: 1, Disp: 64 * i}}
			multiplyVNNI(sum, func(r int) Mem { return Mem{Base: p, Disp: 2*attendTile*r + 4*i} }, from[:count]...)
		}
		ADDQ(Imm(16), p)
		ADDQ(U32(256), v)
		DECQ(n)
		JNZ(LabelRef(label))
		for r := range attendSix {
			keep, share := everywhere(Mem{Base: of, Disp: sixKeep + 4*r}), everywhere(Mem{Base: of, Disp: sixShare + 4*r})
			for c, s := range sum[r] {
				old := ZMM()
				VCVTDQ2PS(s, s)
				VMULPS(Mem{Base: scales, Disp: 64 * c}, s, s)
				VMULPS(row(r, 64*c), keep, old)
				VFMADD231PS(s, share, old)
				VMOVUPS(old, row(r, 64*c))
			}
		}
	}
	SUBQ(Imm(2), panels)
	JL(LabelRef("last"))
	Label("pair")
	gather("two", 2)
	ADDQ(next, v)
	for _, p := range []GPVirtual{at, at3, scales.(GPVirtual)} {
		ADDQ(U32(128), p)
	}
	SUBQ(Imm(2), panels)
	JGE(LabelRef("pair"))
	Label("last")
	CMPQ(panels, I8(-1))
	JNE(LabelRef("done"))
	gather("one", 1)
	Label("done")
	VZEROUPPER()
	RET()
}
