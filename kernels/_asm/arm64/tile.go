package main

import "fmt"

// Offsets in a block of activations. What follows the codes is 16 bytes.
const (
	xHeader = 32 // scale, sum, sums of halfs, bias: lanes 0 to 3 of 32 bits
	xBytes  = 48

	xScale, xSum, xBias = 0, 1, 3 // lanes
)

// A format is how packed weights become codes and scales.
type format struct {
	name  string
	size  int // bytes of a block of eight rows
	frame int // bytes of stack
	emit  func(*tiler)
}

var formats = []format{
	{"Q4_0", 8 * 18, 0, func(t *tiler) {
		t.begin(biased, 0)
		t.sumNibbles(16)
		t.addScaled(t.scales(0), 0)
	}},
	{"Q4_1", 8 * 20, 0, func(t *tiler) {
		t.begin(unbiased, 0)
		t.sumNibbles(32)
		t.addScaled(t.scales(0), 0)
		t.addOffset(t.scales(16))
	}},
	{"Q5_0", 8 * 22, 0, func(t *tiler) {
		t.begin(unbiased, 0)
		t.sumFifths(48, 16)
		t.addScaled(t.scales(0), 0)
	}},
	{"Q5_1", 8 * 24, 0, func(t *tiler) {
		t.begin(raised, 0)
		t.sumFifths(64, 32)
		t.addScaled(t.scales(0), 0)
		t.addOffset(t.scales(16))
	}},
	{"Q8_0", 8 * 34, 0, func(t *tiler) {
		t.begin(unbiased, 0)
		t.sumBytes(16)
		t.addScaled(t.scales(0), 0)
	}},
	{"IQ4_NL", 8 * 18, 0, func(t *tiler) {
		t.begin(unbiased, 0)
		t.sumLookups(16)
		t.addScaled(t.scales(0), 0)
	}},
	{"Q4_K", 8 * 144, kFrame, (*tiler).q4K},
	{"Q5_K", 8 * 176, kFrame, (*tiler).q5K},
	{"Q6_K", 8 * 210, 0, (*tiler).q6K},
}

func tiles(w *writer) {
	for _, f := range formats {
		for rows := 1; rows <= 4; rows++ {
			tile(w, f, rows)
		}
	}
}

// superblock is less than blocks of 256 weights take.
const superblock = 1000

// A tiler prints the function that multiplies tiles of eight packed rows with up to
// four rows of activations. Eight values, one a row, are a pair of registers.
//
// Four groups of four codes of an activation fill a register, and one instruction
// multiplies a group of all eight rows with one of them.
type tiler struct {
	*writer
	w     gp       // the block of weights
	x     []gp     // the blocks of activations
	codes [][2]vec // of activations
	sum   [][2]vec // of the block, whole numbers
	acc   [][2]vec // of the row
	mask  vec      // 15 in bytes
	table vec      // of IQ4_NL
}

func tile(w *writer, f format, rows int) {
	name := fmt.Sprintf("tile%sx%d", f.name, rows)
	w.function(name, "dst *float32, stride int, w *byte, x **int8, blocks, tiles int", "", f.frame,
		fmt.Sprintf("%s is the tileFunc of %s for %d.", name, f.name, rows))
	t := &tiler{writer: w}
	dst, stride := t.argument("dst"), t.argument("stride")
	t.w = t.argument("w")
	tiles, blocks, to := t.argument("tiles"), t.register(), t.register()
	t.x = t.registers(rows)
	for range rows {
		t.acc = append(t.acc, t.pair())
		t.sum = append(t.sum, t.pair())
		t.codes = append(t.codes, t.pair())
	}
	t.constants(f.name)
	t.loop("tile", tiles, func() {
		t.reload("x", to)
		for r, x := range t.x {
			t.zero(t.acc[r][:]...)
			t.emit("MOVD %d(%s), %s", 8*r, to, x)
		}
		t.reload("blocks", blocks)
		t.loop("block", blocks, func() {
			f.emit(t)
			t.emit("ADD $%d, %s", f.size, t.w)
			if f.size < superblock {
				t.advance(1)
			}
		})
		t.emit("MOVD %s, %s", dst, to)
		for r, a := range t.acc {
			if r > 0 {
				t.emit("ADD %s, %s", stride, to)
			}
			t.store2(a, to, 0)
		}
		t.emit("ADD $32, %s", dst)
	})
	t.emit("RET")
}

// constants loads what a format needs in all blocks.
func (t *tiler) constants(format string) {
	switch format {
	case "Q4_0", "Q4_1", "Q4_K", "IQ4_NL":
		t.mask = t.bytes(15)
	}
	if format == "IQ4_NL" {
		t.table = t.vector()
		var half [2]uint64
		for i, v := range valuesIQ4NL {
			half[i/8] |= uint64(uint8(v)) << (i % 8 * 8)
		}
		t.emit("VMOVQ $%#x, $%#x, V%d", half[0], half[1], t.table)
	}
}

// advance moves on by blocks of activations.
func (t *tiler) advance(blocks int) {
	for _, x := range t.x {
		t.emit("ADD $%d, %s", blocks*xBytes, x)
	}
}

// What sums begin with, for each activation: what its code is to be multiplied with
// beside the bits of a weight's.
type beginning int

const (
	unbiased beginning = 0
	biased   beginning = -8 // codes of 4 bits count from -8
	raised   beginning = 16 // codes of 5 bits are taken to count from -16
)

// begin loads the codes of the block of activations at x, and begins sums.
func (t *tiler) begin(from beginning, x int) {
	for r := range t.x {
		if s := t.sum[r]; from == unbiased {
			t.zero(s[:]...)
		} else {
			t.load(t.x[r], x+xHeader, s[1])
			if from == raised { // 16 = -8 · -2
				t.do(shl32, s[1], s[1], 1)
				t.do(neg32, s[1], s[1])
			}
			t.do(dup, s[0], s[1], xBias)
			t.do(dup, s[1], s[1], xBias)
		}
		t.load2(t.x[r], x, t.codes[r])
	}
}

// multiply multiplies the codes q, of group g of four weights, with those of all
// rows.
func (t *tiler) multiply(q [2]vec, g int) {
	for r, codes := range t.codes {
		for h := range q {
			t.do(sdot, t.sum[r][h], q[h], codes[g/4], g%4)
		}
	}
}

// sumNibbles sums up 32 weights with codes of 4 bits from disp on: weight k in the
// low and weight k+16 in the high half of byte k.
func (t *tiler) sumNibbles(disp int) {
	lo, hi := t.pair(), t.pair()
	for g := range 4 {
		t.load2(t.w, disp+32*g, lo)
		for h := range lo {
			t.do(ushr8, hi[h], lo[h], 4)
			t.do(and, lo[h], lo[h], t.mask)
		}
		t.multiply(lo, g)
		t.multiply(hi, g+4)
	}
	t.release(append(lo[:], hi[:]...)...)
}

// sumFifths is sumNibbles with a fifth bit, of codes that count from -16.
func (t *tiler) sumFifths(disp, fifths int) {
	lo, hi, f := t.pair(), t.pair(), t.pair()
	t.load2(t.w, fifths, f)
	t.flip(f)
	for g := range 4 {
		t.load2(t.w, disp+32*g, lo)
		for h := range lo {
			t.do(ushr8, hi[h], lo[h], 4)
		}
		t.lower(lo, f, g)
		t.multiply(lo, g)
		t.lower(hi, f, g+4)
		t.multiply(hi, g+4)
	}
	t.release(append(append(lo[:], hi[:]...), f[:]...)...)
}

// flip prepares fifth bits for lower.
func (t *tiler) flip(f [2]vec) {
	for _, f := range f {
		t.do(mvn, f, f)
	}
}

// lower makes the low nibbles of q, of group g of four weights, bytes, less 16 where
// the flipped fifth bit is set.
func (t *tiler) lower(q, f [2]vec, g int) {
	place, set := t.bytes(1<<g), t.vector()
	for h := range q {
		t.do(cmtst, set, f[h], place) // 0 or -1
		t.do(sli8, q[h], set, 4)
	}
	t.release(place, set)
}

// sumBytes sums up 32 weights of 8 bits from disp on.
func (t *tiler) sumBytes(disp int) {
	for g := range 8 {
		q := t.pair()
		t.load2(t.w, disp+32*g, q)
		t.multiply(q, g)
		t.release(q[:]...)
	}
}

// valuesIQ4NL are ValuesIQ4_NL of package kernels.
var valuesIQ4NL = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// sumLookups sums up 32 weights whose nibbles, from disp on, are places in
// valuesIQ4NL.
func (t *tiler) sumLookups(disp int) {
	lo, hi := t.pair(), t.pair()
	for g := range 4 {
		t.load2(t.w, disp+32*g, lo)
		for h := range lo {
			t.do(ushr8, hi[h], lo[h], 4)
			t.do(and, lo[h], lo[h], t.mask)
			t.do(tbl, lo[h], t.table, lo[h])
			t.do(tbl, hi[h], t.table, hi[h])
		}
		t.multiply(lo, g)
		t.multiply(hi, g+4)
	}
	t.release(append(lo[:], hi[:]...)...)
}

// scales returns the eight half floats at disp in the block of weights, in registers
// that addScaled and addOffset make free again.
func (t *tiler) scales(disp int) [2]vec {
	d := t.pair()
	t.load(t.w, disp, d[1])
	t.do(fromHalf, d[0], d[1])
	t.do(fromHalfs, d[1], d[1])
	return d
}

// addScaled adds the sums, times the scales of weights and activations, to those
// of the rows. x is where the block of activations is. What follows its codes takes
// their place.
func (t *tiler) addScaled(scales [2]vec, x int) {
	d := t.pair()
	for r, s := range t.sum {
		header := t.codes[r][0]
		t.load(t.x[r], x+xHeader, header)
		for h := range d {
			t.do(fmulLane, d[h], scales[h], header, xScale)
			t.do(scvtf, s[h], s[h])
			t.do(fmla, t.acc[r][h], d[h], s[h])
		}
	}
	t.release(append(d[:], scales[:]...)...)
}

// addOffset adds the offsets of weights times the sums of activations, after
// addScaled.
func (t *tiler) addOffset(offsets [2]vec) {
	for r, a := range t.acc {
		for h := range a {
			t.do(fmlaLane, a[h], offsets[h], t.codes[r][0], xSum)
		}
	}
	t.release(offsets[:]...)
}
