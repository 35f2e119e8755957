package gguf

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"
)

// TensorInfo says what a tensor is, without its bytes.
type TensorInfo struct {
	Name string // 1 to 63 bytes of UTF-8
	Type Type

	// Dims holds one to four sizes in elements, in ggml's order: Dims[0] is the
	// row, whose elements lie next to each other. It is the reverse of the
	// shape that PyTorch prints.
	Dims []uint64
}

// Tensor is a tensor of an open File.
type Tensor struct {
	TensorInfo

	// Offset is where the bytes begin, counted from the start of the data
	// section of the file that holds them.
	Offset uint64

	// Shard is the index of that file in File.Paths, 0 for a file from Parse.
	Shard int

	// Data is the encoded tensor, Bytes() long. It is a view: read-only for a
	// file from Open, and valid until its Close.
	Data []byte
}

// Check reports the first thing that keeps the tensor from being stored: a bad
// name, a bad number of dimensions, a dimension of zero, an unknown type, a row
// that is not a whole number of blocks, or a size of 2^63 or more in elements
// or bytes. The error names the tensor.
func (t TensorInfo) Check() error {
	if err := t.check(); err != nil {
		return fmt.Errorf("gguf: tensor %.80q: %w", t.Name, err)
	}
	return nil
}

// check is Check without the tensor's name in the error.
func (t TensorInfo) check() error {
	switch {
	case t.Name == "":
		return errors.New("the name is empty")
	case len(t.Name) > maxName:
		return fmt.Errorf("the name has %d bytes, at most %d are allowed", len(t.Name), maxName)
	case !utf8.ValidString(t.Name):
		return errors.New("the name is not valid UTF-8")
	case len(t.Dims) == 0 || len(t.Dims) > maxDims:
		return fmt.Errorf("%d dimensions, want 1 to %d", len(t.Dims), maxDims)
	case !t.Type.Known():
		return fmt.Errorf("unknown %v", t.Type)
	}
	elements := uint64(1)
	for i, d := range t.Dims {
		if d == 0 {
			return fmt.Errorf("dimension %d is zero", i)
		}
		hi, lo := bits.Mul64(elements, d)
		if hi != 0 || lo > math.MaxInt64 {
			return fmt.Errorf("the number of elements of %v overflows", t.Dims)
		}
		elements = lo
	}
	blockElements, blockBytes := t.Type.Block()
	if t.Dims[0]%uint64(blockElements) != 0 {
		return fmt.Errorf("rows of %d elements are not whole blocks of %d (%v)",
			t.Dims[0], blockElements, t.Type)
	}
	hi, lo := bits.Mul64(elements/uint64(blockElements), uint64(blockBytes))
	if hi != 0 || lo > math.MaxInt64 {
		return fmt.Errorf("the number of bytes of %v %v overflows", t.Type, t.Dims)
	}
	return nil
}

// Elements returns the product of Dims. It is meaningful for a tensor that
// passes Check.
func (t TensorInfo) Elements() uint64 {
	n := uint64(1)
	for _, d := range t.Dims {
		n *= d
	}
	return n
}

// Bytes returns the length of the encoded tensor, without padding. It is
// meaningful for a tensor that passes Check, and 0 for an unknown type.
func (t TensorInfo) Bytes() uint64 {
	elements, bytes := t.Type.Block()
	if elements == 0 {
		return 0
	}
	return t.Elements() / uint64(elements) * uint64(bytes)
}

// after returns the offset of whatever follows a tensor of n bytes that begins
// at off, and false if that is 2^63 or more.
func after(off, n, align uint64) (uint64, bool) {
	end := pad(n, align) + off
	return end, end <= math.MaxInt64
}
