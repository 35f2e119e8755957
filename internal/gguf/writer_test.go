package gguf

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNewWriterErrors(t *testing.T) {
	type named uint32
	ok := []TensorInfo{{"t", F32, []uint64{1}}}
	for _, c := range []struct {
		md      Metadata
		tensors []TensorInfo
		want    string
	}{
		{Metadata{{"", uint8(1)}}, ok, "the key is empty"},
		{Metadata{{strings.Repeat("k", 65536), uint8(1)}}, ok, "the key has 65536 bytes"},
		{Metadata{{"\xff", uint8(1)}}, ok, "not valid UTF-8"},
		{Metadata{{"k", uint8(1)}, {"k", uint8(1)}}, ok, `key "k": the key occurs twice`},
		{Metadata{{"k", 1}}, ok, `key "k": a value of type int cannot be stored`},
		{Metadata{{"k", nil}}, ok, "a value of type <nil>"},
		{Metadata{{"k", named(1)}}, ok, "a value of type gguf.named"},
		{Metadata{{"k", []any{}}}, ok, "a value of type []interface {}"},
		{Metadata{{"k", [][]uint8{}}}, ok, "a value of type [][]uint8"},
		{Metadata{{alignmentKey, uint64(32)}}, ok, "holds uint64, want uint32"},
		{Metadata{{alignmentKey, "32"}}, ok, "holds string, want uint32"},
		{Metadata{{alignmentKey, 32}}, ok, "holds int, want uint32"},
		{Metadata{{alignmentKey, uint32(12)}}, ok, "is 12, want a power of two"},
		{nil, []TensorInfo{{"", F32, []uint64{1}}}, "the name is empty"},
		{nil, append(ok, ok...), `tensor "t": the tensor occurs twice`},
		{nil, []TensorInfo{{"a", I8, []uint64{1 << 62}}, {"b", I8, []uint64{1 << 62}}}, `tensor "b": the total size`},
		{nil, []TensorInfo{{"a", I8, []uint64{math.MaxInt64}}}, `tensor "a": the total size`},
	} {
		var buf bytes.Buffer
		w, err := NewWriter(&buf, c.md, c.tensors)
		assert.Nil(t, w)
		assert.ErrorContains(t, err, c.want)
		assert.Zero(t, buf.Len(), "%s: something was written", c.want)
	}
}

// The data may come in pieces of any size.
func TestWriterPieces(t *testing.T) {
	md, infos := small()
	want := encode(t, md, infos)
	var data []byte
	for _, info := range infos {
		data = append(data, content(info)...)
	}
	for size := 1; size <= len(data); size++ {
		var buf bytes.Buffer
		w, err := NewWriter(&buf, md, infos)
		require.NoError(t, err)
		for p := data; len(p) > 0; {
			n, err := w.Write(p[:min(size, len(p))])
			require.NoError(t, err)
			p = p[n:]
		}
		require.NoError(t, w.Close())
		require.NoError(t, w.Close(), "second Close")
		require.True(t, bytes.Equal(want, buf.Bytes()), "pieces of %d", size)
	}
}

// The writer keeps nothing of the caller's that the caller may change.
func TestWriterKeepsNothing(t *testing.T) {
	infos := []TensorInfo{{"t", F32, []uint64{2}}}
	w, err := NewWriter(io.Discard, nil, infos)
	require.NoError(t, err)
	infos[0].Dims[0] = 100
	infos[0] = TensorInfo{}
	_, err = w.Write(make([]byte, 8))
	require.NoError(t, err)
	assert.NoError(t, w.Close())
}

func TestWriterTooMany(t *testing.T) {
	w, err := NewWriter(io.Discard, nil, []TensorInfo{{"t", I8, []uint64{10}}})
	require.NoError(t, err)
	n, err := w.Write(make([]byte, 13))
	assert.Equal(t, 10, n)
	assert.EqualError(t, err, "gguf: 3 bytes too many after the last tensor")
	assert.Error(t, w.Close())

	w, err = NewWriter(io.Discard, nil, nil)
	require.NoError(t, err)
	_, err = w.Write(nil)
	assert.NoError(t, err)
	_, err = w.Write([]byte{1})
	assert.Error(t, err)
}

func TestWriterTooFew(t *testing.T) {
	w, err := NewWriter(io.Discard, nil, []TensorInfo{{"t", I8, []uint64{10}}, {"u", I8, []uint64{5}}})
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 12))
	require.NoError(t, err)
	assert.EqualError(t, w.Close(), `gguf: tensor "u": 3 of 5 bytes are missing`)
	_, err = w.Write(make([]byte, 3))
	assert.Error(t, err)

	w, err = NewWriter(io.Discard, nil, []TensorInfo{{"t", I8, []uint64{10}}})
	require.NoError(t, err)
	assert.EqualError(t, w.Close(), `gguf: tensor "t": 10 of 10 bytes are missing`)
}

func TestWriterAfterClose(t *testing.T) {
	w, err := NewWriter(io.Discard, nil, nil)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = w.Write([]byte{1})
	assert.EqualError(t, err, "gguf: the writer is closed")
	assert.NoError(t, w.Close())
}

// full fails once it has taken room bytes.
type full struct{ room int }

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	f.room -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

// lazy takes half of what it is given and says that all is well.
type lazy struct{}

func (lazy) Write(p []byte) (int, error) { return len(p) / 2, nil }

// Wherever the disk fills up, the error comes out and stays.
func TestWriterFails(t *testing.T) {
	md, infos := small()
	size := len(encode(t, md, infos))
	for room := range size {
		w, err := NewWriter(&full{room}, md, infos)
		for i := 0; err == nil && i < len(infos); i++ {
			_, err = w.Write(content(infos[i]))
		}
		require.ErrorIs(t, err, errFull, "room for %d of %d bytes", room, size)
		if w != nil {
			assert.ErrorIs(t, w.Close(), errFull)
		}
	}
	_, err := NewWriter(lazy{}, md, infos)
	assert.ErrorIs(t, err, io.ErrShortWrite)
}
