package convert

import (
	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/quant"
)

// classify says what of a tensor matters to a recipe.
func classify(cfg *arch.Config, t *tensor) quant.Tensor {
	q := quant.Tensor{
		Name: t.GGUF, Class: quant.Other, Layer: t.Layer, Layers: cfg.Layers,
		Cols: t.Shape[len(t.Shape)-1], Rows: 1,
	}
	if len(t.Shape) > 1 {
		q.Rows = t.Shape[len(t.Shape)-2]
	}
	if len(t.Shape) == 3 {
		q.Experts = t.Shape[0]
	}
	switch t.Role {
	case arch.TokenEmbedding:
		q.Class = quant.Embedding
	case arch.Head:
		q.Class = quant.Output
	case arch.AttnQKV:
		q.Class = quant.ValueLike
	case arch.DenseDown, arch.SharedDown:
		q.Class = quant.Down
	case arch.ExpertGate:
		q.Matrix = "gate"
	case arch.ExpertUp:
		q.Matrix = "up"
	case arch.ExpertDown:
		q.Class, q.Matrix = quant.Down, "down"
	}
	if t.Exact() {
		q.Class = quant.Exact
	}
	return q
}

// expertUsage returns how many tokens reached each expert while the importance
// was measured.
func expertUsage(tensors []tensor, m *quant.Importance) quant.Usage {
	byLayer := map[int][]float64{}
	for i := range tensors {
		t := &tensors[i]
		if columns := m.Entries[t.GGUF]; t.Role == arch.ExpertDown && columns != nil && len(columns.Counts) == t.Shape[0] {
			for _, n := range columns.Counts {
				byLayer[t.Layer] = append(byLayer[t.Layer], float64(n))
			}
		}
	}
	return func(layer int) []float64 { return byLayer[layer] }
}

// recipeKey holds the recipe, in the form of a recipe file, by which a file was
// made when that is more than a target.
const recipeKey = "llada2.quantize.recipe"

// importanceKeys say in the file what it was made with, as llama-quantize does.
func importanceKeys(m *quant.Importance) gguf.Metadata {
	md := gguf.Metadata{
		{Key: "quantize.imatrix.entries_count", Value: uint32(len(m.Entries))},
		{Key: "quantize.imatrix.chunks_count", Value: m.Chunks},
	}
	if m.Path != "" {
		md = append(md, gguf.KeyValue{Key: "quantize.imatrix.file", Value: m.Path})
	}
	if len(m.Datasets) > 0 {
		md = append(md, gguf.KeyValue{Key: "quantize.imatrix.dataset", Value: m.Datasets[0]})
	}
	return md
}
