package gguf

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// KeyValue is one entry of a file's metadata.
type KeyValue struct {
	Key string // 1 to 65535 bytes of UTF-8

	// Value is a uint8, int8, uint16, int16, uint32, int32, uint64, int64,
	// float32, float64, bool or string, or a slice of one of these. The Go type
	// decides the type in the file: an empty []int32 stays an array of int32.
	Value any
}

// Metadata is the list of key-value pairs of a file, in the file's order. Keys
// are unique.
type Metadata []KeyValue

// Lookup returns the value of the key and whether there is one.
func (m Metadata) Lookup(key string) (any, bool) {
	for i := range m {
		if m[i].Key == key {
			return m[i].Value, true
		}
	}
	return nil, false
}

// Uint returns the value of a key that holds an integer of any type. It fails
// with ErrMissing, or if the value is negative or no integer.
func (m Metadata) Uint(key string) (uint64, error) {
	v, ok := m.Lookup(key)
	if !ok {
		return 0, missing(key)
	}
	var n int64
	switch v := v.(type) {
	case uint8:
		return uint64(v), nil
	case uint16:
		return uint64(v), nil
	case uint32:
		return uint64(v), nil
	case uint64:
		return v, nil
	case int8:
		n = int64(v)
	case int16:
		n = int64(v)
	case int32:
		n = int64(v)
	case int64:
		n = v
	default:
		return 0, wrongType(key, v, "an integer")
	}
	if n < 0 {
		return 0, fmt.Errorf("gguf: key %.80q is %d, want an integer that is not negative", key, n)
	}
	return uint64(n), nil
}

// Float returns the value of a key that holds a float32 or a float64. It fails
// with ErrMissing, or if the value has another type.
func (m Metadata) Float(key string) (float64, error) {
	v, ok := m.Lookup(key)
	if !ok {
		return 0, missing(key)
	}
	switch v := v.(type) {
	case float32:
		return float64(v), nil
	case float64:
		return v, nil
	}
	return 0, wrongType(key, v, "float32 or float64")
}

// Bool returns the value of a key that holds a bool. It fails with ErrMissing,
// or if the value has another type.
func (m Metadata) Bool(key string) (bool, error) {
	return lookup[bool](m, key, "bool")
}

// String returns the value of a key that holds a string. It fails with
// ErrMissing, or if the value has another type.
func (m Metadata) String(key string) (string, error) {
	return lookup[string](m, key, "string")
}

// Strings returns the value of a key that holds an array of strings. It fails
// with ErrMissing, or if the value has another type. The slice is not a copy.
func (m Metadata) Strings(key string) ([]string, error) {
	return lookup[[]string](m, key, "array of string")
}

func lookup[T any](m Metadata, key, want string) (T, error) {
	var zero T
	v, ok := m.Lookup(key)
	if !ok {
		return zero, missing(key)
	}
	t, ok := v.(T)
	if !ok {
		return zero, wrongType(key, v, want)
	}
	return t, nil
}

func missing(key string) error {
	return fmt.Errorf("%w %.80q", ErrMissing, key)
}

func wrongType(key string, v any, want string) error {
	return fmt.Errorf("gguf: key %.80q holds %s, want %s", key, typeName(v), want)
}

// checkKey reports why a key may not be stored. The caller names the key.
func checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("the key is empty")
	case len(key) > maxKey:
		return fmt.Errorf("the key has %d bytes, at most %d are allowed", len(key), maxKey)
	case !utf8.ValidString(key):
		return errors.New("the key is not valid UTF-8")
	}
	return nil
}

// alignment returns what the metadata says of the alignment of tensors, in
// bytes.
func (m Metadata) alignment() (uint64, error) {
	v, ok := m.Lookup(alignmentKey)
	if !ok {
		return defaultAlignment, nil
	}
	a, ok := v.(uint32)
	if !ok {
		return 0, fmt.Errorf("key %q holds %s, want uint32", alignmentKey, typeName(v))
	}
	if a < minAlignment || a > maxAlignment || a&(a-1) != 0 {
		return 0, fmt.Errorf("key %q is %d, want a power of two from %d to %d",
			alignmentKey, a, minAlignment, maxAlignment)
	}
	return uint64(a), nil
}
