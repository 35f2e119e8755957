package convert_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/internal/oracle"
	"lladakit/internal/tiny"
	"lladakit/quant"
)

// folders returns the golden checkpoints, the tiny one and the toy.
func folders(t testing.TB) map[string]string {
	t.Helper()
	golden, err := oracle.Golden()
	require.NoError(t, err)
	all := map[string]string{"toy": toy().write(t), "tiny": filepath.Join(t.TempDir(), "tiny")}
	for _, c := range golden {
		all[c.Name] = c.Dir
	}
	require.NoError(t, tiny.Unpack(all["tiny"]))
	return all
}

func TestConvert(t *testing.T) {
	for name, dir := range folders(t) {
		all := readCheckpoint(t, dir)
		for _, typ := range types {
			t.Run(name+" "+typ.String(), func(t *testing.T) {
				path, r := convertTo(t, dir, convert.Options{Recipe: quant.Plain(typ)})
				info, err := os.Stat(path)
				require.NoError(t, err)
				assert.Equal(t, convert.Result{Paths: []string{path}, Bytes: info.Size()}, r)
				f := open(t, path)
				checkFile(t, f, all, typ)
				fileType, err := f.Metadata.Uint("general.file_type")
				require.NoError(t, err)
				assert.Equal(t, map[gguf.Type]uint64{gguf.F32: 0, gguf.F16: 1, gguf.Q4_0: 2, gguf.Q8_0: 7, gguf.BF16: 32}[typ], fileType)
				version, err := f.Metadata.Uint("general.quantization_version")
				require.NoError(t, err)
				assert.EqualValues(t, 2, version)
				model, err := f.Metadata.String("general.name")
				require.NoError(t, err)
				assert.Equal(t, filepath.Base(dir), model)
			})
		}
	}
}

func TestConvertOrder(t *testing.T) {
	path, _ := convertTo(t, toy().write(t), convert.Options{})
	var names []string
	for _, tensor := range open(t, path).Tensors {
		names = append(names, tensor.Name)
	}
	assert.Equal(t, toyTensors, names)
}

// bytesOf returns the file that the folder makes.
func bytesOf(t testing.TB, f *folder, opt convert.Options) []byte {
	t.Helper()
	path, _ := convertTo(t, f.write(t), opt)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// merge replaces the experts' tensors by stacks of them, as dFactory stores them.
func merge(f *folder) *folder {
	f.config["model_type"] = "llada2_moe_veomni"
	for _, part := range []string{"gate_proj", "up_proj", "down_proj"} {
		stack := &entry{DType: "BF16"}
		for e := range 4 {
			name := fmt.Sprintf("model.layers.1.mlp.experts.%d.%s.weight", e, part)
			s := f.shard(name)
			stack.data = append(stack.data, s[name].data...)
			stack.Shape = append([]uint64{4}, s[name].Shape...)
			delete(s, name)
		}
		f.shards["model-00002-of-00002.safetensors"]["model.layers.1.mlp.experts."+part] = stack
	}
	return f
}

func TestConvertMergedExperts(t *testing.T) {
	for _, typ := range types {
		want := bytesOf(t, toy(), convert.Options{Recipe: quant.Plain(typ)})
		assert.True(t, bytes.Equal(want, bytesOf(t, merge(toy()), convert.Options{Recipe: quant.Plain(typ)})), typ)
	}
	both := merge(toy())
	separate := "model.layers.1.mlp.experts.2.up_proj.weight"
	both.shards["model-00002-of-00002.safetensors"][separate] = toy().all()[separate]
	_, err := run(t, both.write(t), filepath.Join(t.TempDir(), "x"), convert.Options{})
	assert.ErrorContains(t, err, separate)
}

func TestConvertSingleFile(t *testing.T) {
	want := bytesOf(t, toy(), convert.Options{})
	assert.True(t, bytes.Equal(want, bytesOf(t, toy().single(), convert.Options{})), "without index")
	noIndex := toy()
	noIndex.noIndex = true
	assert.True(t, bytes.Equal(want, bytesOf(t, noIndex, convert.Options{})), "two files without index")
}

// A folder's name is no pattern.
func TestConvertFolderWithBrackets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model[1]*?")
	require.NoError(t, os.Rename(toy().single().write(t), dir))
	convertTo(t, dir, convert.Options{})
}

func TestConvertWithoutQKNorm(t *testing.T) {
	without := func(layers ...int) *folder {
		f := toy()
		f.config["use_qk_norm"] = false
		for _, i := range layers {
			for _, part := range []string{"query", "key"} {
				name := fmt.Sprintf("model.layers.%d.attention.%s_layernorm.weight", i, part)
				delete(f.shard(name), name)
			}
		}
		return f
	}
	f := without(0, 1)
	dir := f.write(t)
	path, _ := convertTo(t, dir, convert.Options{})
	file := open(t, path)
	checkFile(t, file, readCheckpoint(t, dir), gguf.F32)
	assert.Len(t, file.Tensors, len(toyTensors)-4)

	// The tensors decide: norms that are there are used.
	path, _ = convertTo(t, without().write(t), convert.Options{})
	assert.Len(t, open(t, path).Tensors, len(toyTensors))

	for name, f := range map[string]*folder{"one layer": without(1), "config wants them": without(0, 1)} {
		if name == "config wants them" {
			delete(f.config, "use_qk_norm")
		}
		_, err := run(t, f.write(t), filepath.Join(t.TempDir(), "x"), convert.Options{})
		assert.ErrorContains(t, err, "query and key norms: found", name)
		assert.ErrorContains(t, err, "need 4", name)
	}
}

func TestConvertSplit(t *testing.T) {
	dir := toy().write(t)
	whole, _ := convertTo(t, dir, convert.Options{Recipe: quant.Plain(gguf.Q8_0)})
	want := open(t, whole)
	for _, size := range []uint64{1, 5000, 20000, 1 << 30} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			path, r := convertTo(t, dir, convert.Options{Recipe: quant.Plain(gguf.Q8_0), SplitSize: size})
			parts := len(r.Paths)
			assert.Len(t, contents(t, filepath.Dir(path)), parts)
			var bytes int64
			for i, p := range r.Paths {
				info, err := os.Stat(p)
				require.NoError(t, err)
				bytes += info.Size()
				if parts > 1 {
					assert.Equal(t, fmt.Sprintf("out-%05d-of-%05d.gguf", i+1, parts), filepath.Base(p))
				}
			}
			assert.Equal(t, bytes, r.Bytes)
			switch size {
			case 1:
				assert.Equal(t, len(toyTensors), parts)
			case 1 << 30:
				assert.Equal(t, []string{path}, r.Paths)
			default:
				assert.Greater(t, parts, 1)
				assert.Less(t, parts, len(toyTensors))
			}
			got := open(t, r.Paths[parts-1])
			require.Len(t, got.Tensors, len(want.Tensors))
			sizes := make([]uint64, parts)
			for i := range want.Tensors {
				assert.Equal(t, want.Tensors[i].TensorInfo, got.Tensors[i].TensorInfo)
				assert.Equal(t, want.Tensors[i].Data, got.Tensors[i].Data)
				sizes[got.Tensors[i].Shard] += want.Tensors[i].Bytes()
			}
			for _, n := range sizes {
				assert.True(t, n <= size || size == 1, "%d bytes", n)
			}
			for _, kv := range want.Metadata {
				v, _ := got.Metadata.Lookup(kv.Key)
				assert.Equal(t, kv.Value, v, kv.Key)
			}
		})
	}
}

// large returns the toy with so many tokens that the embedding takes several
// chunks, the last one not a whole chunk.
func large() *folder {
	f := toy()
	f.config["vocab_size"] = 20001
	for _, name := range []string{"model.word_embeddings.weight", "lm_head.weight"} {
		e := f.shard(name)[name]
		row := e.data
		e.Shape[0], e.data = 20001, nil
		for i := range 20001 { // rows that differ
			e.data = append(e.data, row[2*i%1024:][:64]...)
		}
	}
	return f
}

func TestConvertChunks(t *testing.T) {
	dir := large().write(t)
	all := readCheckpoint(t, dir)
	for _, typ := range types {
		path, _ := convertTo(t, dir, convert.Options{Recipe: quant.Plain(typ)})
		checkFile(t, open(t, path), all, typ)
	}
}

// The number of workers never shows in a file.
func TestConvertThreads(t *testing.T) {
	dir := large().write(t)
	for _, typ := range []gguf.Type{gguf.F16, gguf.Q4_0} {
		var want []byte
		for _, threads := range []int{1, 2, 7, 1000, 0} {
			path, _ := convertTo(t, dir, convert.Options{Recipe: quant.Plain(typ), Threads: threads})
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			if want == nil {
				want = got
			}
			assert.True(t, bytes.Equal(want, got), "%s, %d threads", typ, threads)
		}
	}
}

// Rows that are no whole number of blocks become f16.
func TestConvertRowsWithoutBlocks(t *testing.T) {
	f := toy()
	f.config["intermediate_size"] = 40
	for name, shape := range map[string][]uint64{"gate_proj": {40, 32}, "up_proj": {40, 32}, "down_proj": {32, 40}} {
		name = "model.layers.0.mlp." + name + ".weight"
		e := f.shard(name)[name]
		e.Shape, e.data = shape, e.data[:2*40*32]
	}
	path, _ := convertTo(t, f.write(t), convert.Options{Recipe: quant.Plain(gguf.Q4_0)})
	got := map[string]gguf.Type{}
	for _, tensor := range open(t, path).Tensors {
		got[tensor.Name] = tensor.Type
	}
	assert.Equal(t, gguf.F16, got["blk.0.ffn_down.weight"])
	assert.Equal(t, gguf.Q4_0, got["blk.0.ffn_up.weight"])
	assert.Equal(t, gguf.F32, got["blk.1.ffn_gate_inp.weight"])
}

func TestPlan(t *testing.T) {
	c, err := convert.Open(toy().write(t))
	require.NoError(t, err)
	defer c.Close()
	for _, recipe := range []quant.Recipe{{Target: -1}, {Target: 99}, {Fixed: []quant.Fixed{{Name: "output.weight", Types: []gguf.Type{gguf.I64}}}}} {
		_, err := c.Plan(convert.Options{Recipe: recipe})
		assert.Error(t, err)
	}
	p, err := c.Plan(convert.Options{Recipe: quant.Plain(gguf.BF16)})
	require.NoError(t, err)
	weights, bytes := 0, 0
	for name, e := range toy().all() {
		n := count(e.Shape)
		weights += n
		if len(e.Shape) == 1 || strings.Contains(name, "mlp.gate.weight") {
			bytes += 4 * n
		} else {
			bytes += 2 * n
		}
	}
	assert.EqualValues(t, weights, p.Weights())
	assert.EqualValues(t, bytes, p.Bytes())
}

func TestGenerationConfig(t *testing.T) {
	f := toy()
	f.extra["generation_config.json"] = `{"block_length": 16, "steps": null, "threshold": 0.75, "eos_token_id": 44}`
	path, _ := convertTo(t, f.write(t), convert.Options{})
	md := open(t, path).Metadata
	for key, want := range map[string]any{
		"llada2.diffusion.block_length": uint32(16), "llada2.diffusion.steps": uint32(32), "llada2.diffusion.threshold": float32(0.75),
	} {
		got, _ := md.Lookup(key)
		assert.Equal(t, want, got, key)
	}
	for text, want := range map[string]string{
		"{": "unexpected end", `{"steps": 0}`: "steps: 0", `{"threshold": 2}`: "threshold: 2", `{"block_length": "x"}`: "block_length",
	} {
		f.extra["generation_config.json"] = text
		_, err := convert.Open(f.write(t))
		assert.ErrorContains(t, err, "generation_config.json: ")
		assert.ErrorContains(t, err, want)
	}
}

// TestLayout: without a checkpoint the tensors are those that one is stored as.
func TestLayout(t *testing.T) {
	expert, err := quant.ParseExpertRule("experts=0:q8_0 rest:q4_0")
	require.NoError(t, err)
	target, err := quant.ParseTarget("q4_k_m")
	require.NoError(t, err)
	for name, f := range map[string]*folder{"toy": toy(), "large": large()} {
		c, err := convert.Open(f.write(t))
		require.NoError(t, err)
		defer c.Close()
		for _, recipe := range []quant.Recipe{quant.Plain(gguf.BF16), {Target: target}, {Target: target, Experts: []quant.ExpertRule{expert}}} {
			want, err := c.Plan(convert.Options{Recipe: recipe})
			require.NoError(t, err, name)
			got, err := convert.Layout(&c.Config, recipe)
			require.NoError(t, err, name)
			assert.Equal(t, want.Tensors, got, "%s, %+v", name, recipe)
		}
	}
}
