package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The values of words, bytes and dwords are eight bytes, to be repeated.
func words(v uint64) uint64  { return v * 0x0001000100010001 }
func bytes(v uint64) uint64  { return v * 0x0101010101010101 }
func dwords(v uint64) uint64 { return v * 0x0000000100000001 }

// constants are those of the file so far.
var constants = map[[2]uint64]Mem{}

// vector returns 32 bytes of memory: the two halves of a lane, twice.
func vector(lo, hi uint64) Mem {
	m, ok := constants[[2]uint64{lo, hi}]
	if !ok {
		m = GLOBL(fmt.Sprintf("v%016x%016x", hi, lo), attr.RODATA|attr.NOPTR)
		for i, v := range []uint64{lo, hi, lo, hi} {
			DATA(8*i, U64(v))
		}
		constants[[2]uint64{lo, hi}] = m
	}
	return m
}

// whole returns 32 bytes of memory that repeat v.
func whole(v uint64) Mem { return vector(v, v) }

// loaded returns a register with whole(v).
func loaded(v uint64) VecVirtual {
	r := YMM()
	VMOVDQU(whole(v), r)
	return r
}

// zeroed returns n registers of zeros.
func zeroed(n int) []VecVirtual {
	v := make([]VecVirtual, n)
	for i := range v {
		v[i] = YMM()
		VXORPS(v[i], v[i], v[i])
	}
	return v
}

// none, in a pattern of pick, gives a zero.
const none = 0x80

// pick returns the pattern for VPSHUFB that gives each dword the bytes i, j, k and
// l of itself.
func pick(i, j, k, l int) Mem {
	var v [2]uint64
	for at := range 16 {
		from := []int{i, j, k, l}[at%4]
		if from != none {
			from += at / 4 * 4
		}
		v[at/8] |= uint64(from) << (at % 8 * 8)
	}
	return vector(v[0], v[1])
}

// order returns the places of dwords that undo how packs of 32-bit numbers to bytes
// go lane by lane.
func order() Mem {
	const name = "order"
	if orders.Base == nil {
		orders = GLOBL(name, attr.RODATA|attr.NOPTR)
		for i, v := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
			DATA(4*i, U32(v))
		}
	}
	return orders
}

var orders Mem
