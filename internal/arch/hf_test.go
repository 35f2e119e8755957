package arch_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/arch"
	"lladakit/internal/oracle"
	"lladakit/internal/tiny"
)

// mini is LLaDA2.0-mini's config.json.
const mini = `{
  "architectures": ["LLaDA2MoeModelLM"], "model_type": "llada2_moe",
  "vocab_size": 157184, "hidden_size": 2048, "intermediate_size": 5120, "num_hidden_layers": 20,
  "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 128,
  "partial_rotary_factor": 0.5, "rotary_dim": 64, "rope_theta": 600000, "rope_scaling": null,
  "max_position_embeddings": 16384, "rms_norm_eps": 1e-06, "hidden_act": "silu",
  "num_experts": 256, "num_experts_per_tok": 8, "num_shared_experts": 1, "moe_intermediate_size": 512,
  "first_k_dense_replace": 1, "n_group": 8, "topk_group": 4, "routed_scaling_factor": 2.5,
  "norm_topk_prob": true, "score_function": "sigmoid", "router_dtype": "fp32",
  "moe_router_enable_expert_bias": true, "use_qkv_bias": false, "use_bias": false,
  "tie_word_embeddings": false, "norm_head": false, "norm_softmax": false, "use_rmsnorm": true,
  "attention_dropout": 0.0, "embedding_dropout": 0.0, "output_dropout": 0.0, "use_cache": false,
  "output_router_logits": false, "use_sliding_window": false, "using_split_qkv_in_self_attention": false,
  "max_window_layers": 28, "initializer_range": 0.02, "sliding_window": 4096, "pad_token_id": 156892,
  "torch_dtype": "bfloat16", "transformers_version": "4.52.3"
}`

// flash is what LLaDA2.0-flash has otherwise.
var flash = map[string]any{
	"hidden_size": 4096, "intermediate_size": 9216, "num_hidden_layers": 32,
	"num_attention_heads": 32, "moe_intermediate_size": 1024,
}

// drop in edit removes a field.
type drop struct{}

// edit returns mini with some fields changed.
func edit(t testing.TB, changes map[string]any) []byte {
	t.Helper()
	fields := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(mini), &fields))
	maps.Copy(fields, changes)
	for name, v := range fields {
		if v == (drop{}) {
			delete(fields, name)
		}
	}
	data, err := json.MarshalIndent(fields, "", "\t")
	require.NoError(t, err)
	return data
}

func parse(t testing.TB, changes map[string]any) arch.Config {
	t.Helper()
	hf, err := arch.ParseHF(edit(t, changes))
	require.NoError(t, err)
	return hf.Config
}

// refused checks that a config.json is refused with one line that has want.
func refused(t *testing.T, data []byte, want string) error {
	t.Helper()
	hf, err := arch.ParseHF(data)
	require.Error(t, err)
	assert.Nil(t, hf)
	assert.ErrorContains(t, err, want)
	assert.ErrorContains(t, err, "config.json: ")
	assert.NotContains(t, err.Error(), "\n")
	assert.Less(t, len(err.Error()), 400)
	return err
}

func TestParseHFMini(t *testing.T) {
	hf, err := arch.ParseHF([]byte(mini))
	require.NoError(t, err)
	assert.Equal(t, &arch.HF{Config: arch.Config{
		Name: "LLaDA2", Vocab: 157184, Hidden: 2048, Layers: 20, Context: 16384,
		Heads: 16, KVHeads: 4, HeadDim: 128, RotaryDim: 64, RopeTheta: 600000, RMSEps: 1e-6, QKNorm: true,
		DenseLayers: 1, DenseFF: 5120,
		Experts: 256, ExpertsUsed: 8, ExpertFF: 512, ExpertGroups: 8, GroupsUsed: 4, ExpertScale: 2.5,
		Shared: 1, SharedFF: 512, BlockLength: 32, Steps: 32, Threshold: 0.95,
	}}, hf)
	assert.Equal(t, 3072, hf.QKVDim())
}

// A LLaDA2.1 file: another name for the stored type, and a longer context.
func TestParseHFMini21(t *testing.T) {
	c := parse(t, map[string]any{"torch_dtype": drop{}, "dtype": "bfloat16", "max_position_embeddings": 32768})
	want := parse(t, nil)
	want.Context = 32768
	assert.Equal(t, want, c)
}

func TestParseHFOptional(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes map[string]any
		check   func(*testing.T, *arch.HF)
	}{
		{"no ids", nil, func(t *testing.T, hf *arch.HF) { assert.Nil(t, hf.MaskID); assert.Nil(t, hf.EOSID) }},
		{"ids", map[string]any{"mask_token_id": 7, "eos_token_id": 0}, func(t *testing.T, hf *arch.HF) {
			assert.EqualValues(t, 7, *hf.MaskID)
			assert.EqualValues(t, 0, *hf.EOSID)
		}},
		{"ids are null", map[string]any{"mask_token_id": nil, "eos_token_id": nil}, func(t *testing.T, hf *arch.HF) {
			assert.Nil(t, hf.MaskID)
			assert.Nil(t, hf.EOSID)
		}},
		{"one end in a list", map[string]any{"eos_token_id": []int{9}}, func(t *testing.T, hf *arch.HF) { assert.EqualValues(t, 9, *hf.EOSID) }},
		{"two ends", map[string]any{"eos_token_id": []int{9, 10}}, func(t *testing.T, hf *arch.HF) { assert.Nil(t, hf.EOSID) }},
		{"no QK norm", map[string]any{"use_qk_norm": false}, func(t *testing.T, hf *arch.HF) { assert.False(t, hf.QKNorm) }},
		{"QK norm is null", map[string]any{"use_qk_norm": nil}, func(t *testing.T, hf *arch.HF) { assert.True(t, hf.QKNorm) }},
		{"width of shared experts", map[string]any{"moe_shared_expert_intermediate_size": 768}, func(t *testing.T, hf *arch.HF) { assert.Equal(t, 768, hf.SharedFF) }},
		{"two shared experts", map[string]any{"num_shared_experts": 2}, func(t *testing.T, hf *arch.HF) { assert.Equal(t, 1024, hf.SharedFF) }},
		{"no shared expert", map[string]any{"num_shared_experts": 0, "moe_shared_expert_intermediate_size": 512}, func(t *testing.T, hf *arch.HF) { assert.Zero(t, hf.SharedFF) }},
		{"merged", map[string]any{"model_type": "llada2_moe_veomni"}, func(t *testing.T, hf *arch.HF) { assert.Equal(t, 256, hf.Experts) }},
		{"no MTP layers", map[string]any{"num_nextn_predict_layers": 0, "rope_parameters": nil}, func(t *testing.T, hf *arch.HF) { assert.Equal(t, 20, hf.Layers) }},
		// encoding/json alone would take this one.
		{"other case", map[string]any{"HEAD_DIM": 64, "Use_QK_Norm": false, "zzz": "?"}, func(t *testing.T, hf *arch.HF) {
			assert.Equal(t, 128, hf.HeadDim)
			assert.True(t, hf.QKNorm)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			hf, err := arch.ParseHF(edit(t, c.changes))
			require.NoError(t, err)
			c.check(t, hf)
		})
	}
}

// required are the fields that pin the model or change what it computes.
var required = []string{
	"architectures", "model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
	"num_attention_heads", "num_key_value_heads", "head_dim", "partial_rotary_factor", "rotary_dim",
	"rope_theta", "rope_scaling", "max_position_embeddings", "rms_norm_eps", "hidden_act", "num_experts",
	"num_experts_per_tok", "num_shared_experts", "moe_intermediate_size", "first_k_dense_replace", "n_group",
	"topk_group", "routed_scaling_factor", "norm_topk_prob", "score_function", "router_dtype",
	"moe_router_enable_expert_bias", "use_qkv_bias", "use_bias", "tie_word_embeddings", "norm_head",
	"use_rmsnorm", "pad_token_id", "torch_dtype",
}

func TestParseHFMissing(t *testing.T) {
	for _, name := range required {
		t.Run(name, func(t *testing.T) {
			refused(t, edit(t, map[string]any{name: drop{}}), `field "`+name+`" is missing`)
			if name != "rope_scaling" { // null is its value
				refused(t, edit(t, map[string]any{name: nil}), `field "`+name+`" is missing`)
			}
			upper := strings.ToUpper(name)
			refused(t, bytes.Replace([]byte(mini), []byte(`"`+name+`"`), []byte(`"`+upper+`"`), 1), `field "`+name+`" is missing`)
			refused(t, edit(t, map[string]any{name: map[string]any{"a": []int{1}}}), name)
		})
	}
}

func TestParseHFUnsupported(t *testing.T) {
	for name, v := range map[string]any{
		"architectures": []string{"LLaDAModelLM"}, "model_type": "bailing_moe_v2", "hidden_act": "gelu",
		"score_function": "softmax", "router_dtype": "bf16", "norm_topk_prob": false,
		"moe_router_enable_expert_bias": false, "use_qkv_bias": true, "use_bias": true,
		"tie_word_embeddings": true, "norm_head": true, "use_rmsnorm": false,
		"rope_scaling":       map[string]any{"type": "yarn", "factor": 2, "original_max_position_embeddings": 32768},
		"rope_parameters":    map[string]any{"rope_type": "yarn", "factor": 2},
		"use_sliding_window": true, "using_split_qkv_in_self_attention": true, "norm_softmax": true,
		"num_nextn_predict_layers": 1,
	} {
		t.Run(name, func(t *testing.T) {
			err := refused(t, edit(t, map[string]any{name: v}), name)
			assert.ErrorIs(t, err, arch.ErrUnsupported)
		})
	}
}

// LLaDA2.2 has 2.1's shapes and another routing: it must not load by accident.
func TestParseHFRefusesLLaDA22(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes map[string]any
		sign    string
	}{
		{"model type", map[string]any{"model_type": "llada2_2_moe"}, "model_type"},
		{"class", map[string]any{"architectures": []string{"LLaDA22MoeModelLM"}}, "architectures"},
		{"path", map[string]any{"_name_or_path": "org/LLaDA2.2-flash"}, "_name_or_path"},
		{"delete", map[string]any{"delete_token_id": 156900}, `field "delete_token_id"`},
		{"insert", map[string]any{"insert_token_id": 156901}, `field "insert_token_id"`},
		{"expert pool", map[string]any{"block_expert_capacity": 48}, `field "block_expert_capacity"`},
		{"block routing", map[string]any{"block_routing": true}, `field "block_routing"`},
		{"moe field", map[string]any{"moe_block_size": 32}, `field "moe_block_size"`},
		{"context", map[string]any{"max_position_embeddings": 131072}, "max_position_embeddings 131072"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := refused(t, edit(t, c.changes), c.sign)
			assert.ErrorIs(t, err, arch.ErrUnsupported)
			assert.ErrorContains(t, err, "this looks like LLaDA2.2, which routes experts per block")
		})
	}
	for name, v := range map[string]any{
		"delete_token_id": nil, "block_expert_capacity": 0, "block_routing": false, "router_aux_loss_coef": 0.001,
		"moe_shared_expert_intermediate_size": 512, "_name_or_path": "org/LLaDA2.1-mini",
	} {
		_, err := arch.ParseHF(edit(t, map[string]any{name: v}))
		assert.NoError(t, err, name)
	}
}

func TestParseHFOutOfRange(t *testing.T) {
	for _, c := range []struct {
		field string
		v     any
		want  string
	}{
		{"vocab_size", 0, "vocabulary: 0 is out of range"},
		{"vocab_size", -1, "vocabulary: -1 is out of range"},
		{"vocab_size", 1 << 40, "vocabulary: 1099511627776 is out of range"},
		{"vocab_size", 1.5, `field "vocab_size"`},
		{"vocab_size", "7", `field "vocab_size"`},
		{"hidden_size", json.Number("9223372036854775808"), `field "hidden_size"`},
		{"num_hidden_layers", 1 << 13, "layers: 8192 is out of range"},
		{"num_experts", 1 << 15, "20 layers of 32768 experts are out of range"},
		{"num_key_value_heads", 0, "key-value heads: 0"},
		{"num_key_value_heads", 3, "16 heads do not share 3 key-value heads evenly"},
		{"rotary_dim", 32, "rotary_dim 32 disagrees with partial_rotary_factor 0.5 of head_dim 128"},
		{"partial_rotary_factor", 1, "rotary_dim 64 disagrees"},
		{"rope_theta", 0, "must be positive"},
		{"rope_theta", json.Number("1e60"), `field "rope_theta"`},
		{"rms_norm_eps", -1e-6, "must be positive"},
		{"routed_scaling_factor", 0, "must be positive"},
		{"first_k_dense_replace", 21, "21 of 20 layers cannot be dense"},
		{"first_k_dense_replace", -1, "-1 of 20 layers cannot be dense"},
		{"intermediate_size", 0, "dense feed-forward width: 0"},
		{"intermediate_size", -7, "dense feed-forward width: -7"},
		{"n_group", 0, "expert groups: 0"},
		{"n_group", 7, "256 experts do not form 7 equal groups"},
		{"topk_group", 9, "9 of 8 expert groups cannot be used"},
		{"num_experts_per_tok", 129, "129 experts cannot be chosen from 4 groups of 32"},
		{"num_shared_experts", -1, "-1 shared experts"},
		{"moe_shared_expert_intermediate_size", 0, "1 shared experts of width 0"},
		{"max_position_embeddings", 0, "context length: 0"},
		{"pad_token_id", -1, "pad_token_id -1 is outside the vocabulary of 157184"},
		{"pad_token_id", 157184, "pad_token_id 157184 is outside"},
		{"mask_token_id", "x", `field "mask_token_id"`},
		{"eos_token_id", []string{"x"}, `field "eos_token_id"`},
	} {
		t.Run(c.field, func(t *testing.T) { refused(t, edit(t, map[string]any{c.field: c.v}), c.want) })
	}
	// A width that no layer has is checked as well: it stands in the metadata.
	refused(t, edit(t, map[string]any{"first_k_dense_replace": 0, "intermediate_size": -7}), "dense feed-forward width: -7")
	refused(t, edit(t, map[string]any{"head_dim": 2, "rotary_dim": 1}), "rotary dimension: 1")
	refused(t, edit(t, map[string]any{"partial_rotary_factor": 0, "rotary_dim": 0}), "rotary dimension: 0")
}

func TestParseHFNotJSON(t *testing.T) {
	for _, text := range []string{"", "{", "[]", "7", `"x"`, mini + "x", mini[:len(mini)/2]} {
		refused(t, []byte(text), "config.json: ")
	}
	refused(t, []byte("null"), `field "model_type" is missing`)
	refused(t, []byte("{}"), `field "model_type" is missing`)
	refused(t, edit(t, map[string]any{"hidden_act": strings.Repeat("€\n", 1000)}), `hidden_act "€\n€`)
}

// checkpoints returns the config.json of the golden checkpoints and the tiny one.
func checkpoints(t testing.TB) map[string][]byte {
	t.Helper()
	golden, err := oracle.Golden()
	require.NoError(t, err)
	all := map[string][]byte{}
	for _, c := range golden {
		all[c.Name], err = os.ReadFile(filepath.Join(c.Dir, "config.json"))
		require.NoError(t, err)
	}
	all["tiny"], err = fs.ReadFile(tiny.Checkpoint(), "config.json")
	require.NoError(t, err)
	return all
}

func TestParseHFCheckpoints(t *testing.T) {
	for name, data := range checkpoints(t) {
		t.Run(name, func(t *testing.T) {
			hf, err := arch.ParseHF(data)
			require.NoError(t, err)
			var says map[string]any
			require.NoError(t, json.Unmarshal(data, &says))
			for field, got := range map[string]int{
				"vocab_size": hf.Vocab, "hidden_size": hf.Hidden, "intermediate_size": hf.DenseFF,
				"num_hidden_layers": hf.Layers, "num_attention_heads": hf.Heads, "num_key_value_heads": hf.KVHeads,
				"head_dim": hf.HeadDim, "rotary_dim": hf.RotaryDim, "max_position_embeddings": hf.Context,
				"num_experts": hf.Experts, "num_experts_per_tok": hf.ExpertsUsed, "num_shared_experts": hf.Shared,
				"moe_intermediate_size": hf.ExpertFF, "first_k_dense_replace": hf.DenseLayers,
				"n_group": hf.ExpertGroups, "topk_group": hf.GroupsUsed,
				"mask_token_id": int(*hf.MaskID), "eos_token_id": int(*hf.EOSID),
			} {
				assert.EqualValues(t, says[field], got, field)
			}
			assert.EqualValues(t, float32(600000), hf.RopeTheta)
			assert.EqualValues(t, float32(1e-6), hf.RMSEps)
			assert.EqualValues(t, float32(2.5), hf.ExpertScale)
		})
	}
}

// What ParseHF accepts is a model that Check accepts, whose metadata reads back
// and whose tensor table can be made.
func FuzzParseHF(f *testing.F) {
	f.Add([]byte(mini))
	f.Add([]byte(`{"model_type":"llada2_moe"}`))
	f.Add(edit(f, map[string]any{"first_k_dense_replace": 0, "intermediate_size": -1}))
	f.Add(edit(f, map[string]any{"num_experts": 1 << 62, "num_hidden_layers": 1 << 62}))
	for _, data := range checkpoints(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		hf, err := arch.ParseHF(data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		if err := hf.Check(); err != nil {
			t.Fatal(err)
		}
		back, err := arch.FromMetadata(hf.Metadata())
		if err != nil {
			t.Fatal(err)
		}
		want := hf.Config
		want.QKNorm = true
		if back != want {
			t.Errorf("%+v became %+v", want, back)
		}
		if len(hf.Tensors()) < 3 {
			t.Error("too few tensors")
		}
	})
}
