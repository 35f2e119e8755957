package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/kernels"
)

// GGUF is an open GGUF file as the source of another one.
type GGUF struct {
	Config arch.Config

	file    *gguf.File
	tensors []tensor
}

// ErrRequantize is returned, wrapped, for a source that is quantized already.
var ErrRequantize = errors.New("the file is quantized already")

// OpenGGUF opens a GGUF file, ours or one in the form of llama.cpp's LLaDA2
// converter, to make another one of it. Unless requantize is set, its matrices
// must be of the float types: rounding what is rounded adds both errors.
func OpenGGUF(path string, requantize bool) (_ *GGUF, err error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	g := &GGUF{file: f}
	if g.Config, err = arch.FromMetadata(f.Metadata); err != nil {
		return nil, err
	}
	norms := 0
	for _, t := range g.Config.Tensors() {
		matrices, err := g.matrices(&t)
		if err != nil {
			return nil, err
		}
		if matrices == nil {
			continue // optional and absent
		}
		if t.Optional {
			norms++
		}
		for _, m := range matrices {
			if n, _ := m.layout.Block(); n > 1 && !requantize {
				return nil, fmt.Errorf("tensor %q is %s: %w", m.name, gguf.Type(m.layout), ErrRequantize)
			}
		}
		g.tensors = append(g.tensors, tensor{t, matrices})
	}
	if norms != 0 && norms != 2*g.Config.Layers {
		return nil, fmt.Errorf("query and key norms: found %d, need %d or none", norms, 2*g.Config.Layers)
	}
	return g, nil
}

// matrices finds a tensor; nil for an optional one that is absent.
func (g *GGUF) matrices(t *arch.Tensor) ([]matrix, error) {
	if len(t.Shape) == 3 {
		experts, err := t.FindExperts(g.file)
		if err != nil {
			return nil, err
		}
		all := make([]matrix, len(experts))
		for i, e := range experts {
			if all[i], err = g.matrix(e.Tensor, e.Data, t.Shape[2], e.Slot); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
	found, ok := g.file.Tensor(t.GGUF)
	if !ok && t.Optional {
		return nil, nil
	}
	if !ok {
		return nil, fmt.Errorf("tensor %q is missing", t.GGUF)
	}
	dims := make([]uint64, 0, len(t.Shape))
	for _, n := range slices.Backward(t.Shape) {
		dims = append(dims, uint64(n))
	}
	if !slices.Equal(found.Dims, dims) {
		return nil, fmt.Errorf("tensor %q: dimensions %v, not %v", t.GGUF, found.Dims, dims)
	}
	m, err := g.matrix(found, found.Data, t.Shape[len(t.Shape)-1], 0)
	return []matrix{m}, err
}

// matrix describes the matrix in a slot of a tensor.
func (g *GGUF) matrix(t *gguf.Tensor, data []byte, cols, slot int) (matrix, error) {
	if _, err := kernels.Type(t.Type).RowBytes(cols); err != nil {
		return matrix{}, fmt.Errorf("tensor %q is %s, which cannot be read", t.Name, t.Type)
	}
	m := matrix{name: t.Name, file: g.file.Paths[t.Shard], layout: kernels.Type(t.Type), data: data}
	m.release = func(from, n int64) {
		// All at once, when the last of the tensor's matrices is done.
		if last := len(t.Dims) < 3 || slot == int(t.Dims[2])-1; last && from+n == int64(len(data)) {
			g.file.Release(t)
		}
	}
	return m, nil
}

// Files returns the paths of the file's parts.
func (g *GGUF) Files() []string { return slices.Clone(g.file.Paths) }

// Close unmaps the file.
func (g *GGUF) Close() error { return g.file.Close() }

// ownKey reports whether a key describes a file rather than its model: a new
// file has its own.
func ownKey(key string) bool {
	return key == "general.file_type" || key == "general.quantization_version" || key == "general.alignment" ||
		key == recipeKey || strings.HasPrefix(key, "split.") || strings.HasPrefix(key, "quantize.")
}

// Plan decides the type of every tensor. The plan reads the mapped file: write
// it before Close. All metadata of the model is kept, also what this program
// does not know; MaskID and EOSID of the options are not used.
func (g *GGUF) Plan(opt Options) (*Plan, error) {
	var md gguf.Metadata
	for _, kv := range g.file.Metadata {
		if !ownKey(kv.Key) {
			md = append(md, kv)
		}
	}
	p, err := newPlan(&g.Config, g.tensors, md, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.file.Paths[0], err)
	}
	p.inputs = g.file.Paths
	return p, nil
}
