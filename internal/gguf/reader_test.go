package gguf

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bad builds a file by hand, so that it can hold what the writer refuses.
type bad struct{ bytes.Buffer }

func (b *bad) put(values ...any) *bad {
	for _, v := range values {
		if s, ok := v.(string); ok {
			v = append(binary.LittleEndian.AppendUint64(nil, uint64(len(s))), s...)
		}
		if err := binary.Write(b, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	return b
}

// start is a file up to the metadata.
func start(tensors, pairs uint64) *bad {
	return new(bad).put([]byte(magic), uint32(version), tensors, pairs)
}

// fill appends n zeros, so that counts are not refused for want of bytes.
func (b *bad) fill(n int) []byte { return append(b.Bytes(), make([]byte, n)...) }

func TestParseMalformed(t *testing.T) {
	name := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "byte 0: truncated"},
		{"other format", []byte("GGML and more"), `byte 0: it starts with "GGML", want "GGUF"`},
		{"version 2", new(bad).put([]byte(magic), uint32(2)).fill(64), "byte 4: version 2 is not supported, only 3 is"},
		{"version 0", new(bad).put([]byte(magic), uint32(0)).fill(64), "version 0 is not supported"},
		{"big-endian", new(bad).put([]byte(magic), bits.ReverseBytes32(3)).fill(64), "byte 4: big-endian GGUF is not supported"},
		{"big-endian, version 2", new(bad).put([]byte(magic), bits.ReverseBytes32(2)).fill(64), "big-endian GGUF is not supported"},

		{"empty key", start(0, 1).put("", uint32(0), uint8(1)).fill(32), "byte 24: the key is empty"},
		{"key not UTF-8", start(0, 1).put("\xff", uint32(0), uint8(1)).fill(32), "byte 24: key \"\\xff\": the key is not valid UTF-8"},
		{"long key", start(0, 1).put(name(65536), uint32(0), uint8(1)).fill(32), "byte 24: key of 65536 bytes, at most 65535 are allowed"},
		{"key twice", start(0, 2).put("k", uint32(0), uint8(1), "k", uint32(0), uint8(1)).fill(32), `byte 38: key "k": the key occurs twice`},
		{"value type", start(0, 1).put("k", uint32(13)).fill(32), `byte 33: key "k": unknown value type 13`},
		{"value type, large", start(0, 1).put("k", uint32(math.MaxUint32)).fill(32), "unknown value type 4294967295"},
		{"element type", start(0, 1).put("k", uint32(9), uint32(13)).fill(32), `byte 37: key "k": unknown element type 13`},
		{"nested array", start(0, 1).put("k", uint32(9), uint32(9)).fill(32), "byte 37: key \"k\": arrays of arrays are not supported"},
		{"bool", start(0, 1).put("k", uint32(7), uint8(2)).fill(32), "byte 37: key \"k\": a bool is 2, want 0 or 1"},
		{"bool in array", start(0, 1).put("k", uint32(9), uint32(7), uint64(3), []byte{1, 0, 3}).fill(32), "byte 51: key \"k\": a bool is 3"},
		{"string", start(0, 1).put("k", uint32(8), uint64(100)).fill(32), `byte 45: key "k": truncated: string takes 100 bytes, 32 are left`},
		{"string, huge", start(0, 1).put("k", uint32(8), uint64(math.MaxUint64)).fill(32), "truncated"},

		{"alignment type", start(0, 1).put(alignmentKey, uint32(10), uint64(32)).fill(32), `key "general.alignment" holds uint64, want uint32`},
		{"alignment 0", start(0, 1).put(alignmentKey, uint32(4), uint32(0)).fill(32), `key "general.alignment" is 0, want a power of two`},
		{"alignment 4", start(0, 1).put(alignmentKey, uint32(4), uint32(4)).fill(32), "is 4, want a power of two from 8 to 1048576"},
		{"alignment 24", start(0, 1).put(alignmentKey, uint32(4), uint32(24)).fill(32), "is 24, want"},
		{"alignment 2 GiB", start(0, 1).put(alignmentKey, uint32(4), uint32(1<<31)).fill(32), "is 2147483648, want"},

		{"tensor without name", start(1, 0).put("", uint32(1), uint64(1), uint32(0), uint64(0)).fill(64), "byte 24: the name is empty"},
		{"long tensor name", start(1, 0).put(name(64), uint32(1), uint64(1), uint32(0), uint64(0)).fill(64), "byte 24: tensor name of 64 bytes, at most 63 are allowed"},
		{"tensor name not UTF-8", start(1, 0).put("\xff", uint32(1), uint64(1), uint32(0), uint64(0)).fill(64), "the name is not valid UTF-8"},
		{"no dimensions", start(1, 0).put("t", uint32(0), uint32(0), uint64(0)).fill(64), `byte 33: tensor "t": 0 dimensions, want 1 to 4`},
		{"5 dimensions", start(1, 0).put("t", uint32(5)).fill(64), "5 dimensions, want 1 to 4"},
		{"2^32-1 dimensions", start(1, 0).put("t", uint32(math.MaxUint32)).fill(64), "4294967295 dimensions, want 1 to 4"},
		{"zero dimension", start(1, 0).put("t", uint32(2), uint64(1), uint64(0), uint32(0), uint64(0)).fill(64), `byte 24: tensor "t": dimension 1 is zero`},
		{"unknown type", start(1, 0).put("t", uint32(1), uint64(1), uint32(77), uint64(0)).fill(64), `tensor "t": unknown type(77)`},
		{"elements overflow", start(1, 0).put("t", uint32(2), uint64(1<<32), uint64(1<<32), uint32(0), uint64(0)).fill(64), "number of elements"},
		{"bytes overflow", start(1, 0).put("t", uint32(1), uint64(1<<62), uint32(0), uint64(0)).fill(64), "number of bytes"},
		{"half a block", start(1, 0).put("t", uint32(1), uint64(48), uint32(Q4_0), uint64(0)).fill(64), "not whole blocks"},
		{"first offset", start(1, 0).put("t", uint32(1), uint64(1), uint32(0), uint64(32)).fill(128), `byte 49: tensor "t": the offset is 32, want 0`},
		{"gap", start(2, 0).put(
			"t", uint32(1), uint64(1), uint32(0), uint64(0),
			"u", uint32(1), uint64(1), uint32(0), uint64(64)).fill(256), `tensor "u": the offset is 64, want 32`},
		{"overlap", start(2, 0).put(
			"t", uint32(1), uint64(1), uint32(0), uint64(0),
			"u", uint32(1), uint64(1), uint32(0), uint64(0)).fill(256), `tensor "u": the offset is 0, want 32`},
		{"tensor twice", start(2, 0).put(
			"t", uint32(1), uint64(1), uint32(0), uint64(0),
			"t", uint32(1), uint64(1), uint32(0), uint64(32)).fill(256), `byte 57: tensor "t": the tensor occurs twice`},
		{"sum overflows", start(3, 0).put(
			"t", uint32(1), uint64(1<<62), uint32(I8), uint64(0),
			"u", uint32(1), uint64(1<<62), uint32(I8), uint64(1<<62)).fill(256), `tensor "u": the total size of the tensors overflows`},
		{"huge tensor", start(1, 0).put("t", uint32(1), uint64(math.MaxInt64-31), uint32(I8), uint64(0)).fill(64),
			`byte 64: tensor "t": truncated: the data takes 9223372036854775776 bytes, 9223372036854775719 are missing`},
		{"huge padding", start(0, 1).put(alignmentKey, uint32(4), uint32(1<<20)).fill(1), "truncated: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.data)
			require.ErrorIs(t, err, ErrFormat)
			assert.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 400)
		})
	}
}

// A count that the file cannot hold is refused before memory is taken for it.
func TestParseHostileCounts(t *testing.T) {
	for _, n := range []uint64{1 << 32, 1 << 61, 1 << 63, math.MaxUint64, 8192} {
		files := map[string][]byte{
			"tensors": start(n, 0).fill(4096),
			"pairs":   start(0, n).fill(4096),
			"key":     start(0, 1).put(n).fill(4096),
			"name":    start(1, 0).put(n).fill(4096),
			"string":  start(0, 1).put("k", uint32(kindString), 8*n).fill(4096),
		}
		for k := range kinds {
			if kind(k) != kindArray {
				files["array of "+kinds[k].name] = start(0, 1).put("k", uint32(kindArray), uint32(k), n|8192).fill(4096)
			}
		}
		for name, data := range files {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Parse(data)
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, ErrFormat, "%s %d", name, n)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10), "%s %d", name, n)
		}
	}
}

// A file that was cut anywhere is refused. The one exception is the padding at
// its end, when all of it is missing.
func TestParseTruncated(t *testing.T) {
	md, infos := small()
	data := encode(t, md, infos)
	last := infos[len(infos)-1]
	bare := len(data) - int(pad(last.Bytes(), defaultAlignment)-last.Bytes())
	for n := range data {
		f, err := Parse(data[:n])
		if n == bare {
			require.NoError(t, err)
			checkRewrite(t, data[:n], f)
			continue
		}
		require.ErrorIs(t, err, ErrFormat, "%d of %d bytes", n, len(data))
		require.ErrorContains(t, err, "truncated", "%d of %d bytes", n, len(data))
	}

	_, err := Parse(data[:bare-2])
	assert.ErrorContains(t, err, `tensor "c.bias": truncated: the data takes 5 bytes, 2 are missing`)
	_, err = Parse(data[:bare+3])
	assert.ErrorContains(t, err, "truncated: 24 of 27 bytes of padding are missing")
}

func TestParseTrailing(t *testing.T) {
	md, infos := small()
	data := encode(t, md, infos)
	_, err := Parse(append(data, 0, 0, 0))
	assert.ErrorIs(t, err, ErrFormat)
	assert.ErrorContains(t, err, "byte "+strconv.Itoa(len(data))+": 3 bytes follow the last tensor")

	_, err = Parse(append(encode(t, nil, nil), make([]byte, 32)...))
	assert.ErrorContains(t, err, "32 bytes follow the last tensor")
}

func TestParsePadding(t *testing.T) {
	md, infos := small()
	data := encode(t, md, infos)
	f, err := Parse(data)
	require.NoError(t, err)
	start := int(f.shards[0].dataStart)
	for _, at := range []int{start - 1, start + int(f.Tensors[0].Bytes()), start + int(f.Tensors[1].Offset) - 1, len(data) - 1} {
		damaged := bytes.Clone(data)
		damaged[at] = 0x5a
		_, err := Parse(damaged)
		assert.ErrorIs(t, err, ErrFormat)
		assert.ErrorContains(t, err, "byte "+strconv.Itoa(at)+": ")
		assert.ErrorContains(t, err, "the padding holds 0x5a, want zeros")
	}
}

// A flipped bit in the header either is noticed or makes another valid file.
func TestParseBitFlips(t *testing.T) {
	md, infos := small()
	data := encode(t, md, infos)
	f, err := Parse(data)
	require.NoError(t, err)
	accepted := 0
	for i := range 8 * int(f.shards[0].dataStart) {
		data[i/8] ^= 1 << (i % 8)
		if f, err := Parse(data); err == nil {
			accepted++
			checkRewrite(t, data, f)
		} else {
			require.ErrorIs(t, err, ErrFormat)
		}
		data[i/8] ^= 1 << (i % 8)
	}
	t.Logf("%d of %d flips give a valid file", accepted, 8*f.shards[0].dataStart)
}

// Parse must not hand out strings that die with the mapping.
func TestParseCopiesMetadata(t *testing.T) {
	md, infos := small()
	data := encode(t, md, infos)
	f, err := Parse(data)
	require.NoError(t, err)
	clear(data)
	assert.Equal(t, md, f.Metadata)
	assert.Equal(t, infos[0], f.Tensors[0].TensorInfo)
}

func FuzzParse(f *testing.F) {
	md, infos := small()
	f.Add(encode(f, md, infos))
	f.Add(encode(f, everyValue(), nil))
	f.Add(encode(f, nil, nil))
	f.Add(encode(f, Metadata{{alignmentKey, uint32(8)}}, infos[2:]))
	f.Add(encode(f, ShardMetadata(md, 1, 3, 7), infos[:1]))
	f.Add(start(0, 1).put("k", uint32(kindArray), uint32(kindString), uint64(1<<40)).fill(64))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			return
		}
		for _, tensor := range file.Tensors {
			require.NoError(t, tensor.Check())
			require.Len(t, tensor.Data, int(tensor.Bytes()))
		}
		checkRewrite(t, data, file)
	})
}

// BenchmarkParse reads the header of a model with a vocabulary of the size of
// LLaDA2's and its merges.
func BenchmarkParse(b *testing.B) {
	const vocab = 157184
	tokens, merges := make([]string, vocab), make([]string, vocab)
	for i := range tokens {
		tokens[i] = "Ġtoken" + strconv.Itoa(i)
		merges[i] = "Ġto ken" + strconv.Itoa(i)
	}
	data := encode(b, Metadata{
		{"tokenizer.ggml.tokens", tokens},
		{"tokenizer.ggml.token_type", make([]int32, vocab)},
		{"tokenizer.ggml.merges", merges},
	}, nil)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}
