package kernels

import "fmt"

// Type is the layout of a matrix row. The numbers are ggml's type ids, so that
// a GGUF type converts by a cast; only the listed ones can be computed with.
type Type uint32

const (
	F32  Type = 0  // IEEE 754 single, little endian
	F16  Type = 1  // IEEE 754 half
	Q4_0 Type = 2  // 32 weights: half d, 16 bytes of nibbles; w = d·(q-8)
	Q8_0 Type = 8  // 32 weights: half d, 32 signed bytes; w = d·q
	BF16 Type = 30 // upper half of a single
)

// Block returns how many weights a block of the layout holds and how many
// bytes it takes; 0, 0 for a layout that this package does not know.
func (t Type) Block() (weights, bytes int) {
	switch t {
	case F32:
		return 1, 4
	case F16, BF16:
		return 1, 2
	case Q4_0:
		return 32, 18
	case Q8_0:
		return 32, 34
	}
	return 0, 0
}

// RowBytes returns the size of a row of cols weights. It is an error when the
// layout is unknown or cols is not a whole number of blocks.
func (t Type) RowBytes(cols int) (int, error) {
	weights, bytes := t.Block()
	if weights == 0 {
		return 0, fmt.Errorf("kernels: no arithmetic for type %d", uint32(t))
	}
	if cols%weights != 0 {
		return 0, fmt.Errorf("kernels: a row of %d weights is not a whole number of blocks of %d", cols, weights)
	}
	return cols / weights * bytes, nil
}
