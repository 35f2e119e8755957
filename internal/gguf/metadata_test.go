package gguf

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMetadataUint(t *testing.T) {
	for _, v := range []any{uint8(7), int8(7), uint16(7), int16(7), uint32(7), int32(7), uint64(7), int64(7)} {
		n, err := Metadata{{"other", "x"}, {"k", v}}.Uint("k")
		require.NoError(t, err, "%T", v)
		assert.Equal(t, uint64(7), n)
	}
	for _, v := range []any{int8(-1), int16(-1), int32(-1), int64(-1)} {
		_, err := Metadata{{"k", v}}.Uint("k")
		assert.EqualError(t, err, `gguf: key "k" is -1, want an integer that is not negative`)
	}
	_, err := Metadata{{"k", float32(1)}}.Uint("k")
	assert.EqualError(t, err, `gguf: key "k" holds float32, want an integer`)
}

func TestMetadataGet(t *testing.T) {
	m := everyValue()

	f, err := m.Float("f32")
	require.NoError(t, err)
	assert.Equal(t, -1.5, f)
	_, err = m.Float("f64")
	require.NoError(t, err)
	_, err = m.Float("u32")
	assert.EqualError(t, err, `gguf: key "u32" holds uint32, want float32 or float64`)

	b, err := m.Bool("true")
	require.NoError(t, err)
	assert.True(t, b)
	_, err = m.Bool("u8")
	assert.EqualError(t, err, `gguf: key "u8" holds uint8, want bool`)

	s, err := m.String("str")
	require.NoError(t, err)
	assert.Equal(t, "grüße\x00\n\xff", s)
	_, err = m.String("strs")
	assert.EqualError(t, err, `gguf: key "strs" holds array of string, want string`)

	ss, err := m.Strings("strs")
	require.NoError(t, err)
	assert.Len(t, ss, 4)
	_, err = m.Strings("i32s.empty")
	assert.EqualError(t, err, `gguf: key "i32s.empty" holds array of int32, want array of string`)

	v, ok := m.Lookup("u16s")
	assert.True(t, ok)
	assert.Equal(t, []uint16{1, 65535}, v)
}

func TestMetadataMissing(t *testing.T) {
	m := Metadata{{"k", "v"}}
	_, ok := m.Lookup("absent")
	assert.False(t, ok)
	errs := map[string]error{}
	_, errs["Uint"] = m.Uint("absent")
	_, errs["Float"] = m.Float("absent")
	_, errs["Bool"] = m.Bool("absent")
	_, errs["String"] = m.String("absent")
	_, errs["Strings"] = m.Strings("absent")
	for name, err := range errs {
		assert.ErrorIs(t, err, ErrMissing, name)
		assert.EqualError(t, err, `gguf: missing key "absent"`, name)
	}
}
