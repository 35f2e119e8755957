package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Attention works on tiles of positions and on queries by sixes: six queries by
// sixteen results fill twelve registers with sums, and leave two for what is read
// once for all six, one for what is broadcast and one for products of whole numbers.
const (
	attendTile   = 64 // positions
	attendSix    = 6  // queries
	attendShares = 8191
)

// The fields of type six, in bytes.
const (
	sixHigh   = 0
	sixSum    = 32
	sixKeep   = 64
	sixShare  = 96
	sixTop    = 128
	sixScales = 160
)

func attends() {
	scores("scoreFloats", false)
	scores("scoreWords", true)
	shareOut("shareFloats", false)
	shareOut("shareWords", true)
	gather("gatherFloats", false)
	gather("gatherWords", true)
	transpose()
	roundRows()
	roundColumns()
	widenQ8_0()
}

// multiply adds products of six broadcast values, or pairs of words, with two
// vectors to twelve sums.
func multiply(sum []VecVirtual, broadcast func(r int) Mem, vector func(c int) Mem, words bool) {
	v := []VecVirtual{YMM(), YMM()}
	for c := range v {
		VMOVUPS(vector(c), v[c])
	}
	for r := range attendSix {
		b := YMM()
		if !words {
			VBROADCASTSS(broadcast(r), b)
			VFMADD231PS(b, v[0], sum[2*r])
			VFMADD231PS(b, v[1], sum[2*r+1])
			continue
		}
		VPBROADCASTD(broadcast(r), b)
		t := YMM()
		VPMADDWD(b, v[0], t)
		VPADDD(t, sum[2*r], sum[2*r])
		VPMADDWD(b, v[1], b)
		VPADDD(b, sum[2*r+1], sum[2*r+1])
	}
}

// sixRows returns the memory of six rows that are stride bytes apart, which begin at
// the register that at and at3 are copies of.
func sixRows(base, stride Register) (at, at3 GPVirtual, row func(r, disp int) Mem) {
	at, at3 = GP64(), GP64()
	MOVQ(base, at)
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, at3)
	ADDQ(base, at3)
	return at, at3, func(r, disp int) Mem {
		m := Mem{Base: at, Disp: disp}
		if r >= 3 {
			m.Base = at3
		}
		if r%3 > 0 {
			m.Index, m.Scale = stride, uint8(r%3)
		}
		return m
	}
}

func scores(name string, words bool) {
	if words {
		TEXT(name, NOSPLIT, "func(dst *float32, q *int16, stride int, k *int16, steps, panels int, of, scales *float32)")
		Doc(name+" writes the scores of six queries, stride bytes apart, with panels of 16 keys to dst, [6, 64].",
			"A panel holds steps·4 pairs of words of each key: the first pair of all, the second, and so on.")
	} else {
		TEXT(name, NOSPLIT, "func(dst, q *float32, stride int, k *float32, steps, panels int)")
		Doc(name+" writes the scores of six queries, stride bytes apart, with panels of 16 keys to dst, [6, 64].",
			"A panel holds steps·4 values of each key: the first of all, the second, and so on.")
	}
	Pragma("noescape")
	dst, k, panels := Load(Param("dst"), GP64()), Load(Param("k"), GP64()), Load(Param("panels"), GP64())
	q, stride := Load(Param("q"), GP64()), Load(Param("stride"), GP64())
	var scales, of Register
	if words {
		scales, of = Load(Param("scales"), GP64()), Load(Param("of"), GP64())
	}
	Label("panel")
	at, at3, row := sixRows(q, stride)
	sum := zeroed(2 * attendSix)
	n := Load(Param("steps"), GP64())
	Label("step")
	for i := range 4 {
		multiply(sum, func(r int) Mem { return row(r, 4*i) }, func(c int) Mem { return Mem{Base: k, Disp: 64*i + 32*c} }, words)
	}
	ADDQ(Imm(16), at)
	ADDQ(Imm(16), at3)
	ADDQ(U32(256), k)
	DECQ(n)
	JNZ(LabelRef("step"))
	for r := range attendSix {
		var scale VecVirtual
		if words {
			scale = YMM()
			VBROADCASTSS(Mem{Base: of, Disp: sixScales + 4*r}, scale)
		}
		for c := range 2 {
			s := sum[2*r+c]
			if words {
				VCVTDQ2PS(s, s)
				VMULPS(Mem{Base: scales, Disp: 32 * c}, s, s)
				VMULPS(scale, s, s)
			}
			VMOVUPS(s, Mem{Base: dst, Disp: 4*attendTile*r + 32*c})
		}
	}
	if words {
		ADDQ(Imm(64), scales)
	}
	ADDQ(Imm(64), dst)
	DECQ(panels)
	JNZ(LabelRef("panel"))
	VZEROUPPER()
	RET()
}

// shareOut emits the softmax of a tile.
func shareOut(name string, words bool) {
	if words {
		TEXT(name, NOSPLIT, "func(dst *int16, scores, of *float32)")
		Doc(name + " is shareFloats with shares that are whole numbers, 8191 for the greatest score.")
	} else {
		TEXT(name, NOSPLIT, "func(scores, of *float32)")
		Doc(name+" replaces six times 64 scores by their shares, the exponentials of what they are",
			"below the greatest of their query, and counts them in of.")
	}
	Pragma("noescape")
	scores, of := Load(Param("scores"), GP64()), Load(Param("of"), GP64())
	var dst Register = scores
	if words {
		dst = Load(Param("dst"), GP64())
	}

	at, to, n := GP64(), GP64(), GP64()
	MOVQ(scores, at)
	MOVQ(of, to)
	MOVQ(U32(attendSix), n)
	Label("highest")
	top := []VecVirtual{YMM(), YMM()}
	for i := range attendTile / 8 {
		m := Mem{Base: at, Disp: 32 * i}
		if i < 2 {
			VMOVUPS(m, top[i])
		} else {
			VMAXPS(m, top[i%2], top[i%2])
		}
	}
	VMAXPS(top[1], top[0], top[0])
	lo, hi := top[0].AsX(), XMM()
	VEXTRACTF128(Imm(1), top[0], hi)
	VMAXPS(hi, lo, lo)
	VMOVHLPS(lo, lo, hi)
	VMAXPS(hi, lo, lo)
	VMOVSHDUP(lo, hi)
	VMAXSS(hi, lo, lo)
	VMOVSS(lo, Mem{Base: to, Disp: sixTop})
	ADDQ(U32(4*attendTile), at)
	ADDQ(Imm(4), to)
	DECQ(n)
	JNZ(LabelRef("highest"))

	high, keep, share := YMM(), YMM(), YMM()
	VMOVUPS(Mem{Base: of, Disp: sixHigh}, keep)
	VMOVUPS(Mem{Base: of, Disp: sixTop}, share)
	VMAXPS(keep, share, high)
	VSUBPS(high, keep, keep)
	VSUBPS(high, share, share)
	VMOVUPS(high, Mem{Base: of, Disp: sixHigh})
	exp(keep, share)
	VMOVUPS(keep, Mem{Base: of, Disp: sixKeep})
	VMOVUPS(share, Mem{Base: of, Disp: sixShare})

	MOVQ(of, to)
	MOVQ(U32(attendSix), n)
	Label("row")
	greatest, sum := YMM(), zeroed(1)[0]
	VBROADCASTSS(Mem{Base: to, Disp: sixTop}, greatest)
	const together = 4 // vectors
	m := GP64()
	MOVQ(U32(attendTile/8/together), m)
	Label("some")
	e := make([]VecVirtual, together)
	for i := range e {
		e[i] = YMM()
		VMOVUPS(Mem{Base: scores, Disp: 32 * i}, e[i])
		VSUBPS(greatest, e[i], e[i])
	}
	if words {
		shares(e)
	} else {
		exp(e...)
		for i := range e {
			VMOVUPS(e[i], Mem{Base: dst, Disp: 32 * i})
		}
	}
	for i := range e {
		VADDPS(e[i], sum, sum)
	}
	if words {
		for i := 0; i < together; i += 2 {
			VCVTPS2DQ(e[i], e[i])
			VCVTPS2DQ(e[i+1], e[i+1])
			VPACKSSDW(e[i+1], e[i], e[i])
			VPERMQ(Imm(0xd8), e[i], e[i])
			VMOVDQU(e[i], Mem{Base: dst, Disp: 16 * i})
		}
		ADDQ(Imm(16*together), dst)
	}
	ADDQ(U32(32*together), scores)
	DECQ(m)
	JNZ(LabelRef("some"))
	all, kept := across(sum), XMM()
	VMULSS(Mem{Base: to, Disp: sixShare}, all, all)
	VMOVSS(Mem{Base: to, Disp: sixSum}, kept)
	VMULSS(Mem{Base: to, Disp: sixKeep}, kept, kept)
	VADDSS(all, kept, kept)
	VMOVSS(kept, Mem{Base: to, Disp: sixSum})
	ADDQ(Imm(4), to)
	DECQ(n)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// shares replaces each x, which is not above 0, by 8191·exp x, rounded to a whole
// number, and leaves NaNs. It is exp for results of which the sixth digit does not
// matter, nor what is below a half.
func shares(x []VecVirtual) {
	least := broadcastSingle(-20)
	n, p := make([]VecVirtual, len(x)), make([]VecVirtual, len(x))
	each := func(f func(i int)) {
		for i := range x {
			f(i)
		}
	}
	each(func(i int) { VMAXPS(x[i], least, x[i]) })
	each(func(i int) { n[i] = YMM(); VMULPS(single(1/math.Ln2), x[i], n[i]) })
	each(func(i int) { VROUNDPS(Imm(0), n[i], n[i]) })
	each(func(i int) { VFNMADD231PS(single(math.Ln2), n[i], x[i]) })
	each(func(i int) { VCVTPS2DQ(n[i], n[i]) })
	each(func(i int) { p[i] = YMM(); VMOVUPS(single(attendShares*0.04127736762166023), p[i]) })
	for _, c := range []float32{0.16753600537776947, 0.5000512599945068, 1, 1} {
		each(func(i int) { VFMADD213PS(single(attendShares*c), x[i], p[i]) })
	}
	each(func(i int) { VPSLLD(Imm(23), n[i], n[i]) })
	each(func(i int) { VPADDD(n[i], p[i], x[i]) }) // to the exponent
	each(func(i int) { VROUNDPS(Imm(0), x[i], x[i]) })
}

// gather emits the sums of values.
func gather(name string, words bool) {
	if words {
		TEXT(name, NOSPLIT, "func(dst *float32, stride int, p *int16, v *int16, steps, panels int, of, scales *float32)")
		Doc(name+" adds to six rows of dst, stride bytes apart, values weighted with shares, [6, 64]. A panel holds 16",
			"columns of steps·4 pairs of values of which each pair is of two positions.")
	} else {
		TEXT(name, NOSPLIT, "func(dst *float32, stride int, p, v *float32, steps, panels int, of *float32)")
		Doc(name+" adds to six rows of dst, stride bytes apart, values weighted with shares, [6, 64]. The values are",
			"steps·4 rows, stride bytes apart, in panels of 16 columns.")
	}
	Pragma("noescape")
	dst, stride, panels := Load(Param("dst"), GP64()), Load(Param("stride"), GP64()), Load(Param("panels"), GP64())
	v, of := Load(Param("v"), GP64()), Load(Param("of"), GP64())
	var scales Register
	if words {
		scales = Load(Param("scales"), GP64())
	}
	at, at3, row := sixRows(dst, stride)
	size := 4
	if words {
		size = 2
	}
	Label("panel")
	p := Load(Param("p"), GP64())
	sum := zeroed(2 * attendSix)
	n := Load(Param("steps"), GP64())
	from := v
	if !words {
		from = GP64()
		MOVQ(v, from)
	}
	Label("step")
	for i := range 4 {
		disp := 64 * i
		if !words {
			disp = 0
		}
		multiply(sum, func(r int) Mem { return Mem{Base: p, Disp: attendTile*size*r + 4*i} },
			func(c int) Mem { return Mem{Base: from, Disp: disp + 32*c} }, words)
		if !words {
			ADDQ(stride, from)
		}
	}
	ADDQ(Imm(16), p)
	if words {
		ADDQ(U32(256), from)
	}
	DECQ(n)
	JNZ(LabelRef("step"))
	for r := range attendSix {
		keep, share := YMM(), YMM()
		VBROADCASTSS(Mem{Base: of, Disp: sixKeep + 4*r}, keep)
		VBROADCASTSS(Mem{Base: of, Disp: sixShare + 4*r}, share)
		for c := range 2 {
			s, old := sum[2*r+c], YMM()
			if words {
				VCVTDQ2PS(s, s)
				VMULPS(Mem{Base: scales, Disp: 32 * c}, s, s)
			}
			VMULPS(row(r, 32*c), keep, old)
			VFMADD231PS(s, share, old)
			VMOVUPS(old, row(r, 32*c))
		}
	}
	if words {
		ADDQ(Imm(64), scales)
	} else {
		ADDQ(Imm(64), v)
	}
	ADDQ(Imm(64), at)
	ADDQ(Imm(64), at3)
	DECQ(panels)
	JNZ(LabelRef("panel"))
	VZEROUPPER()
	RET()
}
