package kernels

import (
	"fmt"
	"math"
	"unsafe"
)

// blockLen is how many activations share a scale.
const blockLen = 32

// A block is 32 activations, rounded: x ≈ scale·q. What follows from the codes
// and is needed once for every row of weights stands beside them. Assembly knows
// the offsets of the fields.
type block struct {
	q     [blockLen]int8 // -127 to 127
	scale float32        // the greatest magnitude over 127
	sum   float32        // scale · Σq, rounded once
	halfs [2]int16       // Σq of the first 16 and of the last 16
	bias  int32          // -8 · Σq, what codes of 4 bits around 8 are off by
}

// Activations are the rows that matrices are multiplied with: the values, and
// their rounded form for weights in blocks.
//
// One form serves every block format: 32 values in a row share a scale, and
// round to the nearest of -127 to 127, ties to even. The relative error is about
// that of Q8_0, and of half a percent.
//
// The zero value has no rows. [Activations.Reset] gives it some.
type Activations struct {
	Rows, Cols int
	X          []float32 // [Rows, Cols]

	blocks []block // [Rows, Cols/32], empty unless Cols is a multiple of 32
}

// NewActivations returns activations that never allocate as long as Reset asks
// for at most values values.
func NewActivations(values int) *Activations {
	return &Activations{blocks: make([]block, 0, (values+blockLen-1)/blockLen)}
}

// ActivationBytes returns how many bytes NewActivations(values) takes.
func ActivationBytes(values int) int {
	return (values + blockLen - 1) / blockLen * int(unsafe.Sizeof(block{}))
}

// Reset makes the activations those in x, which is [rows, cols] and stays the
// caller's: Product reads it for weights of float types. For weights in blocks,
// the rows must be rounded by [Activations.Quantize] first.
func (a *Activations) Reset(x []float32, rows, cols int) {
	if rows < 0 || cols < 0 || len(x) < rows*cols {
		panic(fmt.Sprintf("kernels: %d activations are not %d rows of %d", len(x), rows, cols))
	}
	a.Rows, a.Cols, a.X = rows, cols, x[:rows*cols]
	n := 0
	if cols%blockLen == 0 {
		n = rows * cols / blockLen
	}
	if n > cap(a.blocks) {
		a.blocks = make([]block, n)
	}
	a.blocks = a.blocks[:n]
}

// Quantize rounds rows lo to hi. Disjoint ranges may be rounded at the same time.
func (a *Activations) Quantize(lo, hi int) {
	n := a.Cols / blockLen
	active.quantize(a.blocks[lo*n:hi*n], a.X[lo*a.Cols:hi*a.Cols])
}

// QuantizePart rounds columns lo to hi of one row; both are multiples of 32.
// Disjoint ranges may be rounded at the same time.
func (a *Activations) QuantizePart(row, lo, hi int) {
	at := row * a.Cols
	active.quantize(a.blocks[(at+lo)/blockLen:(at+hi)/blockLen], a.X[at+lo:at+hi])
}

// row returns the blocks of row r.
func (a *Activations) row(r int) []block {
	n := a.Cols / blockLen
	return a.blocks[r*n : (r+1)*n]
}

// least is the smallest magnitude that is not rounded to zero: 127 over a
// smaller one is infinite.
const least = 0x1p-120

// quantizePlain rounds len(dst) blocks of src. A block with an infinity or a NaN
// gets NaN as its scale, so that all that is computed from it is NaN.
func quantizePlain(dst []block, src []float32) {
	for i := range dst {
		b, x := &dst[i], (*[blockLen]float32)(src[i*blockLen:])
		var most uint32 // compared as bits: NaNs are greater than infinity
		for _, v := range x {
			most = max(most, math.Float32bits(v)&^(1<<31))
		}
		amax := math.Float32frombits(most)
		*b = block{}
		if !(amax <= math.MaxFloat32) {
			b.scale, b.sum = float32(math.NaN()), float32(math.NaN())
			continue
		}
		if amax < least {
			continue
		}
		b.scale = amax / 127
		inverse := 127 / amax
		for k, v := range x {
			q := int8(math.RoundToEven(float64(v * inverse)))
			b.q[k] = q
			b.halfs[k/16] += int16(q)
		}
		sum := int32(b.halfs[0]) + int32(b.halfs[1])
		b.sum = b.scale * float32(sum)
		b.bias = -8 * sum
	}
}
