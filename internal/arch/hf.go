package arch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
)

// hfConfig is what config.json must say. Every field must be there: the
// published configuration class has defaults of another model.
//
// Note: the file is not decoded into it by encoding/json as a whole, which would
// take "HEAD_DIM" for "head_dim" and null for zero.
type hfConfig struct {
	VocabSize             int             `json:"vocab_size"`
	HiddenSize            int             `json:"hidden_size"`
	IntermediateSize      int             `json:"intermediate_size"`
	NumHiddenLayers       int             `json:"num_hidden_layers"`
	NumAttentionHeads     int             `json:"num_attention_heads"`
	NumKeyValueHeads      int             `json:"num_key_value_heads"`
	HeadDim               int             `json:"head_dim"`
	PartialRotaryFactor   float64         `json:"partial_rotary_factor"`
	RotaryDim             int             `json:"rotary_dim"`
	RopeTheta             float32         `json:"rope_theta"`
	RopeScaling           json.RawMessage `json:"rope_scaling"`
	MaxPositionEmbeddings int             `json:"max_position_embeddings"`
	RMSNormEps            float32         `json:"rms_norm_eps"`
	HiddenAct             string          `json:"hidden_act"`
	NumExperts            int             `json:"num_experts"`
	NumExpertsPerTok      int             `json:"num_experts_per_tok"`
	NumSharedExperts      int             `json:"num_shared_experts"`
	MoEIntermediateSize   int             `json:"moe_intermediate_size"`
	FirstKDenseReplace    int             `json:"first_k_dense_replace"`
	NGroup                int             `json:"n_group"`
	TopKGroup             int             `json:"topk_group"`
	RoutedScalingFactor   float32         `json:"routed_scaling_factor"`
	NormTopKProb          bool            `json:"norm_topk_prob"`
	ScoreFunction         string          `json:"score_function"`
	RouterDtype           string          `json:"router_dtype"`
	RouterExpertBias      bool            `json:"moe_router_enable_expert_bias"`
	UseQKVBias            bool            `json:"use_qkv_bias"`
	UseBias               bool            `json:"use_bias"`
	TieWordEmbeddings     bool            `json:"tie_word_embeddings"`
	NormHead              bool            `json:"norm_head"`
	UseRMSNorm            bool            `json:"use_rmsnorm"`
	PadTokenID            int32           `json:"pad_token_id"`
	Architectures         []string        `json:"architectures"`
}

// hfOptional is what config.json may say as well.
type hfOptional struct {
	UseQKNorm   *bool  `json:"use_qk_norm"`
	MaskTokenID *int32 `json:"mask_token_id"`
	EOSTokenID  oneID  `json:"eos_token_id"`
	// The two names that transformers has used for the stored type; one of
	// them must be there.
	TorchDtype *string `json:"torch_dtype"`
	Dtype      *string `json:"dtype"`
	SharedFF   *int    `json:"moe_shared_expert_intermediate_size"`
}

// offFields may be absent. Where one is there and says something, the model has
// a part that is not computed.
var offFields = []string{
	"norm_softmax", "num_nextn_predict_layers", "rope_parameters", "use_sliding_window",
	"using_split_qkv_in_self_attention",
}

// oneID is a token id, or a list of them as some files have it. Only one id can
// end an answer: a longer list says nothing here.
type oneID struct{ id *int32 }

func (o *oneID) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		var ids []int32
		if err := json.Unmarshal(data, &ids); err != nil {
			return err
		}
		if len(ids) == 1 {
			o.id = &ids[0]
		}
		return nil
	}
	return json.Unmarshal(data, &o.id)
}

// HF is what config.json says of a model.
type HF struct {
	Config
	MaskID *int32 // nil where config.json does not say
	EOSID  *int32
}

// architecture is the class that all of these models are instances of.
const architecture = "LLaDA2MoeModelLM"

// modelTypes are the names of LLaDA2.0 and 2.1 checkpoints: with one tensor per
// expert, and with merged expert stacks.
var modelTypes = []string{"llada2_moe", "llada2_moe_veomni"}

// ParseHF reads config.json. A missing field is an error that names it; a value
// that the forward pass does not cover wraps ErrUnsupported. QKNorm is true
// unless the file says otherwise: the tensors decide (see convert).
func ParseHF(data []byte) (*HF, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	if err := refuseLater(fields); err != nil {
		return nil, err
	}
	var h hfConfig
	var o hfOptional
	if err := decode(fields, &h, true); err != nil {
		return nil, err
	}
	if err := decode(fields, &o, false); err != nil {
		return nil, err
	}
	if o.TorchDtype == nil && o.Dtype == nil {
		return nil, fmt.Errorf("config.json: field %q is missing", "torch_dtype")
	}
	if err := h.check(fields); err != nil {
		return nil, err
	}
	c := Config{
		Name:  "LLaDA2",
		Vocab: h.VocabSize, Hidden: h.HiddenSize, Layers: h.NumHiddenLayers, Context: h.MaxPositionEmbeddings,
		Heads: h.NumAttentionHeads, KVHeads: h.NumKeyValueHeads, HeadDim: h.HeadDim, RotaryDim: h.RotaryDim,
		RopeTheta: h.RopeTheta, RMSEps: h.RMSNormEps, QKNorm: o.UseQKNorm == nil || *o.UseQKNorm,
		DenseLayers: h.FirstKDenseReplace, DenseFF: h.IntermediateSize,
		Experts: h.NumExperts, ExpertsUsed: h.NumExpertsPerTok, ExpertFF: h.MoEIntermediateSize,
		ExpertGroups: h.NGroup, GroupsUsed: h.TopKGroup, ExpertScale: h.RoutedScalingFactor,
		Shared: h.NumSharedExperts, SharedFF: h.NumSharedExperts * h.MoEIntermediateSize,
		BlockLength: DefaultBlockLength, Steps: DefaultSteps, Threshold: DefaultThreshold,
	}
	if o.SharedFF != nil && h.NumSharedExperts > 0 {
		c.SharedFF = *o.SharedFF
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	if h.PadTokenID < 0 || int(h.PadTokenID) >= c.Vocab {
		return nil, fmt.Errorf("config.json: pad_token_id %d is outside the vocabulary of %d", h.PadTokenID, c.Vocab)
	}
	return &HF{Config: c, MaskID: o.MaskTokenID, EOSID: o.EOSTokenID.id}, nil
}

// decode sets the struct that into points to from the fields that its tags name.
// A field that is absent is an error if it is required, and else leaves the zero
// value. null is absent too, except for rope_scaling, where it says that there
// is none.
func decode(fields map[string]json.RawMessage, into any, required bool) error {
	v := reflect.ValueOf(into).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("json")
		raw := fields[name]
		if raw == nil || string(raw) == "null" && name != "rope_scaling" {
			if required {
				return fmt.Errorf("config.json: field %q is missing", name)
			}
			continue
		}
		if err := json.Unmarshal(raw, v.Field(i).Addr().Interface()); err != nil {
			return fmt.Errorf("config.json: field %q: %w", name, err)
		}
	}
	return nil
}

// check refuses what the forward pass does not compute.
func (h *hfConfig) check(fields map[string]json.RawMessage) error {
	for _, f := range []struct {
		name string
		ok   bool
	}{
		{"architectures", slices.Contains(h.Architectures, architecture)},
		{"hidden_act", h.HiddenAct == "silu"},
		{"score_function", h.ScoreFunction == "sigmoid"},
		{"router_dtype", h.RouterDtype == "fp32"},
		{"norm_topk_prob", h.NormTopKProb},
		{"moe_router_enable_expert_bias", h.RouterExpertBias},
		{"use_qkv_bias", !h.UseQKVBias},
		{"use_bias", !h.UseBias},
		{"tie_word_embeddings", !h.TieWordEmbeddings},
		{"norm_head", !h.NormHead},
		{"use_rmsnorm", h.UseRMSNorm},
		{"rope_scaling", bytes.Equal(h.RopeScaling, []byte("null"))},
	} {
		if !f.ok {
			return fmt.Errorf("config.json: %s %s: %w", f.name, short(fields[f.name]), ErrUnsupported)
		}
	}
	for _, name := range offFields {
		if v := fields[name]; v != nil && !inert(v) {
			return fmt.Errorf("config.json: %s %s: %w", name, short(v), ErrUnsupported)
		}
	}
	if want := float64(h.HeadDim) * h.PartialRotaryFactor; math.Abs(want-float64(h.RotaryDim)) >= 1 {
		return fmt.Errorf("config.json: rotary_dim %d disagrees with partial_rotary_factor %g of head_dim %d",
			h.RotaryDim, h.PartialRotaryFactor, h.HeadDim)
	}
	return nil
}

// routingFields are the fields about experts that LLaDA2.0 and 2.1 files have.
var routingFields = []string{
	"num_experts", "num_experts_per_tok", "num_shared_experts", "moe_intermediate_size",
	"moe_shared_expert_intermediate_size", "moe_router_enable_expert_bias", "router_dtype",
	"routed_scaling_factor", "output_router_logits", "router_aux_loss_coef",
}

// editFields name the control tokens with which LLaDA2.2 deletes and inserts.
var editFields = []string{"delete_token_id", "insert_token_id", "split_token_id"}

// refuseLater refuses other architectures, and with a sentence of its own
// LLaDA2.2, which continues LLaDA2.1 under names and shapes that look alike:
// it admits a pool of experts per block before it routes tokens, so that the
// same weights run here would compute something else. Its signs are its name,
// its control tokens, fields about experts that the earlier models lack, and
// its 128K context.
func refuseLater(fields map[string]json.RawMessage) error {
	later := func(sign string) error {
		return fmt.Errorf("config.json: %s: this looks like LLaDA2.2, which routes experts per block; only LLaDA2.0 and LLaDA2.1 are computed: %w",
			sign, ErrUnsupported)
	}
	for _, name := range []string{"model_type", "architectures", "_name_or_path"} {
		v := strings.ToLower(string(fields[name]))
		if strings.Contains(v, "llada2.2") || strings.Contains(v, "llada2_2") || strings.Contains(v, "llada22") {
			return later(name + " " + short(fields[name]))
		}
	}
	var modelType string
	if raw := fields["model_type"]; raw == nil || string(raw) == "null" {
		return fmt.Errorf("config.json: field %q is missing", "model_type")
	} else if json.Unmarshal(raw, &modelType) != nil || !slices.Contains(modelTypes, modelType) {
		return fmt.Errorf("config.json: model_type %s is not %s: %w", short(raw), modelTypes[0], ErrUnsupported)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if slices.Contains(editFields, name) && !inert(fields[name]) {
			return later(fmt.Sprintf("field %q", name))
		}
		if (strings.Contains(name, "expert") || strings.Contains(name, "rout") || strings.HasPrefix(name, "moe_")) &&
			!slices.Contains(routingFields, name) && !inert(fields[name]) {
			return later(fmt.Sprintf("field %q", name))
		}
	}
	var positions int
	if json.Unmarshal(fields["max_position_embeddings"], &positions) == nil && positions >= 1<<17 {
		return later(fmt.Sprintf("max_position_embeddings %d", positions))
	}
	return nil
}

// inert reports whether a field is switched off.
func inert(v json.RawMessage) bool {
	switch string(v) {
	case "null", "false", "0", "0.0":
		return true
	}
	return false
}

// short returns a JSON value on one line of bounded length.
func short(v json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return "?"
	}
	if b.Len() > 80 {
		return strings.ToValidUTF8(b.String()[:80], "") + "…"
	}
	return b.String()
}
