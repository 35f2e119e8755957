package convert_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/quant"
)

// dense returns a checkpoint of one layer without experts, in one file.
func dense() *folder {
	f := toy().single()
	f.config["num_hidden_layers"] = 1
	all := f.shards["model.safetensors"]
	maps.DeleteFunc(all, func(name string, _ *entry) bool { return strings.HasPrefix(name, "model.layers.1.") })
	return f
}

// FuzzOpen looks for panics, and for errors that do not say in one line where
// they come from, in the reading of a folder: the header of a safetensors file
// before so many bytes of weights, an index, the configurations.
func FuzzOpen(f *testing.F) {
	const name = "model.safetensors"
	folder := dense()
	shard := folder.shards[name].encode(f)
	header := shard[8 : 8+binary.LittleEndian.Uint64(shard)]
	weights := uint32(len(shard) - 8 - len(header))
	config, err := json.Marshal(folder.config)
	require.NoError(f, err)
	names := map[string]string{}
	for tensor := range folder.all() {
		names[tensor] = name
	}
	whole, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 7}, "weight_map": names})
	require.NoError(f, err)

	f.Add(header, weights, []byte(nil), config, []byte(nil))
	f.Add(header, weights, whole, config, []byte(`{"steps":16,"block_length":8,"threshold":0.5}`))
	f.Add(header[:len(header)/2], weights, whole, config, []byte(nil))
	f.Add([]byte(`{"x":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]},"__metadata__":{"a":"b"}}`), uint32(2), []byte(`{"weight_map":{"x":"a\nb"}}`), config, []byte(nil))
	f.Add([]byte(`{"x":{"dtype":"F8_E4M3","shape":[18446744073709551615,2],"data_offsets":[0,0]}}`), uint32(0), []byte(`{"weight_map":{"x\n":"model.safetensors"}}`), config, []byte("{"))
	f.Fuzz(func(t *testing.T, header []byte, weights uint32, index, config, generation []byte) {
		dir := t.TempDir()
		for file, data := range map[string][]byte{
			name: append(frame(header), make([]byte, weights%(1<<17))...), "model.safetensors.index.json": index,
			"config.json": config, "generation_config.json": generation,
		} {
			if len(data) > 0 {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), data, 0o666))
			}
		}
		oneLine := func(err error) {
			t.Helper()
			require.NotContains(t, err.Error(), "\n")
			require.Less(t, len(err.Error()), 2000)
		}
		c, err := convert.Open(dir)
		if err != nil {
			require.Nil(t, c)
			oneLine(err)
			require.Regexp(t, `config\.json|\.safetensors`, strings.ReplaceAll(err.Error(), dir, ""))
			return
		}
		defer c.Close()
		if _, err := c.Plan(convert.Options{Recipe: quant.Plain(gguf.Q4_0)}); err != nil {
			oneLine(err)
		}
	})
}

// No bit of an index can be wrong without an error that names it or a shard.
func TestFlippedBitsInIndex(t *testing.T) {
	dir := toy().write(t)
	path := filepath.Join(dir, index)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	want, _ := convertTo(t, dir, convert.Options{})
	good, err := os.ReadFile(want)
	require.NoError(t, err)
	refused, stride := 0, 131 // a bit of every sixteenth byte, by turns
	if os.Getenv(fullVariable) != "" {
		stride = 11
	}
	for bit := 0; bit < 8*len(whole); bit += stride {
		data := slices.Clone(whole)
		data[bit/8] ^= 1 << (bit % 8)
		require.NoError(t, os.WriteFile(path, data, 0o666))
		out := filepath.Join(t.TempDir(), "out.gguf")
		if _, err := run(t, dir, out, convert.Options{}); err != nil {
			refused++
			require.ErrorContains(t, err, dir, "bit %d", bit)
			require.Regexp(t, `model\.safetensors\.index\.json|\.safetensors`, err.Error(), "bit %d", bit)
			require.NotContains(t, err.Error(), "\n", "bit %d", bit)
			require.NoFileExists(t, out)
			continue
		}
		got, err := os.ReadFile(out)
		require.NoError(t, err)
		require.True(t, bytes.Equal(good, got), "bit %d", bit)
	}
	require.Greater(t, refused, 4*len(whole)/stride)
}

// An index that broke off, anywhere.
func TestTruncatedIndex(t *testing.T) {
	dir := toy().write(t)
	path := filepath.Join(dir, index)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for n := 0; n < len(whole); n += 1 + n/8 {
		require.NoError(t, os.WriteFile(path, whole[:n], 0o666))
		refused(t, dir, convert.Options{}, index)
	}
	refused(t, toyWithTail(t, whole), convert.Options{}, index)
}

// toyWithTail returns the toy's folder with something after its index.
func toyWithTail(t *testing.T, whole []byte) string {
	t.Helper()
	f := toy()
	f.noIndex, f.extra[index] = true, string(whole)+"{}"
	return f.write(t)
}

// Names that a file chooses are quoted: they cannot break a line or pretend to
// be the program's own words.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"a\nb", "\x1b[31mred", "x\u2028y", strings.Repeat("long", 5000)} {
		f := toy()
		f.index = maps.Clone(map[string]string{"model.norm.weight": name + ".safetensors"})
		err := refused(t, f.write(t), convert.Options{}, index)
		require.NotContains(t, err.Error(), "\x1b")

		f = toy()
		f.shards[shard1][name] = f.shards[shard1]["model.layers.0.input_layernorm.weight"]
		err = refused(t, f.write(t), convert.Options{}, shard1)
		require.NotContains(t, err.Error(), "\x1b")

		f = toy()
		f.index = map[string]string{name: shard1}
		err = refused(t, f.write(t), convert.Options{}, index)
		require.NotContains(t, err.Error(), "\x1b")
	}
}
