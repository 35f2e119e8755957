package arch

import (
	"encoding/json"
	"maps"
)

// HF returns the config.json of a checkpoint of the model without a tokenizer, whose
// tensors have type dtype, "bfloat16" for example. ParseHF reads the same numbers from
// it, but for Name and the settings of decoding; what it would refuse is an error.
func (c *Config) HF(dtype string, mask, eos int32) ([]byte, error) {
	h := hfConfig{
		VocabSize: c.Vocab, HiddenSize: c.Hidden, IntermediateSize: c.DenseFF, NumHiddenLayers: c.Layers,
		NumAttentionHeads: c.Heads, NumKeyValueHeads: c.KVHeads, HeadDim: c.HeadDim,
		PartialRotaryFactor: float64(c.RotaryDim) / float64(c.HeadDim), RotaryDim: c.RotaryDim,
		RopeTheta: c.RopeTheta, RopeScaling: json.RawMessage("null"), MaxPositionEmbeddings: c.Context, RMSNormEps: c.RMSEps,
		HiddenAct: "silu", NumExperts: c.Experts, NumExpertsPerTok: c.ExpertsUsed, NumSharedExperts: c.Shared,
		MoEIntermediateSize: c.ExpertFF, FirstKDenseReplace: c.DenseLayers, NGroup: c.ExpertGroups, TopKGroup: c.GroupsUsed,
		RoutedScalingFactor: c.ExpertScale, NormTopKProb: true, ScoreFunction: "sigmoid", RouterDtype: "fp32",
		RouterExpertBias: true, UseRMSNorm: true, PadTokenID: eos, Architectures: []string{architecture},
	}
	fields := map[string]any{
		"model_type": modelTypes[0], "torch_dtype": dtype, "use_qk_norm": c.QKNorm, "mask_token_id": mask, "eos_token_id": eos,
		"moe_shared_expert_intermediate_size": c.SharedFF,
	}
	data, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	var required map[string]any
	if err := json.Unmarshal(data, &required); err != nil {
		return nil, err
	}
	maps.Copy(fields, required)
	if data, err = json.MarshalIndent(fields, "", "  "); err != nil {
		return nil, err
	}
	_, err = ParseHF(data)
	return append(data, '\n'), err
}
