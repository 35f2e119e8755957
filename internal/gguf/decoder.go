package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// decoder walks over the header of a file. Every method that fails says at
// which byte.
type decoder struct {
	data []byte
	pos  int

	// What is being read, for error messages: "key" or "tensor", and its name.
	item, name string
}

func (d *decoder) left() uint64 { return uint64(len(d.data) - d.pos) }

// errorf makes an error about the byte at offset at.
func (d *decoder) errorf(at int, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if d.name != "" {
		what = fmt.Sprintf("%s %.80q: %s", d.item, d.name, what)
	}
	return fmt.Errorf("%w: byte %d: %s", ErrFormat, at, what)
}

// take returns the next n bytes, as a view.
func (d *decoder) take(n uint64, what string) ([]byte, error) {
	if n > d.left() {
		return nil, d.errorf(d.pos, "truncated: %s takes %d bytes, %d are left", what, n, d.left())
	}
	b := d.data[d.pos : d.pos+int(n)]
	d.pos += int(n)
	return b, nil
}

func (d *decoder) uint32(what string) (uint32, error) {
	b, err := d.take(4, what)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (d *decoder) uint64(what string) (uint64, error) {
	b, err := d.take(8, what)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// count reads the number of things that follow, each of which takes at least
// size bytes. Nobody may allocate for a number that did not come from here.
func (d *decoder) count(size uint64, what string) (uint64, error) {
	at := d.pos
	n, err := d.uint64("number of " + what)
	if err != nil {
		return 0, err
	}
	if err := d.fits(at, n, size, what); err != nil {
		return 0, err
	}
	return n, nil
}

func (d *decoder) fits(at int, n, size uint64, what string) error {
	if room := d.left() / size; n > room {
		return d.errorf(at, "truncated: %d %s cannot lie in the %d bytes that are left", n, what, d.left())
	}
	return nil
}

// text reads a string of at most limit bytes.
func (d *decoder) text(limit uint64, what string) (string, error) {
	at := d.pos
	n, err := d.uint64("length of " + what)
	if err != nil {
		return "", err
	}
	if n > limit {
		return "", d.errorf(at, "%s of %d bytes, at most %d are allowed", what, n, limit)
	}
	b, err := d.take(n, what)
	return string(b), err
}

// value reads a value after its kind.
func (d *decoder) value() (any, error) {
	at := d.pos
	k, err := d.uint32("type of the value")
	if err != nil {
		return nil, err
	}
	if kind(k) == kindArray {
		return d.array()
	}
	if uint64(k) >= uint64(len(kinds)) {
		return nil, d.errorf(at, "unknown value type %d", k)
	}
	return kinds[k].one(d)
}

// array reads the rest of an array: the kind of its elements, their number, and
// the elements.
func (d *decoder) array() (any, error) {
	at := d.pos
	k, err := d.uint32("type of the elements")
	switch {
	case err != nil:
		return nil, err
	case kind(k) == kindArray:
		return nil, d.errorf(at, "arrays of arrays are not supported")
	case uint64(k) >= uint64(len(kinds)):
		return nil, d.errorf(at, "unknown element type %d", k)
	}
	n, err := d.count(1, "elements")
	if err != nil {
		return nil, err
	}
	return kinds[k].many(d, n)
}

type numeric interface {
	uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | float32 | float64
}

func number[T numeric](d *decoder) (any, error) {
	var v T
	b, err := d.take(uint64(binary.Size(v)), "value")
	if err != nil {
		return nil, err
	}
	_, err = binary.Decode(b, binary.LittleEndian, &v)
	return v, err
}

func numbers[T numeric](d *decoder, n uint64) (any, error) {
	var zero T
	size := uint64(binary.Size(zero))
	if err := d.fits(d.pos, n, size, "elements"); err != nil {
		return nil, err
	}
	b, err := d.take(n*size, "array")
	if err != nil {
		return nil, err
	}
	v := make([]T, n)
	_, err = binary.Decode(b, binary.LittleEndian, v)
	return v, err
}

func oneBool(d *decoder) (any, error) {
	b, err := d.bools(1)
	if err != nil {
		return nil, err
	}
	return b[0], nil
}

func manyBools(d *decoder, n uint64) (any, error) {
	v, err := d.bools(n)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (d *decoder) bools(n uint64) ([]bool, error) {
	at := d.pos
	b, err := d.take(n, "bool")
	if err != nil {
		return nil, err
	}
	v := make([]bool, n)
	for i, x := range b {
		if x > 1 {
			return nil, d.errorf(at+i, "a bool is %d, want 0 or 1", x)
		}
		v[i] = x == 1
	}
	return v, nil
}

func oneString(d *decoder) (any, error) {
	return d.text(math.MaxUint64, "string")
}

// manyStrings walks over the strings twice: once to check their lengths, and
// once to cut them out of a single copy of the whole array. A vocabulary of
// 150 000 tokens so costs two allocations.
func manyStrings(d *decoder, n uint64) (any, error) {
	if err := d.fits(d.pos, n, 8, "strings"); err != nil {
		return nil, err
	}
	start := d.pos
	for range n {
		size, err := d.uint64("length of string")
		if err != nil {
			return nil, err
		}
		if _, err := d.take(size, "string"); err != nil {
			return nil, err
		}
	}
	raw := d.data[start:d.pos]
	text := string(raw)
	v := make([]string, n)
	pos := 0
	for i := range v {
		end := pos + 8 + int(binary.LittleEndian.Uint64(raw[pos:]))
		v[i] = text[pos+8 : end]
		pos = end
	}
	return v, nil
}
