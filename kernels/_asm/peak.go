package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// peaks emits loops that do nothing but the arithmetic of a product, on registers,
// and one that does nothing but read.
func peaks() {
	peak("bytes", []string{"bytes multiplies and adds n·192 pairs of bytes, as products of 8-bit weights must."},
		func(t, sum []VecVirtual, a, b, ones VecVirtual) {
			for i := range t {
				VPMADDUBSW(a, b, t[i])
				VPMADDWD(ones, t[i], t[i])
				VPADDD(t[i], sum[i], sum[i])
			}
		})
	peak("nibbles", []string{"nibbles multiplies and adds n·192 pairs of bytes, as products of 4-bit weights may: sums stay", "in 16 bits for a while."},
		func(t, sum []VecVirtual, a, b, _ VecVirtual) {
			for i := range t {
				VPMADDUBSW(a, b, t[i])
				VPADDW(t[i], sum[i], sum[i])
			}
		})
	peak("fma", []string{"fma multiplies and adds n·96 pairs of float32."},
		func(t, sum []VecVirtual, a, b, _ VecVirtual) {
			for i := range t {
				VFMADD231PS(a, b, t[i])
				VFMADD231PS(a, b, sum[i])
			}
		})

	TEXT("read", NOSPLIT, "func(p *byte, n int)")
	Doc("read reads n·256 bytes.")
	Pragma("noescape")
	p, n := Load(Param("p"), GP64()), Load(Param("n"), GP64())
	sum := zeroed(4)
	Label("loop")
	for i := range 8 {
		VPOR(Mem{Base: p, Disp: 32 * i}, sum[i%4], sum[i%4])
	}
	ADDQ(U32(256), p)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func peak(name string, doc []string, body func(t, sum []VecVirtual, a, b, ones VecVirtual)) {
	TEXT(name, NOSPLIT, "func(n int)")
	Doc(doc...)
	n := Load(Param("n"), GP64())
	v := zeroed(3)
	t, sum := zeroed(6), zeroed(6)
	Label("loop")
	body(t, sum, v[0], v[1], v[2])
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// peaksVNNI emits the loops of products with AVX-512 VNNI.
func peaksVNNI() {
	peakVNNI("dots", []string{"dots multiplies and adds n·768 pairs of bytes, as products of weights in blocks do with", "AVX-512 VNNI."}, VPDPBUSD)
	peakVNNI("fma512", []string{"fma512 multiplies and adds n·192 pairs of float32."}, VFMADD231PS)
}

func peakVNNI(name string, doc []string, add func(...Op)) {
	TEXT(name, NOSPLIT, "func(n int)")
	Doc(doc...)
	n := Load(Param("n"), GP64())
	v := make([]VecVirtual, 14) // two inputs and twelve sums
	for i := range v {
		v[i] = ZMM()
		VPXORD(v[i], v[i], v[i])
	}
	Label("loop")
	for _, sum := range v[2:] {
		add(v[0], v[1], sum)
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
