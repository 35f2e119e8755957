package convert_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/quant"
)

const (
	shard1 = "model-00001-of-00002.safetensors"
	shard2 = "model-00002-of-00002.safetensors"
	index  = "model.safetensors.index.json"
)

// refused converts a folder into one that already has a file of that name, and
// checks that the error is one line with all of want and that nothing changed.
func refused(t *testing.T, dir string, opt convert.Options, want ...string) error {
	t.Helper()
	out := t.TempDir()
	path := filepath.Join(out, "out.gguf")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o666))
	r, err := run(t, dir, path, opt)
	require.Error(t, err)
	assert.Zero(t, r)
	for _, w := range want {
		assert.ErrorContains(t, err, w)
	}
	assert.NotContains(t, err.Error(), "\n")
	assert.Less(t, len(err.Error()), 1000)
	assert.Equal(t, map[string]string{path: "old"}, contents(t, out))
	return err
}

func TestMalformedCheckpoints(t *testing.T) {
	const down = "model.layers.1.mlp.experts.3.down_proj.weight"
	for _, c := range []struct {
		name   string
		change func(f *folder)
		want   []string
	}{
		{"missing tensor", func(f *folder) { delete(f.shards[shard2], down) }, []string{`tensor "` + down + `" is missing`}},
		{"extra tensor", func(f *folder) { f.shards[shard1]["model.layers.2.extra"] = f.shards[shard2][down] },
			[]string{shard1, `tensor "model.layers.2.extra" is none of LLaDA2's`}},
		{"expert too many", func(f *folder) {
			f.shards[shard2]["model.layers.1.mlp.experts.4.down_proj.weight"] = f.shards[shard2][down]
		}, []string{shard2, "experts.4.down_proj.weight"}},
		{"layer too many", func(f *folder) { f.config["num_hidden_layers"] = 1 }, []string{shard1, "model.layers.1."}},
		{"tensor in both files", func(f *folder) { f.shards[shard1][down], f.noIndex = f.shards[shard2][down], true },
			[]string{shard2, `tensor "` + down + `" is in ` + shard1 + " too"}},
		{"tensor in both files, index", func(f *folder) {
			f.index = map[string]string{}
			for name, s := range f.shards {
				for tensor := range s {
					f.index[tensor] = name
				}
			}
			f.shards[shard1][down] = f.shards[shard2][down]
		}, []string{shard1, `tensor "` + down + `" is not in ` + index}},
		{"wrong shape", func(f *folder) { f.shards[shard2][down].Shape = []uint64{16, 64} },
			[]string{shard2, `tensor "` + down + `" has shape [16 64], not [32 32]`}},
		{"flat", func(f *folder) { f.shards[shard2][down].Shape = []uint64{1024} }, []string{shard2, down, "has shape [1024], not [32 32]"}},
		{"scalar", func(f *folder) {
			e := f.shards[shard2]["model.layers.1.mlp.gate.expert_bias"]
			e.Shape, e.data = []uint64{}, e.data[:4]
		}, []string{shard2, "expert_bias", "has shape [], not [4]"}},
		{"empty tensor", func(f *folder) { e := f.shards[shard2][down]; e.Shape[0], e.data = 0, nil }, []string{shard2, down, "has shape [0 32]"}},
		{"merged shape", func(f *folder) { merge(f).all()["model.layers.1.mlp.experts.up_proj"].Shape = []uint64{32, 4, 32} },
			[]string{shard2, "model.layers.1.mlp.experts.up_proj", "has shape [32 4 32], not [4 32 32]"}},
		{"I64", func(f *folder) { e := f.shards[shard2][down]; e.DType, e.Shape[0] = "I64", 8 }, []string{shard2, down, "I64"}},
		{"F64", func(f *folder) { e := f.shards[shard2][down]; e.DType, e.Shape[0] = "F64", 8 }, []string{shard2, down, "F64"}},
		{"U16", func(f *folder) { f.shards[shard2][down].DType = "U16" }, []string{shard2, down, "has dtype U16, not F32, F16 or BF16"}},
		{"FP8", func(f *folder) { e := f.shards[shard2][down]; e.DType, e.Shape[0] = "F8_E4M3", 64 }, []string{shard2, down, "F8_E4M3"}},
		{"FP4", func(f *folder) { f.shards[shard2][down].DType = "" }, []string{shard2, down}},
		{"bytes and shape", func(f *folder) { f.shards[shard2][down].Shape[0] = 31 }, []string{shard2, down, "has 2048 bytes, not 1984"}},
		{"shape overflows", func(f *folder) { f.shards[shard2][down].Shape = []uint64{1 << 40, 1 << 40} }, []string{shard2, down, "overflows"}},

		{"missing shard", func(f *folder) { delete(f.shards, shard2); f.index = map[string]string{down: shard2} },
			[]string{shard2, index}},
		{"index names a file outside", func(f *folder) { f.index = map[string]string{down: "../x.safetensors"} },
			[]string{index, down, `"../x.safetensors" is not a file of this folder`}},
		{"index names a folder", func(f *folder) { f.index = map[string]string{down: ".."} }, []string{index, down, "is not a file of this folder"}},
		{"index names this folder", func(f *folder) { f.index = map[string]string{down: "."} }, []string{"not a regular file"}},
		{"index names nothing", func(f *folder) { f.index = map[string]string{down: ""} }, []string{index, down}},
		{"index names an absolute path", func(f *folder) { f.index = map[string]string{down: "/etc/passwd"} }, []string{index, down, "/etc/passwd"}},
		{"index names a file below", func(f *folder) { f.index = map[string]string{down: "a/b"} }, []string{index, down}},
		{"index promises more", func(f *folder) { f.index = map[string]string{"nothing": shard1} },
			[]string{shard1, `tensor "nothing", which ` + index + ` promises, is missing`}},
		{"index promises less", func(f *folder) {
			f.index = map[string]string{"model.norm.weight": shard2}
			delete(f.shards[shard1], "model.norm.weight")
		}, []string{shard2, "is not in " + index}},
		{"index is empty", func(f *folder) { f.index = map[string]string{} }, []string{index, "weight_map is missing or empty"}},
		{"index is no JSON", func(f *folder) { f.noIndex, f.extra[index] = true, "{" }, []string{index}},
		{"index is a list", func(f *folder) { f.noIndex, f.extra[index] = true, "[]" }, []string{index}},
		{"index has numbers", func(f *folder) { f.noIndex, f.extra[index] = true, `{"weight_map":{"a":1}}` }, []string{index}},
		{"no shards", func(f *folder) { f.shards, f.noIndex = nil, true }, []string{"no .safetensors files"}},
		{"shard is a text", func(f *folder) { f.extra["other.safetensors"], f.noIndex = "hello, world", true }, []string{"other.safetensors"}},
		{"empty shard", func(f *folder) { f.extra["other.safetensors"], f.noIndex = "", true }, []string{"other.safetensors", "0 bytes"}},

		{"config misses a field", func(f *folder) { delete(f.config, "head_dim") }, []string{`config.json: field "head_dim" is missing`}},
		{"LLaDA2.2", func(f *folder) { f.config["delete_token_id"] = 7 }, []string{"config.json", "LLaDA2.2"}},
		{"tokenizer is no JSON", func(f *folder) { f.extra["tokenizer.json"] = "{" }, []string{"tokenizer.json"}},
		{"tokenizer is another", func(f *folder) { f.extra["tokenizer.json"] = `{"model":{"type":"Unigram"}}` }, []string{"tokenizer.json"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := toy()
			c.change(f)
			dir := f.write(t)
			refused(t, dir, convert.Options{Recipe: quant.Plain(gguf.Q4_0)}, append(c.want, dir)...)
		})
	}
}

func TestMissingFolderAndConfig(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nothing")
	assert.ErrorIs(t, refused(t, dir, convert.Options{}, "config.json"), os.ErrNotExist)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "config.json"), 0o777))
	refused(t, dir, convert.Options{}, "config.json is not a regular file")
	assert.ErrorIs(t, refused(t, toyWithout(t, shard2), convert.Options{}, "shard "+shard2), os.ErrNotExist)
}

// toyWithout returns the toy's folder without one file.
func toyWithout(t *testing.T, name string) string {
	t.Helper()
	dir := toy().write(t)
	require.NoError(t, os.Remove(filepath.Join(dir, name)))
	return dir
}

// A download that broke off, anywhere.
func TestTruncatedShard(t *testing.T) {
	dir := toy().write(t)
	path := filepath.Join(dir, shard2)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	header := 8 + int(binary.LittleEndian.Uint64(whole))
	lengths := []int{0, 1, 7, 8, 9, header - 1, header, header + 1, len(whole) - 1}
	for n := 16; n < len(whole); n += 997 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		require.NoError(t, os.WriteFile(path, whole[:n], 0o666))
		err := refused(t, dir, convert.Options{}, shard2)
		if n >= header {
			assert.ErrorContains(t, err, "tensor \"", "%d bytes", n)
		}
	}
	require.NoError(t, os.WriteFile(path, append(whole, 0), 0o666))
	refused(t, dir, convert.Options{}, shard2, "incomplete buffer")
}

// No bit of a header can be wrong without an error, unless the weights stay
// the same.
func TestFlippedBitsInHeader(t *testing.T) {
	dir := toy().write(t)
	path := filepath.Join(dir, shard2)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	header := 8 + int(binary.LittleEndian.Uint64(whole))
	want, _ := convertTo(t, dir, convert.Options{})
	good, err := os.ReadFile(want)
	require.NoError(t, err)
	for bit := range 8 * header {
		if bit >= 64 && bit%13 != 0 {
			continue // one of each byte's bits, by turns
		}
		data := slices.Clone(whole)
		data[bit/8] ^= 1 << (bit % 8)
		require.NoError(t, os.WriteFile(path, data, 0o666))
		out := filepath.Join(t.TempDir(), "out.gguf")
		if _, err := run(t, dir, out, convert.Options{}); err != nil {
			require.ErrorContains(t, err, shard2, "bit %d", bit)
			require.NotContains(t, err.Error(), "\n")
			require.NoFileExists(t, out)
			continue
		}
		got, err := os.ReadFile(out)
		require.NoError(t, err)
		require.Equal(t, good, got, "bit %d", bit)
	}
}

// Headers that cannot be made by changing the toy.
func TestMalformedHeaders(t *testing.T) {
	norm := `"model.norm.weight":{"dtype":"BF16","shape":[32],"data_offsets":[0,64]}`
	for _, c := range []struct {
		name, header string
		body         int
		want         string
	}{
		{"same tensor twice", "{" + norm + "," + norm + "}", 64, `tensor "model.norm.weight" occurs twice`},
		{"same name twice", "{" + norm + "," + strings.Replace(norm, "BF16", "F16", 1) + "}", 64, `tensor "model.norm.weight" occurs twice`},
		{"overlap", "{" + norm + "," + strings.Replace(norm, "norm", "x", 1) + "}", 64, "offset for tensor"},
		{"gap", "{" + norm + `,"x":{"dtype":"BF16","shape":[1],"data_offsets":[66,68]}}`, 68, `offset for tensor "x"`},
		{"backwards", `{"x":{"dtype":"BF16","shape":[1],"data_offsets":[2,0]}}`, 2, `"x"`},
		{"negative", `{"x":{"dtype":"BF16","shape":[1],"data_offsets":[-2,0]}}`, 2, `"x"`},
		{"huge", `{"x":{"dtype":"BF16","shape":[1],"data_offsets":[0,18446744073709551615]}}`, 2, `"x"`},
		{"too large a number", `{"x":{"dtype":"BF16","shape":[1],"data_offsets":[0,18446744073709551616]}}`, 2, `"x"`},
		{"one offset", `{"x":{"dtype":"BF16","shape":[1],"data_offsets":[0]}}`, 2, `"x"`},
		{"no offsets", `{"x":{"dtype":"BF16","shape":[1]}}`, 2, `"x"`},
		{"fraction", `{"x":{"dtype":"BF16","shape":[1.5],"data_offsets":[0,2]}}`, 2, `"x"`},
		{"a number", `{"x":1}`, 0, "invalid header"},
		{"null", `{"x":null}`, 0, `"x"`},
		{"list", `[]`, 0, "invalid header"},
		{"no tensors", `{}`, 0, "is missing"},
		{"metadata of numbers", `{"__metadata__":{"a":1}}`, 0, "__metadata__"},
		{"much text", `{"x":{"dtype":"BF16","shape":"` + strings.Repeat("ä", 5000) + `","data_offsets":[0,2]}}`, 2, `"x"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := toy()
			f.noIndex, f.shards = true, nil
			f.extra["x.safetensors"] = string(append(frame([]byte(c.header)), make([]byte, c.body)...))
			refused(t, f.write(t), convert.Options{}, c.want)
		})
	}
	f := toy()
	f.noIndex = true
	f.extra["x.safetensors"] = string(binary.LittleEndian.AppendUint64(nil, math.MaxUint64)) + "{}"
	refused(t, f.write(t), convert.Options{}, "x.safetensors")
}

// put sets one weight of a tensor of the toy.
func put(f *folder, name string, i int, bits uint16) {
	binary.LittleEndian.PutUint16(f.shard(name)[name].data[2*i:], bits)
}

func TestNonFiniteWeights(t *testing.T) {
	const (
		nan, inf, minusInf = 0x7fc0, 0x7f80, 0xff80
		up                 = "model.layers.1.mlp.experts.2.up_proj.weight"
		norm               = "model.norm.weight"
	)
	f := toy()
	put(f, up, 0, nan)
	put(f, up, 500, inf)
	put(f, up, 1023, minusInf)
	dir := f.write(t)
	for _, typ := range types {
		refused(t, dir, convert.Options{Recipe: quant.Plain(typ)}, shard2, up, "3 weights are not finite as "+typ.String())
	}
	put(f, up, 0, 0)
	put(f, up, 500, 0)
	put(f, up, 1023, 0)
	put(f, norm, 7, nan)
	refused(t, f.write(t), convert.Options{Recipe: quant.Plain(gguf.Q4_0)}, shard2, norm, "1 weights are not finite as f32")

	put(f, up, 32, nan)
	put(f, up, 33, inf)
	dir = f.write(t)
	for _, typ := range []gguf.Type{gguf.F32, gguf.Q8_0, gguf.Q4_0} {
		path, r := convertTo(t, dir, convert.Options{Recipe: quant.Plain(typ), AllowNonFinite: true})
		assert.EqualValues(t, 3, r.NonFinite)
		file := open(t, path)
		tensor, ok := file.Tensor("blk.1.ffn_up_exps.weight")
		require.True(t, ok)
		got := decode(t, tensor)[2*1024:]
		if typ == gguf.F32 {
			assert.True(t, math.IsNaN(float64(got[32])) && math.IsInf(float64(got[33]), 1))
		} else {
			assert.Equal(t, []float32{0, 0}, got[32:34])
		}
		for i, x := range got {
			if typ != gguf.F32 || i != 32 && i != 33 {
				assert.False(t, math.IsNaN(float64(x)) || math.IsInf(float64(x), 0), "weight %d", i)
			}
		}
	}
}

// The count is of the whole tensor, whatever chunks it was read in.
func TestNonFiniteWeightsInSeveralChunks(t *testing.T) {
	f := large()
	put(f, "lm_head.weight", 5, 0x7fc0)
	put(f, "lm_head.weight", 32*20000, 0x7fc0)
	dir := f.write(t)
	refused(t, dir, convert.Options{Recipe: quant.Plain(gguf.Q8_0), Threads: 2}, shard2, "lm_head.weight", "2 weights are not finite as q8_0")
	_, r := convertTo(t, dir, convert.Options{Recipe: quant.Plain(gguf.Q8_0), AllowNonFinite: true})
	assert.EqualValues(t, 2, r.NonFinite)
}

func TestOverflow(t *testing.T) {
	const head = "lm_head.weight"
	f := toy()
	put(f, head, 3, bf16(65536))
	put(f, head, 4, bf16(-1e30))
	dir := f.write(t)
	refused(t, dir, convert.Options{Recipe: quant.Plain(gguf.F16)}, shard2, head, "2 weights are not finite as f16")
	convertTo(t, dir, convert.Options{Recipe: quant.Plain(gguf.BF16)})
	// The scale of a block is a half: the whole block is lost.
	refused(t, dir, convert.Options{Recipe: quant.Plain(gguf.Q8_0)}, shard2, head, "32 weights are not finite as q8_0")
	_, r := convertTo(t, dir, convert.Options{Recipe: quant.Plain(gguf.F16), AllowNonFinite: true})
	assert.EqualValues(t, 2, r.NonFinite)

	// A float32 just above the largest bfloat16.
	f = toy()
	s := f.shard(head)
	wide := &entry{DType: "F32", Shape: s[head].Shape}
	for _, x := range s[head].floats() {
		wide.data = binary.LittleEndian.AppendUint32(wide.data, math.Float32bits(x))
	}
	binary.LittleEndian.PutUint32(wide.data, 0x7f7fffff)
	s[head] = wide
	dir = f.write(t)
	refused(t, dir, convert.Options{Recipe: quant.Plain(gguf.BF16)}, shard2, head, "1 weights are not finite as bf16")
	convertTo(t, dir, convert.Options{Recipe: quant.Plain(gguf.F32)})
}

// What the folder has besides does not matter.
func TestOtherFilesAreIgnored(t *testing.T) {
	f := toy()
	f.extra["other.safetensors"] = "not named in the index"
	f.extra["README.md"] = "text"
	want, err := json.Marshal(maps.Clone(f.config))
	require.NoError(t, err)
	dir := f.write(t)
	before := contents(t, dir)
	convertTo(t, dir, convert.Options{})
	assert.Equal(t, before, contents(t, dir))
	assert.Equal(t, string(want), before[filepath.Join(dir, "config.json")])
	assert.Len(t, before, 6, fmt.Sprint(before))
}
