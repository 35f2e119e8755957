package gguf

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSplit(t *testing.T) {
	info := func(name string, bytes uint64) TensorInfo { return TensorInfo{name, I8, []uint64{bytes}} }
	tensors := []TensorInfo{info("a", 10), info("b", 32), info("c", 33), info("d", 1000), info("e", 1), info("f", 1)}
	names := func(runs [][]TensorInfo) []string {
		var out []string
		for _, run := range runs {
			s := ""
			for _, t := range run {
				s += t.Name
			}
			out = append(out, s)
		}
		return out
	}
	for _, c := range []struct {
		max  uint64
		want []string
	}{
		{0, []string{"abcdef"}},
		{1, []string{"a", "b", "c", "d", "e", "f"}},
		{63, []string{"a", "b", "c", "d", "e", "f"}},
		{64, []string{"ab", "c", "d", "ef"}},
		{127, []string{"ab", "c", "d", "ef"}},
		{128, []string{"abc", "d", "ef"}},
		{1 << 20, []string{"abcdef"}},
		{math.MaxUint64, []string{"abcdef"}},
	} {
		assert.Equal(t, c.want, names(Split(tensors, c.max)), "at most %d bytes", c.max)
	}
	assert.Equal(t, []string{""}, names(Split(nil, 0)))
	assert.Equal(t, []string{""}, names(Split(nil, 10)))

	huge := []TensorInfo{info("a", math.MaxInt64), info("b", math.MaxInt64), info("c", math.MaxInt64)}
	assert.Equal(t, []string{"a", "b", "c"}, names(Split(huge, 100)))
	assert.Equal(t, []string{"a", "b", "c"}, names(Split(huge, math.MaxInt64)))
}

func TestShardName(t *testing.T) {
	assert.Equal(t, "dir/x-00001-of-00003.gguf", ShardName("dir/x.gguf", 0, 3))
	assert.Equal(t, "x.y-00012-of-00012.gguf", ShardName("x.y", 11, 12))
}

func TestShardMetadata(t *testing.T) {
	md := Metadata{{"a", "b"}, {splitCountKey, uint16(9)}, {alignmentKey, uint32(64)}}
	assert.Equal(t, Metadata{
		{"a", "b"}, {alignmentKey, uint32(64)},
		{splitNoKey, uint16(0)}, {splitCountKey, uint16(3)}, {splitTensorsKey, int32(7)},
	}, ShardMetadata(md, 0, 3, 7))
	assert.Equal(t, Metadata{
		{alignmentKey, uint32(64)},
		{splitNoKey, uint16(2)}, {splitCountKey, uint16(3)}, {splitTensorsKey, int32(7)},
	}, ShardMetadata(md, 2, 3, 7))
}

// writeShards writes the model over the given runs of tensors and returns the
// paths.
func writeShards(t *testing.T, md Metadata, runs [][]TensorInfo, total int) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	var paths []string
	for no, run := range runs {
		name := ShardName(path, no, len(runs))
		data := encode(t, ShardMetadata(md, no, len(runs), total), run)
		require.NoError(t, os.WriteFile(name, data, 0o600))
		paths = append(paths, name)
	}
	return paths
}

func TestOpenShards(t *testing.T) {
	for _, extra := range []Metadata{nil, {{alignmentKey, uint32(128)}}} {
		md, infos := small()
		md = append(md, extra...)
		runs := [][]TensorInfo{infos[:1], infos[1:2], infos[2:]}
		paths := writeShards(t, md, runs, 3)
		for _, path := range paths {
			f, err := Open(path)
			require.NoError(t, err)
			assert.Equal(t, paths, f.Paths)
			assert.Equal(t, ShardMetadata(md, 0, 3, 3), f.Metadata)
			require.Len(t, f.Tensors, 3)
			for i, info := range infos {
				got, ok := f.Tensor(info.Name)
				require.True(t, ok)
				assert.Same(t, &f.Tensors[i], got)
				assert.Equal(t, i, got.Shard)
				assert.Zero(t, got.Offset)
				assert.Equal(t, content(info), got.Data)
				f.Release(got)
			}
			require.NoError(t, f.Close())
			assert.Nil(t, f.Tensors[2].Data)
			assert.NoError(t, f.Close())
		}
	}
}

// The first file often has the metadata only.
func TestOpenShardsWithoutTensors(t *testing.T) {
	md, infos := small()
	paths := writeShards(t, md, [][]TensorInfo{nil, infos}, 3)
	f, err := Open(paths[0])
	require.NoError(t, err)
	defer f.Close()
	require.Len(t, f.Tensors, 3)
	assert.Equal(t, 1, f.Tensors[0].Shard)
}

// One shard in memory is a file like any other.
func TestParseShard(t *testing.T) {
	md, infos := small()
	data := encode(t, ShardMetadata(md, 1, 3, 3), infos[1:2])
	f, err := Parse(data)
	require.NoError(t, err)
	assert.Len(t, f.Tensors, 1)
	checkRewrite(t, data, f)
}

// A model of one file may say so, under any name.
func TestOpenOnlyShard(t *testing.T) {
	md, infos := small()
	for _, count := range []int{0, 1} {
		path := filepath.Join(t.TempDir(), "whole.gguf")
		require.NoError(t, os.WriteFile(path, encode(t, ShardMetadata(md, 0, count, 3), infos), 0o600))
		f, err := Open(path)
		require.NoError(t, err)
		assert.Len(t, f.Tensors, 3)
		require.NoError(t, f.Close())
	}
}

func TestOpenShardsErrors(t *testing.T) {
	md, infos := small()
	runs := [][]TensorInfo{infos[:1], infos[1:2], infos[2:]}
	rewrite := func(t *testing.T, path string, md Metadata, run []TensorInfo) {
		require.NoError(t, os.WriteFile(path, encode(t, md, run), 0o600))
	}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, paths []string)
		is     error
		want   string
	}{
		{"missing", func(t *testing.T, p []string) {
			require.NoError(t, os.Remove(p[1]))
		}, fs.ErrNotExist, "shard 2 of 3: "},
		{"swapped", func(t *testing.T, p []string) {
			require.NoError(t, os.Rename(p[1], p[1]+".tmp"))
			require.NoError(t, os.Rename(p[2], p[1]))
			require.NoError(t, os.Rename(p[1]+".tmp", p[2]))
		}, ErrFormat, "it is shard 3 of 3 of a model with 3 tensors, want shard 2 of 3 of a model with 3 tensors"},
		{"twice", func(t *testing.T, p []string) {
			rewrite(t, p[2], ShardMetadata(md, 2, 3, 3), infos[:1])
		}, ErrFormat, `tensor "a.weight" is already in `},
		{"other model", func(t *testing.T, p []string) {
			rewrite(t, p[1], ShardMetadata(md, 1, 3, 4), infos[1:2])
		}, ErrFormat, "it is shard 2 of 3 of a model with 4 tensors, want"},
		{"other count", func(t *testing.T, p []string) {
			rewrite(t, p[1], ShardMetadata(md, 1, 4, 3), infos[1:2])
		}, ErrFormat, "it is shard 2 of 4 of a model with 3 tensors, want"},
		{"not a shard", func(t *testing.T, p []string) {
			rewrite(t, p[1], md, infos[1:2])
		}, ErrFormat, "it is a model of one file, want shard 2 of 3"},
		{"no number", func(t *testing.T, p []string) {
			rewrite(t, p[1], Metadata{{splitCountKey, uint16(3)}}, infos[1:2])
		}, ErrFormat, `missing key "split.no"`},
		{"no total", func(t *testing.T, p []string) {
			rewrite(t, p[1], Metadata{{splitCountKey, uint16(3)}, {splitNoKey, uint16(1)}}, infos[1:2])
		}, ErrFormat, `missing key "split.tensors.count"`},
		{"number too large", func(t *testing.T, p []string) {
			rewrite(t, p[1], ShardMetadata(md, 3, 3, 3), infos[1:2])
		}, ErrFormat, "split.no is 3, but split.count is 3"},
		{"tensor lost", func(t *testing.T, p []string) {
			rewrite(t, p[2], ShardMetadata(md, 2, 3, 3), nil)
		}, ErrFormat, "split.tensors.count is 3, but the shards hold 2 tensors"},
		{"malformed", func(t *testing.T, p []string) {
			require.NoError(t, os.WriteFile(p[2], []byte("GGUX"), 0o600))
		}, ErrFormat, `00003-of-00003.gguf: invalid GGUF file: byte 0: it starts with "GGUX"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			paths := writeShards(t, md, runs, 3)
			c.damage(t, paths)
			_, err := Open(paths[0])
			require.ErrorIs(t, err, c.is)
			assert.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestOpenShardErrors(t *testing.T) {
	for _, c := range []struct {
		md   Metadata
		want string
	}{
		{ShardMetadata(nil, 0, 3, 0), "its name does not end in -00001-of-00003.gguf"},
		{Metadata{{splitCountKey, "3"}}, "holds string, want an integer"},
		{Metadata{{splitCountKey, int32(-3)}}, "is -3, want an integer that is not negative"},
		{Metadata{{splitCountKey, uint64(1 << 40)}, {splitNoKey, uint16(0)}, {splitTensorsKey, int32(0)}}, "at most 65535 are allowed"},
	} {
		path := filepath.Join(t.TempDir(), "model.gguf")
		require.NoError(t, os.WriteFile(path, encode(t, c.md, nil), 0o600))
		_, err := Open(path)
		require.ErrorIs(t, err, ErrFormat)
		assert.ErrorContains(t, err, c.want)
		assert.ErrorContains(t, err, path+": ")
	}
}
