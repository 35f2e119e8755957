package gguf

import (
	"encoding/binary"
	"fmt"
	"reflect"
)

// kind is the number by which the format knows the type of a value.
type kind uint32

const (
	kindUint8   kind = 0
	kindInt8    kind = 1
	kindUint16  kind = 2
	kindInt16   kind = 3
	kindUint32  kind = 4
	kindInt32   kind = 5
	kindFloat32 kind = 6
	kindBool    kind = 7
	kindString  kind = 8
	kindArray   kind = 9
	kindUint64  kind = 10
	kindInt64   kind = 11
	kindFloat64 kind = 12
)

// kinds gives the name of each kind and how to decode one value and an array of
// n values. An array has no entry as an element: arrays do not nest.
var kinds = [...]struct {
	name string
	one  func(*decoder) (any, error)
	many func(d *decoder, n uint64) (any, error)
}{
	kindUint8:   {"uint8", number[uint8], numbers[uint8]},
	kindInt8:    {"int8", number[int8], numbers[int8]},
	kindUint16:  {"uint16", number[uint16], numbers[uint16]},
	kindInt16:   {"int16", number[int16], numbers[int16]},
	kindUint32:  {"uint32", number[uint32], numbers[uint32]},
	kindInt32:   {"int32", number[int32], numbers[int32]},
	kindFloat32: {"float32", number[float32], numbers[float32]},
	kindBool:    {"bool", oneBool, manyBools},
	kindString:  {"string", oneString, manyStrings},
	kindArray:   {"array", nil, nil},
	kindUint64:  {"uint64", number[uint64], numbers[uint64]},
	kindInt64:   {"int64", number[int64], numbers[int64]},
	kindFloat64: {"float64", number[float64], numbers[float64]},
}

// kindOf returns the kind of a Go value, and for an array the kind of its
// elements. It reports false for a value that the format cannot hold.
func kindOf(v any) (k, elem kind, ok bool) {
	switch v.(type) {
	case uint8:
		return kindUint8, 0, true
	case int8:
		return kindInt8, 0, true
	case uint16:
		return kindUint16, 0, true
	case int16:
		return kindInt16, 0, true
	case uint32:
		return kindUint32, 0, true
	case int32:
		return kindInt32, 0, true
	case float32:
		return kindFloat32, 0, true
	case bool:
		return kindBool, 0, true
	case string:
		return kindString, 0, true
	case uint64:
		return kindUint64, 0, true
	case int64:
		return kindInt64, 0, true
	case float64:
		return kindFloat64, 0, true
	case []uint8:
		return kindArray, kindUint8, true
	case []int8:
		return kindArray, kindInt8, true
	case []uint16:
		return kindArray, kindUint16, true
	case []int16:
		return kindArray, kindInt16, true
	case []uint32:
		return kindArray, kindUint32, true
	case []int32:
		return kindArray, kindInt32, true
	case []float32:
		return kindArray, kindFloat32, true
	case []bool:
		return kindArray, kindBool, true
	case []string:
		return kindArray, kindString, true
	case []uint64:
		return kindArray, kindUint64, true
	case []int64:
		return kindArray, kindInt64, true
	case []float64:
		return kindArray, kindFloat64, true
	}
	return 0, 0, false
}

// typeName names the type of a value for an error message.
func typeName(v any) string {
	k, elem, ok := kindOf(v)
	switch {
	case !ok:
		return fmt.Sprintf("%T", v)
	case k == kindArray:
		return "array of " + kinds[elem].name
	}
	return kinds[k].name
}

// appendValue appends the kind and the encoding of a value.
func appendValue(b []byte, v any) ([]byte, error) {
	k, elem, ok := kindOf(v)
	if !ok {
		return nil, fmt.Errorf("a value of type %T cannot be stored", v)
	}
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(k))
	if k == kindArray {
		b = le.AppendUint32(b, uint32(elem))
		b = le.AppendUint64(b, uint64(reflect.ValueOf(v).Len()))
	}
	switch v := v.(type) {
	case string:
		return appendString(b, v), nil
	case []string:
		for _, s := range v {
			b = appendString(b, s)
		}
		return b, nil
	}
	return binary.Append(b, le, v)
}

func appendString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
	return append(b, s...)
}
