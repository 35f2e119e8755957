package convert_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/gguf"
)

// entry is a tensor of a safetensors file.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []uint64 `json:"shape"`
	Offsets [2]int   `json:"data_offsets"`
	data    []byte
}

// types are the formats that the tests convert to.
var types = []gguf.Type{gguf.F32, gguf.F16, gguf.BF16, gguf.Q8_0, gguf.Q4_0}

// tensors are the tensors of a checkpoint or of one of its files.
type tensors map[string]*entry

// folder is a checkpoint in memory, to be changed and written.
type folder struct {
	config  map[string]any
	shards  map[string]tensors
	noIndex bool
	index   map[string]string // instead of the right one
	extra   map[string]string // other files
}

// toy returns a checkpoint of two layers, the second with four experts. The
// weights are random; the seed is fixed.
func toy() *folder {
	f := &folder{
		config: map[string]any{
			"architectures": []string{"LLaDA2MoeModelLM"}, "model_type": "llada2_moe", "vocab_size": 48,
			"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
			"num_key_value_heads": 2, "head_dim": 16, "partial_rotary_factor": 0.5, "rotary_dim": 8,
			"rope_theta": 600000, "rope_scaling": nil, "max_position_embeddings": 512, "rms_norm_eps": 1e-6,
			"hidden_act": "silu", "num_experts": 4, "num_experts_per_tok": 2, "num_shared_experts": 1,
			"moe_intermediate_size": 32, "first_k_dense_replace": 1, "n_group": 2, "topk_group": 1,
			"routed_scaling_factor": 2.5, "norm_topk_prob": true, "score_function": "sigmoid",
			"router_dtype": "fp32", "moe_router_enable_expert_bias": true, "use_qkv_bias": false,
			"use_bias": false, "tie_word_embeddings": false, "norm_head": false, "use_rmsnorm": true,
			"pad_token_id": 44, "torch_dtype": "bfloat16", "mask_token_id": 45, "eos_token_id": 44,
		},
		shards: map[string]tensors{"model-00001-of-00002.safetensors": {}, "model-00002-of-00002.safetensors": {}},
		extra:  map[string]string{},
	}
	random := rand.New(rand.NewPCG(1, 2))
	first, second := f.shards["model-00001-of-00002.safetensors"], f.shards["model-00002-of-00002.safetensors"]
	add := func(to tensors, name string, shape ...uint64) {
		e := &entry{DType: "BF16", Shape: shape}
		for range count(shape) {
			e.data = binary.LittleEndian.AppendUint16(e.data, bf16(random.NormFloat64()))
		}
		to[name] = e
	}
	add(first, "model.word_embeddings.weight", 48, 32)
	for i := range 2 {
		to, at := first, fmt.Sprintf("model.layers.%d.", i)
		add(to, at+"input_layernorm.weight", 32)
		add(to, at+"attention.query_key_value.weight", 128, 32)
		add(to, at+"attention.query_layernorm.weight", 16)
		add(to, at+"attention.key_layernorm.weight", 16)
		add(to, at+"attention.dense.weight", 32, 64)
		add(to, at+"post_attention_layernorm.weight", 32)
	}
	mlp := func(to tensors, at string, width uint64) {
		add(to, at+"gate_proj.weight", width, 32)
		add(to, at+"up_proj.weight", width, 32)
		add(to, at+"down_proj.weight", 32, width)
	}
	mlp(first, "model.layers.0.mlp.", 64)
	for e := range 4 {
		mlp(second, fmt.Sprintf("model.layers.1.mlp.experts.%d.", e), 32)
	}
	mlp(second, "model.layers.1.mlp.shared_experts.", 32)
	add(second, "model.layers.1.mlp.gate.weight", 4, 32)
	bias := &entry{DType: "F32", Shape: []uint64{4}}
	for range 4 {
		bias.data = binary.LittleEndian.AppendUint32(bias.data, math.Float32bits(random.Float32()))
	}
	second["model.layers.1.mlp.gate.expert_bias"] = bias
	add(second, "model.norm.weight", 32)
	add(second, "lm_head.weight", 48, 32)
	return f
}

// toyTensors are the tensors of the toy's GGUF file, in order.
var toyTensors = []string{
	"token_embd.weight",
	"blk.0.attn_norm.weight", "blk.0.attn_qkv.weight", "blk.0.attn_q_norm.weight", "blk.0.attn_k_norm.weight",
	"blk.0.attn_output.weight", "blk.0.ffn_norm.weight",
	"blk.0.ffn_gate.weight", "blk.0.ffn_up.weight", "blk.0.ffn_down.weight",
	"blk.1.attn_norm.weight", "blk.1.attn_qkv.weight", "blk.1.attn_q_norm.weight", "blk.1.attn_k_norm.weight",
	"blk.1.attn_output.weight", "blk.1.ffn_norm.weight", "blk.1.ffn_gate_inp.weight", "blk.1.exp_probs_b.bias",
	"blk.1.ffn_gate_exps.weight", "blk.1.ffn_up_exps.weight", "blk.1.ffn_down_exps.weight",
	"blk.1.ffn_gate_shexp.weight", "blk.1.ffn_up_shexp.weight", "blk.1.ffn_down_shexp.weight",
	"output_norm.weight", "output.weight",
}

func count(shape []uint64) int {
	n := 1
	for _, d := range shape {
		n *= int(d)
	}
	return n
}

// bf16 cuts x to bfloat16.
func bf16(x float64) uint16 { return uint16(math.Float32bits(float32(x)) >> 16) }

// all returns the tensors of all shards.
func (f *folder) all() tensors {
	all := tensors{}
	for _, s := range f.shards {
		maps.Copy(all, s)
	}
	return all
}

// shard returns the shard that has a tensor.
func (f *folder) shard(tensor string) tensors {
	for _, s := range f.shards {
		if s[tensor] != nil {
			return s
		}
	}
	panic("no tensor " + tensor)
}

// single puts all tensors into one file without an index.
func (f *folder) single() *folder {
	f.shards, f.noIndex = map[string]tensors{"model.safetensors": f.all()}, true
	return f
}

// write writes the folder to a new one, always of the same base name, which the
// converter takes as the model's.
func (f *folder) write(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "toy")
	require.NoError(t, os.Mkdir(dir, 0o777))
	put := func(name string, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o666))
	}
	asJSON := func(v any) []byte {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		return data
	}
	put("config.json", asJSON(f.config))
	index := map[string]string{}
	for name, s := range f.shards {
		for tensor := range s {
			index[tensor] = name
		}
		put(name, s.encode(t))
	}
	if f.index != nil {
		index = f.index
	}
	if !f.noIndex {
		put("model.safetensors.index.json", asJSON(map[string]any{"weight_map": index}))
	}
	for name, text := range f.extra {
		put(name, []byte(text))
	}
	return dir
}

// encode returns a safetensors file: the tensors in alphabetical order.
func (s tensors) encode(t testing.TB) []byte {
	t.Helper()
	var body []byte
	entries := map[string]entry{}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		e := *s[name]
		e.Offsets = [2]int{len(body), len(body) + len(e.data)}
		body = append(body, e.data...)
		entries[name] = e
	}
	header, err := json.Marshal(entries)
	require.NoError(t, err)
	return append(frame(header), body...)
}

// frame puts a header's length before it.
func frame(header []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
}

// readCheckpoint reads all tensors of a checkpoint folder, without the code
// under test.
func readCheckpoint(t testing.TB, dir string) tensors {
	t.Helper()
	all := tensors{}
	paths, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	require.NoError(t, err)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		end := 8 + int(binary.LittleEndian.Uint64(data))
		var header map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(data[8:end], &header))
		delete(header, "__metadata__")
		for name, raw := range header {
			e := &entry{}
			require.NoError(t, json.Unmarshal(raw, e))
			e.data = data[end+e.Offsets[0] : end+e.Offsets[1]]
			all[name] = e
		}
	}
	return all
}

// floats widens the tensor's weights.
func (e *entry) floats() []float32 {
	out := make([]float32, count(e.Shape))
	for i := range out {
		switch e.DType {
		case "F32":
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(e.data[4*i:]))
		case "BF16":
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(e.data[2*i:])) << 16)
		default:
			panic(e.DType)
		}
	}
	return out
}

// convertTo converts a folder to a new file.
func convertTo(t testing.TB, dir string, opt convert.Options) (string, convert.Result) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out.gguf")
	r, err := run(t, dir, path, opt)
	require.NoError(t, err)
	return path, r
}

// run converts a folder to a file.
func run(t testing.TB, dir, path string, opt convert.Options) (convert.Result, error) {
	c, err := convert.Open(dir)
	if err != nil {
		return convert.Result{}, err
	}
	defer c.Close()
	p, err := c.Plan(opt)
	if err != nil {
		return convert.Result{}, err
	}
	return p.Write(t.Context(), path)
}

func open(t testing.TB, path string) *gguf.File {
	t.Helper()
	f, err := gguf.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// contents returns the files below a folder, hidden ones too.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	}))
	return files
}
