package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// searches emits what the search for the scales of eight sub-blocks is made of. They
// are side by side, in the lanes of two vectors of float64.
func searches() {
	search("lineSums", "func(x, id, m *float64, hi float64, q, qq, xq *float64)", func(s *searcher) {
		sums := zeroed(6)
		s.weights(func(h int, x VecVirtual) {
			v := YMM()
			VSUBPD(s.m[h], x, v)
			s.code(v, h)
			// All products are exact: to fuse them with the sums changes nothing.
			VADDPD(v, sums[h], sums[h])
			VFMADD231PD(v, v, sums[2+h])
			VFMADD231PD(x, v, sums[4+h])
		})
		for i, name := range []string{"q", "qq", "xq"} {
			s.store(name, sums[2*i:2*i+2])
		}
	})
	search("lineErrors", "func(x, id, m *float64, hi float64, d, errors *float64)", func(s *searcher) {
		sums := zeroed(2)
		d := s.load("d")
		s.weights(func(h int, x VecVirtual) {
			v := YMM()
			VADDPD(s.m[h], x, x)
			VMOVAPD(x, v)
			s.code(v, h)
			VMULPD(d[h], v, v)
			VSUBPD(v, x, x)
			VMULPD(x, x, x)
			VADDPD(x, sums[h], sums[h])
		})
		s.store("errors", sums)
	})
	search("lineCodes", "func(x, id, m *float64, hi float64, codes *int8)", func(s *searcher) {
		to := Load(Param("codes"), GP64())
		s.weights(func(h int, x VecVirtual) {
			VADDPD(s.m[h], x, x)
			s.code(x, h)
			q := XMM()
			VCVTPD2DQY(x, q)
			VPACKSSDW(q, q, q)
			VPACKSSWB(q, q, q)
			VMOVD(q, Mem{Base: to, Disp: 4 * h})
			if h == 1 {
				ADDQ(Imm(8), to)
			}
		})
	})
}

type searcher struct {
	x         Register
	id, m     []VecVirtual
	hi, zeros VecVirtual
}

func search(name, signature string, body func(s *searcher)) {
	TEXT(name, NOSPLIT, signature)
	Doc(name + " is the function of the implementation with this name.")
	Pragma("noescape")
	s := &searcher{x: Load(Param("x"), GP64()), zeros: zeroed(1)[0], hi: YMM()}
	s.id, s.m = s.load("id"), s.load("m")
	VBROADCASTSD(NewParamAddr("hi", 24), s.hi)
	body(s)
	VZEROUPPER()
	RET()
}

// load loads the eight values that a parameter points to.
func (s *searcher) load(name string) []VecVirtual {
	p := Load(Param(name), GP64())
	v := []VecVirtual{YMM(), YMM()}
	for i := range v {
		VMOVUPD(Mem{Base: p, Disp: 32 * i}, v[i])
	}
	return v
}

func (s *searcher) store(name string, v []VecVirtual) {
	p := Load(Param(name), GP64())
	for i := range v {
		VMOVUPD(v[i], Mem{Base: p, Disp: 32 * i})
	}
}

// weights calls f for the 32 weights of each sub-block: the k-th of all eight stand
// together.
func (s *searcher) weights(f func(h int, x VecVirtual)) {
	n := GP64()
	MOVQ(U32(32), n)
	Label("weight")
	for h := range 2 {
		x := YMM()
		VMOVUPD(Mem{Base: s.x, Disp: 32 * h}, x)
		f(h, x)
	}
	ADDQ(Imm(64), s.x)
	DECQ(n)
	JNZ(LabelRef("weight"))
}

// code replaces v by the whole number of 0 to hi that is nearest to v·id.
func (s *searcher) code(v VecVirtual, h int) {
	VMULPD(s.id[h], v, v)
	VMAXPD(s.zeros, v, v)
	VMINPD(s.hi, v, v)
	VROUNDPD(Imm(0), v, v)
}
