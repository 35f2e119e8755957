package arch_test

import (
	"math"
	goruntime "runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
)

// common is mini's metadata as llama.cpp's converter writes it: without our
// keys and without those that it leaves out.
var common = gguf.Metadata{
	{Key: "general.architecture", Value: "llada2"},
	{Key: "general.type", Value: "model"},
	{Key: "general.name", Value: "LLaDA2.0 Mini"},
	{Key: "general.size_label", Value: "256x1.4B"},
	{Key: "llada2.block_count", Value: uint32(20)},
	{Key: "llada2.context_length", Value: uint32(32768)},
	{Key: "llada2.embedding_length", Value: uint32(2048)},
	{Key: "llada2.feed_forward_length", Value: uint32(5120)},
	{Key: "llada2.attention.head_count", Value: uint32(16)},
	{Key: "llada2.attention.head_count_kv", Value: uint32(4)},
	{Key: "llada2.rope.freq_base", Value: float32(600000)},
	{Key: "llada2.attention.layer_norm_rms_epsilon", Value: float32(1e-6)},
	{Key: "llada2.expert_used_count", Value: uint32(8)},
	{Key: "llada2.expert_count", Value: uint32(256)},
	{Key: "llada2.expert_group_count", Value: uint32(8)},
	{Key: "llada2.expert_group_used_count", Value: uint32(4)},
	{Key: "llada2.attention.key_length", Value: uint32(128)},
	{Key: "llada2.attention.value_length", Value: uint32(128)},
	{Key: "general.file_type", Value: uint32(7)},
	{Key: "llada2.rope.dimension_count", Value: uint32(64)},
	{Key: "llada2.rope.scaling.type", Value: "none"},
	{Key: "llada2.leading_dense_block_count", Value: uint32(1)},
	{Key: "llada2.vocab_size", Value: uint32(157184)},
	{Key: "llada2.expert_feed_forward_length", Value: uint32(512)},
	{Key: "llada2.expert_shared_feed_forward_length", Value: uint32(512)},
	{Key: "llada2.expert_weights_scale", Value: float32(2.5)},
	{Key: "llada2.expert_shared_count", Value: uint32(1)},
	{Key: "llada2.expert_weights_norm", Value: true},
	{Key: "llada2.expert_gating_func", Value: uint32(2)},
	{Key: "diffusion.shift_logits", Value: false},
	{Key: "tokenizer.ggml.mask_token_id", Value: uint32(156895)},
}

// set returns md with one key changed, added, or removed (nil).
func set(md gguf.Metadata, key string, value any) gguf.Metadata {
	md = slices.DeleteFunc(slices.Clone(md), func(kv gguf.KeyValue) bool { return kv.Key == key })
	if value == nil {
		return md
	}
	return append(md, gguf.KeyValue{Key: key, Value: value})
}

func TestFromMetadataCommonForm(t *testing.T) {
	c, err := arch.FromMetadata(common)
	require.NoError(t, err)
	want := parse(t, map[string]any{"max_position_embeddings": 32768})
	want.Name = "LLaDA2.0 Mini"
	assert.Equal(t, want, c)
}

func TestMetadataRoundTrip(t *testing.T) {
	configs := map[string]arch.Config{
		"mini": parse(t, nil), "flash": parse(t, flash),
		"no shared expert": parse(t, map[string]any{"num_shared_experts": 0}),
		"no dense layer":   parse(t, map[string]any{"first_k_dense_replace": 0, "intermediate_size": 0}),
		"wide shared":      parse(t, map[string]any{"moe_shared_expert_intermediate_size": 768}),
	}
	other := parse(t, nil)
	other.Name, other.BlockLength, other.Steps, other.Threshold = "x", 16, 8, 0.5
	configs["decoding"] = other
	for name, want := range configs {
		t.Run(name, func(t *testing.T) {
			md := want.Metadata()
			assert.Equal(t, "general.architecture", md[0].Key)
			got, err := arch.FromMetadata(md)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
}

// Every key of the common form has the same type and value in ours, so that
// other programs read it.
func TestMetadataIsTheCommonForm(t *testing.T) {
	c := parse(t, map[string]any{"max_position_embeddings": 32768})
	c.Name = "LLaDA2.0 Mini"
	md := c.Metadata()
	for _, kv := range common {
		switch kv.Key {
		case "general.size_label", "general.file_type", "tokenizer.ggml.mask_token_id":
			continue // of the file, not of the model
		}
		v, ok := md.Lookup(kv.Key)
		assert.True(t, ok, kv.Key)
		assert.Equal(t, kv.Value, v, kv.Key)
	}
	for key, want := range map[string]any{
		"llada2.diffusion.block_length": uint32(32), "llada2.diffusion.steps": uint32(32),
		"llada2.diffusion.threshold": float32(0.95), "diffusion.shift_logits": false,
	} {
		v, _ := md.Lookup(key)
		assert.Equal(t, want, v, key)
	}
	seen := map[string]bool{}
	for _, kv := range md {
		assert.False(t, seen[kv.Key], kv.Key)
		seen[kv.Key] = true
	}
}

func TestFromMetadataOptional(t *testing.T) {
	for _, key := range []string{
		"general.name", "llada2.attention.value_length", "llada2.rope.scaling.type", "diffusion.shift_logits",
		"llada2.expert_weights_norm", "llada2.expert_shared_feed_forward_length",
	} {
		c, err := arch.FromMetadata(set(common, key, nil))
		require.NoError(t, err, key)
		assert.Equal(t, 512, c.SharedFF)
	}
	groups := set(set(common, "llada2.expert_group_count", nil), "llada2.expert_group_used_count", nil)
	c, err := arch.FromMetadata(groups)
	require.NoError(t, err)
	assert.Equal(t, 1, c.ExpertGroups)
	assert.Equal(t, 1, c.GroupsUsed)

	for key, v := range map[string]any{
		"llada2.nextn_predict_layers": uint32(0), "llada2.attention.causal": false,
		"llada2.block_count": uint64(20), "llada2.expert_count": int32(256), "llada2.rope.freq_base": float64(600000),
	} {
		_, err := arch.FromMetadata(set(common, key, v))
		assert.NoError(t, err, key)
	}
}

func TestFromMetadataMissing(t *testing.T) {
	for _, key := range []string{
		"general.architecture", "llada2.block_count", "llada2.context_length", "llada2.embedding_length",
		"llada2.feed_forward_length", "llada2.attention.head_count", "llada2.attention.head_count_kv",
		"llada2.attention.key_length", "llada2.attention.layer_norm_rms_epsilon", "llada2.rope.freq_base",
		"llada2.rope.dimension_count", "llada2.vocab_size", "llada2.leading_dense_block_count",
		"llada2.expert_count", "llada2.expert_used_count", "llada2.expert_feed_forward_length",
		"llada2.expert_shared_count", "llada2.expert_weights_scale", "llada2.expert_gating_func",
	} {
		_, err := arch.FromMetadata(set(common, key, nil))
		assert.ErrorIs(t, err, gguf.ErrMissing, key)
		assert.ErrorContains(t, err, key)
	}
	_, err := arch.FromMetadata(nil)
	assert.ErrorIs(t, err, gguf.ErrMissing)
}

func TestFromMetadataUnsupported(t *testing.T) {
	for key, v := range map[string]any{
		"general.architecture": "bailingmoe2", "llada2.expert_gating_func": uint32(1),
		"llada2.expert_weights_norm": false, "diffusion.shift_logits": true, "llada2.rope.scaling.type": "yarn",
		"llada2.attention.value_length": uint32(64), "llada2.nextn_predict_layers": uint32(1),
		"llada2.attention.causal": true,
	} {
		_, err := arch.FromMetadata(set(common, key, v))
		assert.ErrorIs(t, err, arch.ErrUnsupported, key)
		if key != "general.architecture" {
			assert.ErrorContains(t, err, key)
		}
	}
}

// Whatever the numbers are, there is an error and no memory taken for them.
func TestFromMetadataHostile(t *testing.T) {
	numbers := []any{
		uint32(math.MaxUint32), uint64(math.MaxUint64), uint64(1 << 32), uint64(1 << 63), int64(-1), int32(math.MinInt32),
		"20", true, float32(20), []uint32{20}, uint32(math.MaxInt32), uint32(0),
	}
	floats := []any{
		float32(math.Inf(1)), math.NaN(), math.MaxFloat64, float32(0), float32(-1), math.SmallestNonzeroFloat64,
		uint32(1), "1", []float32{1},
	}
	mayBeZero := []string{ // and mean something
		"llada2.feed_forward_length", "llada2.leading_dense_block_count", "llada2.expert_shared_count",
		"llada2.expert_shared_feed_forward_length", "llada2.nextn_predict_layers",
	}
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	config := parse(t, nil)
	for _, kv := range config.Metadata() {
		bad := numbers
		switch kv.Value.(type) {
		case float32:
			bad = floats
		case string, bool:
			bad = []any{uint32(1), float32(1), []string{"x"}}
		}
		for _, v := range bad {
			switch {
			case kv.Key == "general.name" || kv.Key == "general.type":
				continue // for people
			case v == uint32(0) && slices.Contains(mayBeZero, kv.Key):
				continue
			case kv.Key == "llada2.context_length" && v == uint32(math.MaxInt32):
				continue
			case kv.Key == "llada2.diffusion.threshold" && (v == float32(0) || v == math.SmallestNonzeroFloat64):
				continue
			}
			c, err := arch.FromMetadata(set(config.Metadata(), kv.Key, v))
			assert.Error(t, err, "%s = %v", kv.Key, v)
			assert.Zero(t, c)
		}
	}
	goruntime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))

	for _, key := range []string{"llada2.nextn_predict_layers", "llada2.attention.causal"} {
		_, err := arch.FromMetadata(set(common, key, "x"))
		assert.ErrorContains(t, err, key)
	}
	// Products of numbers that are possible one by one.
	huge := common
	for _, key := range []string{"llada2.block_count", "llada2.expert_count", "llada2.vocab_size", "llada2.embedding_length"} {
		huge = set(huge, key, uint32(math.MaxInt32))
	}
	_, err := arch.FromMetadata(huge)
	assert.Error(t, err)
	huge = set(set(common, "llada2.block_count", uint32(4096)), "llada2.expert_count", uint32(1<<20))
	_, err = arch.FromMetadata(huge)
	assert.ErrorContains(t, err, "4096 layers of 1048576 experts are out of range")
}
