package arch_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/arch"
	"lladakit/internal/oracle"
)

// The published models, counted by hand from their shapes.
func TestTensorsOfPublishedModels(t *testing.T) {
	for _, c := range []struct {
		name                        string
		changes                     map[string]any
		files, checkpoint           int
		weights, experts, embedding int
	}{
		// 3 outside the layers; 9 in the dense layer, 14 in the others.
		{"mini", nil, 3 + 9 + 19*14, 14_813, 16_255_643_392, 15_300_820_992, 321_912_832},
		{"flash", flash, 3 + 9 + 31*14, 24_161, 102_889_705_216, 99_857_989_632, 643_825_664},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := parse(t, c.changes)
			var checkpoint, weights, experts, embedding int
			table := cfg.Tensors()
			for _, tensor := range table {
				n := 1
				for _, d := range tensor.Shape {
					n *= d
				}
				checkpoint += len(tensor.HF)
				weights += n
				switch tensor.Role {
				case arch.ExpertGate, arch.ExpertUp, arch.ExpertDown:
					experts += n
				case arch.TokenEmbedding:
					embedding = n
				}
			}
			assert.Len(t, table, c.files)
			assert.Equal(t, c.checkpoint, checkpoint)
			assert.Equal(t, c.weights, weights)
			assert.Equal(t, c.experts, experts)
			assert.Equal(t, c.embedding, embedding)
		})
	}
}

// layer1 is a layer with experts of LLaDA2.0-mini: GGUF name, checkpoint name
// (of expert 0 where there are several), merged name, shape, exact.
var layer1 = []struct {
	gguf, hf, merged string
	shape            []int
	exact            bool
}{
	{"blk.1.attn_norm.weight", "model.layers.1.input_layernorm.weight", "", []int{2048}, true},
	{"blk.1.attn_qkv.weight", "model.layers.1.attention.query_key_value.weight", "", []int{3072, 2048}, false},
	{"blk.1.attn_q_norm.weight", "model.layers.1.attention.query_layernorm.weight", "", []int{128}, true},
	{"blk.1.attn_k_norm.weight", "model.layers.1.attention.key_layernorm.weight", "", []int{128}, true},
	{"blk.1.attn_output.weight", "model.layers.1.attention.dense.weight", "", []int{2048, 2048}, false},
	{"blk.1.ffn_norm.weight", "model.layers.1.post_attention_layernorm.weight", "", []int{2048}, true},
	{"blk.1.ffn_gate_inp.weight", "model.layers.1.mlp.gate.weight", "", []int{256, 2048}, true},
	{"blk.1.exp_probs_b.bias", "model.layers.1.mlp.gate.expert_bias", "", []int{256}, true},
	{"blk.1.ffn_gate_exps.weight", "model.layers.1.mlp.experts.0.gate_proj.weight", "model.layers.1.mlp.experts.gate_proj", []int{256, 512, 2048}, false},
	{"blk.1.ffn_up_exps.weight", "model.layers.1.mlp.experts.0.up_proj.weight", "model.layers.1.mlp.experts.up_proj", []int{256, 512, 2048}, false},
	{"blk.1.ffn_down_exps.weight", "model.layers.1.mlp.experts.0.down_proj.weight", "model.layers.1.mlp.experts.down_proj", []int{256, 2048, 512}, false},
	{"blk.1.ffn_gate_shexp.weight", "model.layers.1.mlp.shared_experts.gate_proj.weight", "", []int{512, 2048}, false},
	{"blk.1.ffn_up_shexp.weight", "model.layers.1.mlp.shared_experts.up_proj.weight", "", []int{512, 2048}, false},
	{"blk.1.ffn_down_shexp.weight", "model.layers.1.mlp.shared_experts.down_proj.weight", "", []int{2048, 512}, false},
}

func TestTensors(t *testing.T) {
	cfg := parse(t, nil)
	table := cfg.Tensors()
	get := func(name string) arch.Tensor {
		i := slices.IndexFunc(table, func(t arch.Tensor) bool { return t.GGUF == name })
		require.GreaterOrEqual(t, i, 0, name)
		return table[i]
	}
	for i, want := range layer1 {
		got := table[1+9+i] // after the embedding and the dense layer
		assert.Equal(t, want.gguf, got.GGUF)
		assert.Equal(t, want.hf, got.HF[0])
		assert.Equal(t, want.merged, got.Merged, want.gguf)
		assert.Equal(t, want.shape, got.Shape, want.gguf)
		assert.Equal(t, want.exact, got.Exact(), want.gguf)
		assert.Equal(t, 1, got.Layer, want.gguf)
		norm := want.gguf == "blk.1.attn_q_norm.weight" || want.gguf == "blk.1.attn_k_norm.weight"
		assert.Equal(t, norm, got.Optional, want.gguf)
		if want.merged == "" {
			assert.Len(t, got.HF, 1)
			continue
		}
		require.Len(t, got.HF, 256)
		assert.Contains(t, got.HF[255], ".experts.255.")
	}
	for _, want := range []struct {
		gguf, hf string
		shape    []int
	}{
		{"token_embd.weight", "model.word_embeddings.weight", []int{157184, 2048}},
		{"blk.0.ffn_gate.weight", "model.layers.0.mlp.gate_proj.weight", []int{5120, 2048}},
		{"blk.0.ffn_up.weight", "model.layers.0.mlp.up_proj.weight", []int{5120, 2048}},
		{"blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight", []int{2048, 5120}},
		{"output_norm.weight", "model.norm.weight", []int{2048}},
		{"output.weight", "lm_head.weight", []int{157184, 2048}},
	} {
		got := get(want.gguf)
		assert.Equal(t, []string{want.hf}, got.HF)
		assert.Equal(t, want.shape, got.Shape, want.gguf)
		assert.Equal(t, len(want.shape) == 1, got.Exact(), want.gguf)
	}
	assert.Equal(t, "token_embd.weight", table[0].GGUF)
	assert.Equal(t, "output.weight", table[len(table)-1].GGUF)
	assert.Equal(t, []int{5120, 4096}, configTensor(t, flash, "blk.0.attn_qkv.weight").Shape)
}

func configTensor(t *testing.T, changes map[string]any, name string) arch.Tensor {
	t.Helper()
	cfg := parse(t, changes)
	for _, tensor := range cfg.Tensors() {
		if tensor.GGUF == name {
			return tensor
		}
	}
	require.Fail(t, "no tensor "+name)
	return arch.Tensor{}
}

func TestTensorsUniqueAndShort(t *testing.T) {
	cfg := parse(t, flash)
	seen := map[string]bool{}
	for _, tensor := range cfg.Tensors() {
		for _, name := range append([]string{tensor.GGUF}, tensor.HF...) {
			assert.False(t, seen[name], name)
			assert.NotContains(t, name, "%")
			seen[name] = true
		}
		assert.Less(t, len(tensor.GGUF), 64)
	}
}

func TestTensorsWithoutParts(t *testing.T) {
	for name, cfg := range map[string]arch.Config{
		"no shared expert": parse(t, map[string]any{"num_shared_experts": 0}),
		"no dense layer":   parse(t, map[string]any{"first_k_dense_replace": 0}),
		"only dense":       parse(t, map[string]any{"first_k_dense_replace": 20}),
	} {
		count := map[arch.Role]int{}
		for _, tensor := range cfg.Tensors() {
			count[tensor.Role]++
		}
		assert.Equal(t, cfg.DenseLayers, count[arch.DenseUp], name)
		assert.Equal(t, cfg.Layers-cfg.DenseLayers, count[arch.Router], name)
		assert.Equal(t, (cfg.Layers-cfg.DenseLayers)*cfg.Shared, count[arch.SharedUp], name)
		assert.Equal(t, cfg.Layers, count[arch.QueryNorm], name)
	}
}

// The largest table that Check allows stays small.
func TestTensorsLargest(t *testing.T) {
	cfg := parse(t, map[string]any{"num_hidden_layers": 1 << 12, "num_experts": 16, "n_group": 1, "topk_group": 1})
	assert.Len(t, cfg.Tensors(), 3+9+4095*14)
}

// The table has exactly the tensors of real checkpoints, in their shapes.
func TestTensorsOfGolden(t *testing.T) {
	golden, err := oracle.Golden()
	require.NoError(t, err)
	for _, c := range golden {
		t.Run(c.Name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(c.Dir, "config.json"))
			require.NoError(t, err)
			hf, err := arch.ParseHF(data)
			require.NoError(t, err)
			want := map[string]string{}
			for _, tensor := range hf.Tensors() {
				shape := tensor.Shape
				if len(tensor.HF) > 1 {
					shape = shape[1:]
				}
				for _, name := range tensor.HF {
					want[name] = fmt.Sprint(shape)
				}
			}
			got := map[string]string{}
			shards, err := filepath.Glob(filepath.Join(c.Dir, "*.safetensors"))
			require.NoError(t, err)
			for _, path := range shards {
				data, err := os.ReadFile(path)
				require.NoError(t, err)
				var header map[string]struct{ Shape []int }
				require.NoError(t, json.Unmarshal(data[8:8+binary.LittleEndian.Uint64(data)], &header))
				delete(header, "__metadata__")
				for name, tensor := range header {
					got[name] = fmt.Sprint(tensor.Shape)
				}
			}
			assert.Equal(t, want, got)
		})
	}
}
