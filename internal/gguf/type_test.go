package gguf

import (
	"math"
	"strings"
	"testing"

	parser "github.com/gpustack/gguf-parser-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTypeNames(t *testing.T) {
	for i := range types {
		typ := Type(i)
		if !typ.Known() {
			continue
		}
		assert.Equal(t, strings.ToLower(typ.String()), typ.String())
		for _, s := range []string{typ.String(), strings.ToUpper(typ.String())} {
			got, err := ParseType(s)
			require.NoError(t, err)
			assert.Equal(t, typ, got)
		}
	}
	assert.Equal(t, "q4_0", Q4_0.String())
	assert.Equal(t, "bf16", BF16.String())
	assert.Equal(t, "q4_k", Q4_K.String())
	assert.Equal(t, "mxfp4", MXFP4.String())
}

func TestTypeUnknown(t *testing.T) {
	for _, typ := range []Type{4, 5, 31, 38, 43, 77, math.MaxUint32} {
		assert.False(t, typ.Known())
		elements, bytes := typ.Block()
		assert.Zero(t, elements)
		assert.Zero(t, bytes)
		assert.Zero(t, TensorInfo{"x", typ, []uint64{256}}.Bytes())
	}
	assert.Equal(t, "type(77)", Type(77).String())
	for _, s := range []string{"", "q4", "q4_0 ", "type(77)"} {
		_, err := ParseType(s)
		assert.ErrorContains(t, err, "unknown tensor type")
	}
}

// The table agrees with that of another implementation.
func TestTypeBlocks(t *testing.T) {
	for i := range types {
		typ := Type(i)
		if !typ.Known() {
			continue
		}
		other := parser.GGMLType(typ)
		trait, ok := other.Trait()
		require.True(t, ok, "%v", typ)
		elements, bytes := typ.Block()
		assert.Equal(t, strings.ToUpper(typ.String()), other.String())
		assert.EqualValues(t, trait.BlockSize, elements, "%v", typ)
		assert.EqualValues(t, trait.TypeSize, bytes, "%v", typ)
	}
}

func TestTensorInfoCheck(t *testing.T) {
	long := strings.Repeat("n", 63)
	for _, c := range []struct {
		info TensorInfo
		want string // "" for a good one
	}{
		{TensorInfo{"a", F32, []uint64{1}}, ""},
		{TensorInfo{long, Q8_0, []uint64{64, 2, 3, 4}}, ""},
		{TensorInfo{"ü", I8, []uint64{math.MaxInt64}}, ""},
		{TensorInfo{"a", I8, []uint64{1 << 31, 1 << 31}}, ""},
		{TensorInfo{"", F32, []uint64{1}}, "name is empty"},
		{TensorInfo{long + "n", F32, []uint64{1}}, "name has 64 bytes"},
		{TensorInfo{"\xff", F32, []uint64{1}}, "not valid UTF-8"},
		{TensorInfo{"a", F32, nil}, "0 dimensions"},
		{TensorInfo{"a", F32, []uint64{1, 1, 1, 1, 1}}, "5 dimensions"},
		{TensorInfo{"a", F32, []uint64{1, 0}}, "dimension 1 is zero"},
		{TensorInfo{"a", Type(77), []uint64{1}}, "unknown type(77)"},
		{TensorInfo{"a", Q4_0, []uint64{16, 2}}, "not whole blocks of 32 (q4_0)"},
		{TensorInfo{"a", Q4_K, []uint64{128}}, "not whole blocks of 256"},
		{TensorInfo{"a", I8, []uint64{1 << 32, 1 << 32}}, "number of elements"},
		{TensorInfo{"a", I8, []uint64{1 << 63}}, "number of elements"},
		{TensorInfo{"a", I8, []uint64{1 << 32, 1 << 31}}, "number of elements"},
		{TensorInfo{"a", F32, []uint64{1 << 61}}, "number of bytes"},
		{TensorInfo{"a", F64, []uint64{1 << 62}}, "number of bytes"},
	} {
		err := c.info.Check()
		if c.want == "" {
			assert.NoError(t, err, "%+v", c.info)
			continue
		}
		assert.ErrorContains(t, err, c.want)
		assert.ErrorContains(t, err, "tensor ")
	}
}

func TestTensorInfoSize(t *testing.T) {
	info := TensorInfo{"a", Q6_K, []uint64{512, 3, 2}}
	require.NoError(t, info.Check())
	assert.Equal(t, uint64(3072), info.Elements())
	assert.Equal(t, uint64(12*210), info.Bytes())
}
