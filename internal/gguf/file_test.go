package gguf

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	parser "github.com/gpustack/gguf-parser-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOpen(t *testing.T) {
	md, infos := small()
	path := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, os.WriteFile(path, encode(t, md, infos), 0o600))
	f, err := Open(path)
	require.NoError(t, err)
	assert.Equal(t, md, f.Metadata)
	assert.Equal(t, []string{path}, f.Paths)
	for _, info := range infos {
		got, ok := f.Tensor(info.Name)
		require.True(t, ok)
		assert.Equal(t, content(info), got.Data)
		f.Release(got)
		assert.Equal(t, content(info), got.Data)
	}
	f.Release(&Tensor{Shard: 5})
	f.Release(&Tensor{Shard: -1})
	require.NoError(t, f.Close())
	assert.Nil(t, f.Tensors[0].Data)
	f.Release(&f.Tensors[0])
	assert.NoError(t, f.Close())
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir)
	assert.ErrorContains(t, err, "not a regular file")

	_, err = Open(filepath.Join(dir, "absent.gguf"))
	assert.ErrorIs(t, err, fs.ErrNotExist)

	path := filepath.Join(dir, "empty.gguf")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err = Open(path)
	assert.ErrorIs(t, err, ErrFormat)
	assert.EqualError(t, err, path+": invalid GGUF file: byte 0: truncated: magic takes 4 bytes, 0 are left")
}

// Another implementation reads what the writer writes.
func TestIndependentReader(t *testing.T) {
	md := append(Metadata{{"general.architecture", "llada2"}, {alignmentKey, uint32(64)}}, everyValue()...)
	infos := []TensorInfo{
		{"token_embd.weight", Q4_0, []uint64{64, 10}},
		{"blk.0.attn_norm.weight", F32, []uint64{7}},
		{"blk.0.ffn_up_exps.weight", Q4_K, []uint64{256, 3, 4}},
		{"blk.0.ffn_gate_exps.weight", MXFP4, []uint64{32, 2, 2, 2}},
		{"output.weight", BF16, []uint64{5, 3}},
	}
	path := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, os.WriteFile(path, encode(t, md, infos), 0o600))
	ours, err := Open(path)
	require.NoError(t, err)
	defer ours.Close()
	theirs, err := parser.ParseGGUFFile(path)
	require.NoError(t, err)

	require.Len(t, theirs.Header.MetadataKV, len(md))
	for i, kv := range theirs.Header.MetadataKV {
		assert.Equal(t, md[i].Key, kv.Key)
		k, elem, ok := kindOf(md[i].Value)
		require.True(t, ok)
		assert.EqualValues(t, k, kv.ValueType, kv.Key)
		if k != kindArray {
			assert.Equal(t, md[i].Value, kv.Value, kv.Key)
			continue
		}
		array := kv.ValueArray()
		assert.EqualValues(t, elem, array.Type, kv.Key)
		assert.EqualValues(t, array.Len, len(array.Array), kv.Key)
		assert.Equal(t, asAny(md[i].Value), array.Array, kv.Key)
	}

	assert.EqualValues(t, ours.shards[0].dataStart, theirs.TensorDataStartOffset)
	require.Len(t, theirs.TensorInfos, len(infos))
	for i, info := range theirs.TensorInfos {
		assert.Equal(t, infos[i].Name, info.Name)
		assert.EqualValues(t, infos[i].Type, info.Type)
		assert.Equal(t, infos[i].Dims, info.Dimensions)
		assert.Equal(t, ours.Tensors[i].Offset, info.Offset)
		assert.Equal(t, infos[i].Bytes(), info.Bytes())
	}
}

func asAny(v any) []any {
	out := []any{}
	switch v := v.(type) {
	case []uint8:
		out = appendAny(out, v)
	case []int8:
		out = appendAny(out, v)
	case []uint16:
		out = appendAny(out, v)
	case []int16:
		out = appendAny(out, v)
	case []uint32:
		out = appendAny(out, v)
	case []int32:
		out = appendAny(out, v)
	case []uint64:
		out = appendAny(out, v)
	case []int64:
		out = appendAny(out, v)
	case []float32:
		out = appendAny(out, v)
	case []float64:
		out = appendAny(out, v)
	case []bool:
		out = appendAny(out, v)
	case []string:
		out = appendAny(out, v)
	}
	return out
}

func appendAny[T any](out []any, v []T) []any {
	for _, x := range v {
		out = append(out, x)
	}
	return out
}

// Two Opens of one file do not see each other.
func TestOpenTwice(t *testing.T) {
	md, infos := small()
	path := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, os.WriteFile(path, encode(t, md, infos), 0o600))
	a, err := Open(path)
	require.NoError(t, err)
	b, err := Open(path)
	require.NoError(t, err)
	require.NoError(t, a.Close())
	assert.True(t, bytes.Equal(content(infos[0]), b.Tensors[0].Data))
	assert.NoError(t, b.Close())
}
