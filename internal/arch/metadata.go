package arch

import (
	"errors"
	"fmt"
	"math"

	"lladakit/internal/gguf"
)

// The routed weights are sigmoids, normalised over the chosen experts: the only
// values that LLaDA2 has.
const gatingSigmoid = 2

// numbers lists the fields that have a key of their own under the
// architecture's prefix. Optional ones keep their value when a file lacks them.
func (c *Config) numbers() []struct {
	key      string
	field    any // *int (uint32 in the file) or *float32
	optional bool
} {
	return []struct {
		key      string
		field    any
		optional bool
	}{
		{"block_count", &c.Layers, false},
		{"context_length", &c.Context, false},
		{"embedding_length", &c.Hidden, false},
		{"feed_forward_length", &c.DenseFF, false},
		{"attention.head_count", &c.Heads, false},
		{"attention.head_count_kv", &c.KVHeads, false},
		{"attention.key_length", &c.HeadDim, false},
		{"attention.layer_norm_rms_epsilon", &c.RMSEps, false},
		{"rope.freq_base", &c.RopeTheta, false},
		{"rope.dimension_count", &c.RotaryDim, false},
		{"vocab_size", &c.Vocab, false},
		{"leading_dense_block_count", &c.DenseLayers, false},
		{"expert_count", &c.Experts, false},
		{"expert_used_count", &c.ExpertsUsed, false},
		{"expert_feed_forward_length", &c.ExpertFF, false},
		{"expert_shared_count", &c.Shared, false},
		{"expert_shared_feed_forward_length", &c.SharedFF, true},
		{"expert_weights_scale", &c.ExpertScale, false},
		{"expert_group_count", &c.ExpertGroups, true},
		{"expert_group_used_count", &c.GroupsUsed, true},
		// What the common form lacks.
		{"diffusion.block_length", &c.BlockLength, true},
		{"diffusion.steps", &c.Steps, true},
		{"diffusion.threshold", &c.Threshold, true},
	}
}

func key(name string) string { return Name + "." + name }

// Metadata returns the model's own keys, general.architecture first. Keys of
// the file (its type, say) and of the tokenizer are not among them.
func (c *Config) Metadata() gguf.Metadata {
	md := gguf.Metadata{
		{Key: "general.architecture", Value: Name},
		{Key: "general.type", Value: "model"},
		{Key: "general.name", Value: c.Name},
	}
	for _, n := range c.numbers() {
		switch f := n.field.(type) {
		case *int:
			md = append(md, gguf.KeyValue{Key: key(n.key), Value: uint32(*f)})
		case *float32:
			md = append(md, gguf.KeyValue{Key: key(n.key), Value: *f})
		}
	}
	return append(md,
		gguf.KeyValue{Key: key("attention.value_length"), Value: uint32(c.HeadDim)},
		gguf.KeyValue{Key: key("rope.scaling.type"), Value: "none"},
		gguf.KeyValue{Key: key("expert_weights_norm"), Value: true},
		gguf.KeyValue{Key: key("expert_gating_func"), Value: uint32(gatingSigmoid)},
		// Absent, it would mean that logits are of the next position.
		gguf.KeyValue{Key: "diffusion.shift_logits", Value: false},
	)
}

// FromMetadata reads a Config from the metadata of a GGUF file, ours or one in
// the form of llama.cpp's LLaDA2 converter. QKNorm is left true: the tensors
// decide.
func FromMetadata(md gguf.Metadata) (Config, error) {
	c := Config{
		Name: "LLaDA2", QKNorm: true,
		ExpertGroups: 1, GroupsUsed: 1,
		BlockLength: DefaultBlockLength, Steps: DefaultSteps, Threshold: DefaultThreshold,
	}
	name, err := md.String("general.architecture")
	if err != nil {
		return Config{}, err
	}
	if name != Name {
		return Config{}, fmt.Errorf("architecture %.80q is not %s: %w", name, Name, ErrUnsupported)
	}
	if name, err := md.String("general.name"); err == nil {
		c.Name = name
	}
	for _, n := range c.numbers() {
		if err := read(md, key(n.key), n.field); err != nil && !(n.optional && errors.Is(err, gguf.ErrMissing)) {
			return Config{}, err
		}
	}
	if c.SharedFF == 0 {
		c.SharedFF = c.Shared * c.ExpertFF
	}
	if err := c.checkConstants(md); err != nil {
		return Config{}, err
	}
	if err := c.Check(); err != nil {
		return Config{}, fmt.Errorf("metadata: %w", err)
	}
	return c, nil
}

func read(md gguf.Metadata, key string, field any) error {
	switch f := field.(type) {
	case *int:
		v, err := md.Uint(key)
		if err != nil {
			return err
		}
		if v > math.MaxInt32 {
			return fmt.Errorf("key %q: %d is out of range", key, v)
		}
		*f = int(v)
	case *float32:
		v, err := md.Float(key)
		if err != nil {
			return err
		}
		*f = float32(v)
	}
	return nil
}

// checkConstants refuses files whose fixed properties are not LLaDA2's.
func (c *Config) checkConstants(md gguf.Metadata) error {
	gating, err := md.Uint(key("expert_gating_func"))
	if err != nil {
		return err
	}
	if gating != gatingSigmoid {
		return fmt.Errorf("key %q: only %d (sigmoid) is computed, not %d: %w", key("expert_gating_func"), gatingSigmoid, gating, ErrUnsupported)
	}
	for _, b := range []struct {
		key  string
		want bool
	}{{key("expert_weights_norm"), true}, {key("attention.causal"), false}, {"diffusion.shift_logits", false}} {
		v, err := md.Bool(b.key)
		if errors.Is(err, gguf.ErrMissing) {
			continue
		}
		if err != nil {
			return err
		}
		if v != b.want {
			return fmt.Errorf("key %q: only %v is computed: %w", b.key, b.want, ErrUnsupported)
		}
	}
	switch scaling, err := md.String(key("rope.scaling.type")); {
	case errors.Is(err, gguf.ErrMissing):
	case err != nil:
		return err
	case scaling != "none":
		return fmt.Errorf("key %q: %.80q is not computed: %w", key("rope.scaling.type"), scaling, ErrUnsupported)
	}
	for _, n := range []struct {
		key  string
		want int
	}{{key("attention.value_length"), c.HeadDim}, {key("nextn_predict_layers"), 0}} {
		v, err := md.Uint(n.key)
		if errors.Is(err, gguf.ErrMissing) {
			continue
		}
		if err != nil {
			return err
		}
		if v != uint64(n.want) {
			return fmt.Errorf("key %q: only %d is computed, not %d: %w", n.key, n.want, v, ErrUnsupported)
		}
	}
	return nil
}
