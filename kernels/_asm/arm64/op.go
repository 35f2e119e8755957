package main

import (
	"fmt"
	"strings"
)

// An op is a vector instruction. Its operands are registers, the destination first,
// and in some a number, the last one.
type op struct {
	arm    string             // how ARM writes it, with a verb for each operand
	word   uint32             // what it is encoded as with all operands zero
	number func(n int) uint32 // the bits of the number
	native string             // how Go writes it, if its assembler knows it
}

// do prints an instruction: in Go's assembler, or, where that lacks it, as a word
// with what ARM calls it beside.
func (w *writer) do(o op, operands ...int) {
	args := make([]any, len(operands))
	for i, n := range operands {
		args[i] = n
	}
	if o.native != "" {
		w.emit(o.native, args...)
		return
	}
	w.emit("WORD $%#08x // %s", o.encode(operands), fmt.Sprintf(o.arm, args...))
}

// encode puts registers to the places that all instructions have them at.
func (o op) encode(operands []int) uint32 {
	word := o.word
	for i, n := range operands {
		switch {
		case o.number != nil && i == len(operands)-1:
			word |= o.number(n)
		case i == 3:
			panic("four registers")
		default:
			word |= uint32(n) << [3]int{0, 5, 16}[i]
		}
	}
	return word
}

// lane places the number of a lane of 32 bits.
func lane(n int) uint32 { return uint32(n)&1<<21 | uint32(n)>>1<<11 }

// laneOf16 places the number of a lane of 16 bits, of one of the first 16 registers.
func laneOf16(n int) uint32 { return uint32(n)&1<<20 | uint32(n)>>1&1<<21 | uint32(n)>>2<<11 }

// right places a number of bits to shift lanes of so many to the right.
func right(lane int) func(n int) uint32 {
	return func(n int) uint32 { return uint32(2*lane-n) << 16 }
}

// native returns an instruction that Go's assembler knows, of two or three registers
// that are divided alike.
func native(name, arrangement string, registers int) op {
	var operands []string
	for i := registers; i > 0; i-- { // the destination comes last
		operands = append(operands, fmt.Sprintf("V%%[%d]d.%s", i, arrangement))
	}
	return op{native: name + " " + strings.Join(operands, ", ")}
}

// shift returns one that shifts.
func shift(name, arrangement string) op {
	return op{native: fmt.Sprintf("%s $%%[3]d, V%%[2]d.%s, V%%[1]d.%[2]s", name, arrangement)}
}

var (
	and    = native("VAND", "B16", 3)
	orr    = native("VORR", "B16", 3)
	eor    = native("VEOR", "B16", 3)
	bit    = native("VBIT", "B16", 3) // bits of the first become those of the second where the third has ones
	sub    = native("VSUB", "B16", 3)
	cmtst  = native("VCMTST", "B16", 3)
	add32  = native("VADD", "S4", 3)
	sub32  = native("VSUB", "S4", 3)
	cmeq32 = native("VCMEQ", "S4", 3)
	umax32 = native("VUMAX", "S4", 3)
	fmla   = native("VFMLA", "S4", 3)
	fmls   = native("VFMLS", "S4", 3)
	fmla64 = native("VFMLA", "D2", 3)
	uzp32  = native("VUZP1", "S4", 3)
	uzp8   = native("VUZP1", "B16", 3)
	uzp16  = native("VUZP1", "H8", 3)
	uzp16h = native("VUZP2", "H8", 3)
	zip16  = native("VZIP1", "H8", 3)
	zip16h = native("VZIP2", "H8", 3)
	zip32  = native("VZIP1", "S4", 3)
	zip32h = native("VZIP2", "S4", 3)

	shl8   = shift("VSHL", "B16")
	ushr8  = shift("VUSHR", "B16")
	shl32  = shift("VSHL", "S4")
	ushr32 = shift("VUSHR", "S4")
	sli32  = shift("VSLI", "S4") // shifts to the left and keeps the bits below
	sli8   = shift("VSLI", "B16")
	dup    = op{native: "VDUP V%[2]d.S[%[3]d], V%[1]d.S4"}
	tbl    = op{native: "VTBL V%[3]d.B16, [V%[2]d.B16], V%[1]d.B16"}

	sdot       = op{arm: "sdot v%d.4s, v%d.16b, v%d.4b[%d]", word: 0x4f80e000, number: lane}
	fmulLane   = op{arm: "fmul v%d.4s, v%d.4s, v%d.s[%d]", word: 0x4f809000, number: lane}
	fmlaLane   = op{arm: "fmla v%d.4s, v%d.4s, v%d.s[%d]", word: 0x4f801000, number: lane}
	smlalLane  = op{arm: "smlal v%d.4s, v%d.4h, v%d.h[%d]", word: 0x0f402000, number: laneOf16}
	smlal2Lane = op{arm: "smlal2 v%d.4s, v%d.8h, v%d.h[%d]", word: 0x4f402000, number: laneOf16}
	sshr32     = op{arm: "sshr v%d.4s, v%d.4s, #%d", word: 0x4f000400, number: right(32)}
	shrn       = op{arm: "shrn v%d.8b, v%d.8h, #%d", word: 0x0f008400, number: right(8)}

	mul32   = op{arm: "mul v%d.4s, v%d.4s, v%d.4s", word: 0x4ea09c00}
	mla32   = op{arm: "mla v%d.4s, v%d.4s, v%d.4s", word: 0x4ea09400}
	smin32  = op{arm: "smin v%d.4s, v%d.4s, v%d.4s", word: 0x4ea06c00}
	neg32   = op{arm: "neg v%d.4s, v%d.4s", word: 0x6ea0b800}
	mvn     = op{arm: "mvn v%d.16b, v%d.16b", word: 0x6e205800}
	bic     = op{arm: "bic v%d.16b, v%d.16b, v%d.16b", word: 0x4e601c00}
	saddlv  = op{arm: "saddlv h%d, v%d.16b", word: 0x4e303800}
	umaxv32 = op{arm: "umaxv s%d, v%d.4s", word: 0x6eb0a800}

	fadd   = op{arm: "fadd v%d.4s, v%d.4s, v%d.4s", word: 0x4e20d400}
	fsub   = op{arm: "fsub v%d.4s, v%d.4s, v%d.4s", word: 0x4ea0d400}
	fmul   = op{arm: "fmul v%d.4s, v%d.4s, v%d.4s", word: 0x6e20dc00}
	fdiv   = op{arm: "fdiv v%d.4s, v%d.4s, v%d.4s", word: 0x6e20fc00}
	fmin   = op{arm: "fmin v%d.4s, v%d.4s, v%d.4s", word: 0x4ea0f400} // a NaN where either is
	fmax   = op{arm: "fmax v%d.4s, v%d.4s, v%d.4s", word: 0x4e20f400}
	fneg   = op{arm: "fneg v%d.4s, v%d.4s", word: 0x6ea0f800}
	fabs   = op{arm: "fabs v%d.4s, v%d.4s", word: 0x4ea0f800}
	fmaxv  = op{arm: "fmaxv s%d, v%d.4s", word: 0x6e30f800}
	fcmeq  = op{arm: "fcmeq v%d.4s, v%d.4s, v%d.4s", word: 0x4e20e400}
	fcmge  = op{arm: "fcmge v%d.4s, v%d.4s, v%d.4s", word: 0x6e20e400}
	fcmgt  = op{arm: "fcmgt v%d.4s, v%d.4s, v%d.4s", word: 0x6ea0e400}
	frintn = op{arm: "frintn v%d.4s, v%d.4s", word: 0x4e218800}
	fcvtns = op{arm: "fcvtns v%d.4s, v%d.4s", word: 0x4e21a800} // to whole numbers, ties to even
	fcvtas = op{arm: "fcvtas v%d.4s, v%d.4s", word: 0x4e21c800} // ties away from zero
	fcvtzs = op{arm: "fcvtzs v%d.4s, v%d.4s", word: 0x4ea1b800} // towards zero
	scvtf  = op{arm: "scvtf v%d.4s, v%d.4s", word: 0x4e21d800}

	fmul64   = op{arm: "fmul v%d.2d, v%d.2d, v%d.2d", word: 0x6e60dc00}
	fsub64   = op{arm: "fsub v%d.2d, v%d.2d, v%d.2d", word: 0x4ee0d400}
	fmin64   = op{arm: "fmin v%d.2d, v%d.2d, v%d.2d", word: 0x4ee0f400}
	fmax64   = op{arm: "fmax v%d.2d, v%d.2d, v%d.2d", word: 0x4e60f400}
	frintn64 = op{arm: "frintn v%d.2d, v%d.2d", word: 0x4e618800}
	fcvtns64 = op{arm: "fcvtns v%d.2d, v%d.2d", word: 0x4e61a800}
	fadd64   = op{arm: "fadd v%d.2d, v%d.2d, v%d.2d", word: 0x4e60d400}
	fcmeq64  = op{arm: "fcmeq v%d.2d, v%d.2d, #0.0", word: 0x4ee0d800}
	faddp64  = op{arm: "faddp d%d, v%d.2d", word: 0x7e70d800}
	fadd2    = op{arm: "fadd v%d.2s, v%d.2s, v%d.2s", word: 0x0e20d400}
	faddp2   = op{arm: "faddp s%d, v%d.2s", word: 0x7e30d800}

	fromHalf   = op{arm: "fcvtl v%d.4s, v%d.4h", word: 0x0e217800}
	fromHalfs  = op{arm: "fcvtl2 v%d.4s, v%d.8h", word: 0x4e217800} // the last four of eight
	toHalf     = op{arm: "fcvtn v%d.4h, v%d.4s", word: 0x0e216800}
	toHalfs    = op{arm: "fcvtn2 v%d.8h, v%d.4s", word: 0x4e216800}
	toDouble   = op{arm: "fcvtl v%d.2d, v%d.2s", word: 0x0e617800}
	toDoubles  = op{arm: "fcvtl2 v%d.2d, v%d.4s", word: 0x4e617800}
	extend8    = op{arm: "sxtl v%d.8h, v%d.8b", word: 0x0f08a400}
	extend8h   = op{arm: "sxtl2 v%d.8h, v%d.16b", word: 0x4f08a400}
	extend16   = op{arm: "sxtl v%d.4s, v%d.4h", word: 0x0f10a400}
	extend16h  = op{arm: "sxtl2 v%d.4s, v%d.8h", word: 0x4f10a400}
	narrowByte = op{arm: "xtn v%d.8b, v%d.8h", word: 0x0e212800}
)
