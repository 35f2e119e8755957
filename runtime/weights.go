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
	var l *Layer
	if t.Layer >= 0 {
		l = &w.Layers[t.Layer]
	}
	var err error
	vector := func(dst *[]float32) { *dst, err = floats(found) }
	matrix := func(dst *kernels.Matrix) {
		*dst, err = kernels.NewMatrix(kernels.Type(found.Type), t.Shape[0], t.Shape[1], found.Data)
	}
	switch t.Role {
	case arch.TokenEmbedding:
		matrix(&w.Embedding)
	case arch.OutputNorm:
		vector(&w.OutputNorm)
	case arch.Head:
		matrix(&w.Head)
	case arch.AttnNorm:
		vector(&l.AttnNorm)
	case arch.AttnQKV:
		matrix(&l.QKV)
	case arch.QueryNorm:
		vector(&l.QueryNorm)
	case arch.KeyNorm:
		vector(&l.KeyNorm)
	case arch.AttnOutput:
		matrix(&l.AttnOutput)
	case arch.FFNNorm:
		vector(&l.FFNNorm)
	case arch.DenseGate:
		matrix(&l.Dense.Gate)
	case arch.DenseUp:
		matrix(&l.Dense.Up)
	case arch.DenseDown:
		matrix(&l.Dense.Down)
	case arch.Router:
		matrix(&l.Router)
	case arch.RouterBias:
		vector(&l.RouterBias)
	case arch.SharedGate:
		matrix(&l.Shared.Gate)
	case arch.SharedUp:
		matrix(&l.Shared.Up)
	case arch.SharedDown:
		matrix(&l.Shared.Down)
	}
	return err
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
		switch t.Role {
		case arch.ExpertGate:
			l.Experts[e].Gate = m
		case arch.ExpertUp:
			l.Experts[e].Up = m
		case arch.ExpertDown:
			l.Experts[e].Down = m
		}
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
