package kernels

import "fmt"

// Type is the layout of a matrix row. The numbers are ggml's type ids, so that
// a GGUF type converts by a cast; only the listed ones can be computed with.
type Type uint32

const (
	F32    Type = 0  // IEEE 754 single, little endian
	F16    Type = 1  // IEEE 754 half
	Q4_0   Type = 2  // 32 weights: half d, 16 bytes of nibbles; w = d·(q-8)
	Q4_1   Type = 3  // 32 weights of 4 bits; w = d·q + m
	Q5_0   Type = 6  // 32 weights of 5 bits; w = d·(q-16)
	Q5_1   Type = 7  // 32 weights of 5 bits; w = d·q + m
	Q8_0   Type = 8  // 32 weights: half d, 32 signed bytes; w = d·q
	Q2_K   Type = 10 // 256 weights of 2 bits; w = d·scale·q - dmin·min, for each 16
	Q3_K   Type = 11 // 256 weights of 3 bits; w = d·scale·(q-4), for each 16
	Q4_K   Type = 12 // 256 weights of 4 bits; w = d·scale·q - dmin·min, for each 32
	Q5_K   Type = 13 // 256 weights of 5 bits; w = d·scale·q - dmin·min, for each 32
	Q6_K   Type = 14 // 256 weights of 6 bits; w = d·scale·(q-32), for each 16
	IQ4_NL Type = 20 // 32 weights of 4 bits; w = d·table[q]
	BF16   Type = 30 // upper half of a single
	MXFP4  Type = 39 // 32 weights of 4 bits; w = 2^(e-128)·table[q]
)

// Block returns how many weights a block of the layout holds and how many
// bytes it takes; 0, 0 for a layout that this package does not know.
func (t Type) Block() (weights, bytes int) {
	switch t {
	case F32:
		return 1, 4
	case F16, BF16:
		return 1, 2
	case MXFP4:
		return 32, 17
	case Q4_0, IQ4_NL:
		return 32, 18
	case Q4_1:
		return 32, 20
	case Q5_0:
		return 32, 22
	case Q5_1:
		return 32, 24
	case Q8_0:
		return 32, 34
	case Q2_K:
		return 256, 84
	case Q3_K:
		return 256, 110
	case Q4_K:
		return 256, 144
	case Q5_K:
		return 256, 176
	case Q6_K:
		return 256, 210
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
