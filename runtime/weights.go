package runtime

import (
	"fmt"
	"slices"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/kernels"
)

// Weights are views into the mapped file, vectors copied to float32.
type Weights struct {
	Embedding  kernels.Matrix // [vocab, hidden]
	Layers     []Layer
	OutputNorm []float32      // [hidden]
	Head       kernels.Matrix // [vocab, hidden]
}

// Layer holds the weights of one layer. Either Dense is used, or Router and
// what follows it.
type Layer struct {
	AttnNorm   []float32      // [hidden]
	QKV        kernels.Matrix // [(heads + 2·kvHeads)·headDim, hidden]: queries, keys, values
	QueryNorm  []float32      // [headDim]; nil when the model normalises neither
	KeyNorm    []float32      // [headDim]
	AttnOutput kernels.Matrix // [hidden, heads·headDim]
	FFNNorm    []float32      // [hidden]

	Dense MLP

	Router     kernels.Matrix // [experts, hidden]
	RouterBias []float32      // [experts]
	Experts    []MLP
	Shared     MLP // zero when the model has no shared expert
}

// MLP is down(silu(gate x) · (up x)).
type MLP struct {
	Gate kernels.Matrix // [ff, hidden]
	Up   kernels.Matrix // [ff, hidden]
	Down kernels.Matrix // [hidden, ff]
}

// loadWeights finds every tensor of the table in the file. It sets cfg.QKNorm
// to whether the file has the query and key norms.
func loadWeights(f *gguf.File, cfg *arch.Config) (*Weights, error) {
	w := &Weights{Layers: make([]Layer, cfg.Layers)}
	norms := 0
	for _, t := range cfg.Tensors() {
		if t.Merged != "" {
			if err := w.assignExperts(&t, f); err != nil {
				return nil, err
			}
			continue
		}
		found, ok := f.Tensor(t.GGUF)
		if !ok && t.Optional {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("tensor %q is missing", t.GGUF)
		}
		if t.Optional {
			norms++
		}
		if err := w.assign(&t, found); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.GGUF, err)
		}
	}
	if norms != 0 && norms != 2*cfg.Layers {
		return nil, fmt.Errorf("query and key norms: found %d, need %d or none", norms, 2*cfg.Layers)
	}
	cfg.QKNorm = norms > 0
	return w, nil
}

// assign puts one tensor where it belongs.
func (w *Weights) assign(t *arch.Tensor, found *gguf.Tensor) error {
	want := make([]uint64, 0, len(t.Shape))
	for _, n := range slices.Backward(t.Shape) {
		want = append(want, uint64(n))
	}
	if !slices.Equal(found.Dims, want) {
		return fmt.Errorf("dimensions %v, not %v", found.Dims, want)
	}
	var err error
	if dst := w.matrix(t.Role, t.Layer); dst != nil {
		*dst, err = kernels.NewMatrix(kernels.Type(found.Type), t.Shape[0], t.Shape[1], found.Data)
	} else {
		*w.vector(t.Role, t.Layer), err = floats(found)
	}
	return err
}

// matrix returns where the matrix of a role is; nil for other tensors.
func (w *Weights) matrix(r arch.Role, layer int) *kernels.Matrix {
	switch r {
	case arch.TokenEmbedding:
		return &w.Embedding
	case arch.Head:
		return &w.Head
	case arch.AttnQKV:
		return &w.Layers[layer].QKV
	case arch.AttnOutput:
		return &w.Layers[layer].AttnOutput
	case arch.DenseGate:
		return &w.Layers[layer].Dense.Gate
	case arch.DenseUp:
		return &w.Layers[layer].Dense.Up
	case arch.DenseDown:
		return &w.Layers[layer].Dense.Down
	case arch.Router:
		return &w.Layers[layer].Router
	case arch.SharedGate:
		return &w.Layers[layer].Shared.Gate
	case arch.SharedUp:
		return &w.Layers[layer].Shared.Up
	case arch.SharedDown:
		return &w.Layers[layer].Shared.Down
	}
	return nil
}

// vector returns where the vector of a role is; nil for other tensors.
func (w *Weights) vector(r arch.Role, layer int) *[]float32 {
	switch r {
	case arch.AttnNorm:
		return &w.Layers[layer].AttnNorm
	case arch.QueryNorm:
		return &w.Layers[layer].QueryNorm
	case arch.KeyNorm:
		return &w.Layers[layer].KeyNorm
	case arch.FFNNorm:
		return &w.Layers[layer].FFNNorm
	case arch.RouterBias:
		return &w.Layers[layer].RouterBias
	case arch.OutputNorm:
		return &w.OutputNorm
	}
	return nil
}

// expert returns where the matrix of a role is in an expert; nil for other
// tensors.
func (m *MLP) expert(r arch.Role) *kernels.Matrix {
	switch r {
	case arch.ExpertGate:
		return &m.Gate
	case arch.ExpertUp:
		return &m.Up
	case arch.ExpertDown:
		return &m.Down
	}
	return nil
}

// assignExperts takes one matrix of every expert of a layer, wherever the file
// has them.
func (w *Weights) assignExperts(t *arch.Tensor, f *gguf.File) error {
	places, err := t.FindExperts(f)
	if err != nil {
		return err
	}
	l := &w.Layers[t.Layer]
	if l.Experts == nil {
		l.Experts = make([]MLP, len(places))
	}
	for e, place := range places {
		m, err := kernels.NewMatrix(kernels.Type(place.Tensor.Type), t.Shape[1], t.Shape[2], place.Data)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", place.Tensor.Name, err)
		}
		*l.Experts[e].expert(t.Role) = m
	}
	return nil
}

// floats widens a vector.
func floats(t *gguf.Tensor) ([]float32, error) {
	m, err := kernels.NewMatrix(kernels.Type(t.Type), 1, int(t.Dims[0]), t.Data)
	if err != nil {
		return nil, err
	}
	x := make([]float32, m.Cols)
	m.Row(x, 0)
	return x, nil
}
