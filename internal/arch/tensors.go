package arch

import (
	"fmt"
	"slices"
)

// Role is what a tensor is for.
type Role int

const (
	TokenEmbedding Role = iota
	AttnNorm
	AttnQKV // rows: all query heads, then all key heads, then all value heads
	QueryNorm
	KeyNorm
	AttnOutput
	FFNNorm
	DenseGate
	DenseUp
	DenseDown
	Router
	RouterBias
	ExpertGate
	ExpertUp
	ExpertDown
	SharedGate
	SharedUp
	SharedDown
	OutputNorm
	Head
)

// Tensor is one tensor of a GGUF file and where a Hugging Face checkpoint keeps
// its weights.
type Tensor struct {
	Role  Role
	Layer int    // -1 outside the layers
	GGUF  string // name in the GGUF file
	Shape []int  // outermost first: [out, in], [n], or [experts, out, in]

	// HF names the checkpoint tensors that are stacked to make this one: one
	// name, or one per expert.
	HF []string
	// Merged names the one checkpoint tensor that holds the whole stack in the
	// merged layout; empty for tensors that are no expert stack.
	Merged string
	// Optional tensors may be absent from a file, together with all others of
	// their layer that are optional.
	Optional bool
}

// Exact reports whether the tensor stays float32 in every file: vectors and
// the router, whose rounding would change which experts run.
func (t *Tensor) Exact() bool { return len(t.Shape) < 2 || t.Role == Router }

// entry is a line of the table: %d in a name is the layer.
type entry struct {
	role  Role
	gguf  string
	hf    string
	shape func(c *Config) []int
}

func vector(n func(*Config) int) func(*Config) []int {
	return func(c *Config) []int { return []int{n(c)} }
}

func matrix(out, in func(*Config) int) func(*Config) []int {
	return func(c *Config) []int { return []int{out(c), in(c)} }
}

func hidden(c *Config) int   { return c.Hidden }
func vocab(c *Config) int    { return c.Vocab }
func heads(c *Config) int    { return c.Heads * c.HeadDim }
func headDim(c *Config) int  { return c.HeadDim }
func denseFF(c *Config) int  { return c.DenseFF }
func experts(c *Config) int  { return c.Experts }
func expertFF(c *Config) int { return c.ExpertFF }
func sharedFF(c *Config) int { return c.SharedFF }

// The table, in the order in which a pass over the model reads the tensors.
var (
	before = []entry{
		{TokenEmbedding, "token_embd.weight", "model.word_embeddings.weight", matrix(vocab, hidden)},
	}
	attention = []entry{
		{AttnNorm, "blk.%d.attn_norm.weight", "model.layers.%d.input_layernorm.weight", vector(hidden)},
		{AttnQKV, "blk.%d.attn_qkv.weight", "model.layers.%d.attention.query_key_value.weight", matrix((*Config).QKVDim, hidden)},
		{QueryNorm, "blk.%d.attn_q_norm.weight", "model.layers.%d.attention.query_layernorm.weight", vector(headDim)},
		{KeyNorm, "blk.%d.attn_k_norm.weight", "model.layers.%d.attention.key_layernorm.weight", vector(headDim)},
		{AttnOutput, "blk.%d.attn_output.weight", "model.layers.%d.attention.dense.weight", matrix(hidden, heads)},
		{FFNNorm, "blk.%d.ffn_norm.weight", "model.layers.%d.post_attention_layernorm.weight", vector(hidden)},
	}
	dense = []entry{
		{DenseGate, "blk.%d.ffn_gate.weight", "model.layers.%d.mlp.gate_proj.weight", matrix(denseFF, hidden)},
		{DenseUp, "blk.%d.ffn_up.weight", "model.layers.%d.mlp.up_proj.weight", matrix(denseFF, hidden)},
		{DenseDown, "blk.%d.ffn_down.weight", "model.layers.%d.mlp.down_proj.weight", matrix(hidden, denseFF)},
	}
	routed = []entry{
		{Router, "blk.%d.ffn_gate_inp.weight", "model.layers.%d.mlp.gate.weight", matrix(experts, hidden)},
		{RouterBias, "blk.%d.exp_probs_b.bias", "model.layers.%d.mlp.gate.expert_bias", vector(experts)},
		{ExpertGate, "blk.%d.ffn_gate_exps.weight", "model.layers.%d.mlp.experts.%%d.gate_proj.weight", matrix(expertFF, hidden)},
		{ExpertUp, "blk.%d.ffn_up_exps.weight", "model.layers.%d.mlp.experts.%%d.up_proj.weight", matrix(expertFF, hidden)},
		{ExpertDown, "blk.%d.ffn_down_exps.weight", "model.layers.%d.mlp.experts.%%d.down_proj.weight", matrix(hidden, expertFF)},
	}
	shared = []entry{
		{SharedGate, "blk.%d.ffn_gate_shexp.weight", "model.layers.%d.mlp.shared_experts.gate_proj.weight", matrix(sharedFF, hidden)},
		{SharedUp, "blk.%d.ffn_up_shexp.weight", "model.layers.%d.mlp.shared_experts.up_proj.weight", matrix(sharedFF, hidden)},
		{SharedDown, "blk.%d.ffn_down_shexp.weight", "model.layers.%d.mlp.shared_experts.down_proj.weight", matrix(hidden, sharedFF)},
	}
	after = []entry{
		{OutputNorm, "output_norm.weight", "model.norm.weight", vector(hidden)},
		{Head, "output.weight", "lm_head.weight", matrix(vocab, hidden)},
	}
)

// mergedNames has the checkpoint names of whole expert stacks, without
// ".weight".
var mergedNames = map[Role]string{
	ExpertGate: "model.layers.%d.mlp.experts.gate_proj",
	ExpertUp:   "model.layers.%d.mlp.experts.up_proj",
	ExpertDown: "model.layers.%d.mlp.experts.down_proj",
}

// Tensors returns the tensor table of the model, in the order in which a pass
// reads it. The query and key norms are in the table whatever QKNorm says;
// they are its only optional entries.
func (c *Config) Tensors() []Tensor {
	var all []Tensor
	add := func(layer int, entries []entry) {
		for _, e := range entries {
			all = append(all, e.tensor(c, layer))
		}
	}
	add(-1, before)
	for i := range c.Layers {
		add(i, attention)
		if i < c.DenseLayers {
			add(i, dense)
			continue
		}
		add(i, routed)
		if c.Shared > 0 {
			add(i, shared)
		}
	}
	add(-1, after)
	return all
}

func (e *entry) tensor(c *Config, layer int) Tensor {
	name := func(pattern string) string {
		if layer < 0 {
			return pattern
		}
		return fmt.Sprintf(pattern, layer)
	}
	t := Tensor{
		Role: e.role, Layer: layer, GGUF: name(e.gguf), Shape: e.shape(c),
		Optional: e.role == QueryNorm || e.role == KeyNorm,
	}
	merged, stacked := mergedNames[e.role]
	if !stacked {
		t.HF = []string{name(e.hf)}
		return t
	}
	t.Merged = name(merged)
	one := name(e.hf)
	for i := range c.Experts {
		t.HF = append(t.HF, fmt.Sprintf(one, i))
	}
	t.Shape = slices.Insert(t.Shape, 0, c.Experts)
	return t
}
