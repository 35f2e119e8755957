package gguf

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everyValue holds one key for each type that the format knows, with the edges
// of its range, and an empty array of each.
func everyValue() Metadata {
	return Metadata{
		{"u8", uint8(math.MaxUint8)},
		{"i8", int8(math.MinInt8)},
		{"u16", uint16(math.MaxUint16)},
		{"i16", int16(math.MinInt16)},
		{"u32", uint32(math.MaxUint32)},
		{"i32", int32(math.MinInt32)},
		{"f32", float32(-1.5)},
		{"true", true},
		{"false", false},
		{"str", "grüße\x00\n\xff"},
		{"str.empty", ""},
		{"u64", uint64(math.MaxUint64)},
		{"i64", int64(math.MinInt64)},
		{"f64", math.Inf(-1)},
		{"u8s", []uint8{0, 1, 255}},
		{"i8s", []int8{-128, 127}},
		{"u16s", []uint16{1, 65535}},
		{"i16s", []int16{-1, 32767}},
		{"u32s", []uint32{1, math.MaxUint32}},
		{"i32s", []int32{-1, math.MaxInt32}},
		{"f32s", []float32{0, float32(math.Copysign(0, -1)), 3.25}},
		{"bools", []bool{true, false, true}},
		{"strs", []string{"", "a", "<|mask|>", "\xf0"}},
		{"u64s", []uint64{1, math.MaxUint64}},
		{"i64s", []int64{math.MinInt64, 7}},
		{"f64s", []float64{math.Pi, math.SmallestNonzeroFloat64}},
		{"u8s.empty", []uint8{}},
		{"i8s.empty", []int8{}},
		{"u16s.empty", []uint16{}},
		{"i16s.empty", []int16{}},
		{"u32s.empty", []uint32{}},
		{"i32s.empty", []int32{}},
		{"f32s.empty", []float32{}},
		{"bools.empty", []bool{}},
		{"strs.empty", []string{}},
		{"u64s.empty", []uint64{}},
		{"i64s.empty", []int64{}},
		{"f64s.empty", []float64{}},
	}
}

// small is a file that has a bit of everything and is short enough to be
// damaged in every place.
func small() (Metadata, []TensorInfo) {
	return Metadata{
			{"general.architecture", "llada2"},
			{"n", uint32(3)},
			{"scale", []float32{1, 2}},
			{"tokens", []string{"a", "", "bc"}},
			{"flags", []bool{true, false}},
			{"on", true},
		}, []TensorInfo{
			{"a.weight", F32, []uint64{3, 2}},
			{"b.weight", Q4_0, []uint64{32, 1, 2}},
			{"c.bias", I8, []uint64{5}},
		}
}

// content returns recognizable bytes for a tensor, none of them zero.
func content(info TensorInfo) []byte {
	b := make([]byte, info.Bytes())
	for i := range b {
		b[i] = byte(len(info.Name)+i*7) | 1
	}
	return b
}

// encode writes a whole file with the content of its tensors.
func encode(t testing.TB, md Metadata, tensors []TensorInfo) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf, md, tensors)
	require.NoError(t, err)
	for _, info := range tensors {
		n, err := w.Write(content(info))
		require.NoError(t, err)
		require.Equal(t, info.Bytes(), uint64(n))
	}
	require.NoError(t, w.Close())
	return buf.Bytes()
}

// rewrite writes what was read.
func rewrite(f *File) ([]byte, error) {
	infos := make([]TensorInfo, len(f.Tensors))
	for i, t := range f.Tensors {
		infos[i] = t.TensorInfo
	}
	var buf bytes.Buffer
	w, err := NewWriter(&buf, f.Metadata, infos)
	if err != nil {
		return nil, err
	}
	for _, t := range f.Tensors {
		if _, err := w.Write(t.Data); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), w.Close()
}

// checkRewrite is the promise of the package: what Parse accepts, the writer
// gives back, but for padding at the end that the file may lack.
func checkRewrite(t testing.TB, data []byte, f *File) {
	t.Helper()
	got, err := rewrite(f)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(got, data), "the rewritten file differs")
	rest := got[len(data):]
	require.Less(t, uint64(len(rest)), f.Alignment)
	require.Empty(t, bytes.Trim(rest, "\x00"))
}

func TestRoundTripValues(t *testing.T) {
	md := everyValue()
	data := encode(t, md, nil)
	f, err := Parse(data)
	require.NoError(t, err)
	require.Equal(t, md, f.Metadata)
	again, err := rewrite(f)
	require.NoError(t, err)
	assert.Equal(t, data, again)
}

// Quiet and signalling NaNs keep their bits.
func TestRoundTripNaN(t *testing.T) {
	for _, bits := range []uint32{0x7fc00000, 0x7f800001, 0xffabcdef} {
		data := encode(t, Metadata{
			{"one", math.Float32frombits(bits)},
			{"many", []float32{math.Float32frombits(bits)}},
		}, nil)
		assert.Equal(t, 2, bytes.Count(data, binary.LittleEndian.AppendUint32(nil, bits)))
		f, err := Parse(data)
		require.NoError(t, err)
		checkRewrite(t, data, f)
	}
}

func TestRoundTripTensors(t *testing.T) {
	for _, align := range []uint32{0, 8, 32, 64, 4096, maxAlignment} {
		md, infos := small()
		want := uint64(defaultAlignment)
		if align != 0 {
			md = append(md, KeyValue{alignmentKey, align})
			want = uint64(align)
		}
		data := encode(t, md, infos)
		assert.Zero(t, uint64(len(data))%want)
		f, err := Parse(data)
		require.NoError(t, err)
		assert.Equal(t, want, f.Alignment)
		require.Len(t, f.Tensors, len(infos))
		for i, info := range infos {
			got, ok := f.Tensor(info.Name)
			require.True(t, ok)
			assert.Same(t, &f.Tensors[i], got)
			assert.Equal(t, info, got.TensorInfo)
			assert.Equal(t, content(info), got.Data)
			assert.Zero(t, got.Offset%want)
			assert.Equal(t, len(got.Data), cap(got.Data), "append must not reach the next tensor")
		}
		_, ok := f.Tensor("absent")
		assert.False(t, ok)

		again, err := rewrite(f)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(data, again))

		// Close ends the views, and may be called again.
		require.NoError(t, f.Close())
		assert.Nil(t, f.Tensors[0].Data)
		assert.NoError(t, f.Close())
	}
}

func TestRoundTripEmpty(t *testing.T) {
	data := encode(t, nil, nil)
	assert.Len(t, data, defaultAlignment)
	for _, b := range [][]byte{data, data[:24]} {
		f, err := Parse(b)
		require.NoError(t, err)
		assert.Empty(t, f.Metadata)
		assert.Empty(t, f.Tensors)
	}
}

// Every type, as one block in a file.
func TestRoundTripTypes(t *testing.T) {
	var infos []TensorInfo
	for i := range types {
		if typ := Type(i); typ.Known() {
			elements, _ := typ.Block()
			infos = append(infos, TensorInfo{typ.String(), typ, []uint64{uint64(elements)}})
		}
	}
	data := encode(t, nil, infos)
	f, err := Parse(data)
	require.NoError(t, err)
	require.Len(t, f.Tensors, len(infos))
	for i, info := range infos {
		_, n := info.Type.Block()
		assert.Len(t, f.Tensors[i].Data, n)
	}
	checkRewrite(t, data, f)
}
