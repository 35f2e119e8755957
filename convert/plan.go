package convert

import (
	"fmt"
	"maps"
	"slices"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/quant"
)

// Options say what to make of a checkpoint. The zero value makes one float32
// file on all processors.
type Options struct {
	// Recipe says which format every matrix gets; vectors and routers stay
	// float32.
	Recipe quant.Recipe

	// Importance, if not nil, says how much the columns of the matrices matter
	// to rounding, and how often experts are used.
	Importance *quant.Importance

	// AllowNonFinite writes infinities and NaNs instead of refusing them; block
	// formats, which cannot hold them, get zeros.
	AllowNonFinite bool

	// SplitSize is the most bytes of tensor data in one file; 0 means one file.
	SplitSize uint64

	// Threads is the number of quantizing workers; 0 means one per processor.
	// More than 32 are never used, which bounds the memory.
	Threads int

	// MaskID and EOSID are for checkpoints without a tokenizer whose config.json
	// does not name them; nil means that the checkpoint says. An id that the
	// checkpoint contradicts is an error.
	MaskID, EOSID *int32

	// Progress, if not nil, is called from time to time with the bytes of the
	// source's weights that are done, and all of them.
	Progress func(done, total int64)
}

// Plan is a GGUF file to be made: its metadata, and its tensors in order.
type Plan struct {
	Metadata gguf.Metadata
	Tensors  []gguf.TensorInfo

	// Fallbacks names the tensors whose row length forced another format than
	// the recipe wants; Neutral says how many expert matrices had no importance,
	// because no token reached them while it was measured.
	Fallbacks []string
	Neutral   int

	opt      Options
	inputs   []string  // files of the source
	contents []content // of each tensor
}

// content is what is written for a tensor: bytes as they are, or the weights of
// matrices, one after the other.
type content struct {
	bytes    []byte
	matrices []matrix
}

// matrix is one matrix of a source, or a vector.
type matrix struct {
	name, file string // for messages
	layout     kernels.Type
	data       []byte    // whole rows in that layout
	importance []float32 // of the columns; nil: none
	release    func(from, n int64)
}

// tensor is a tensor of the model with its matrices: one, or one per expert.
type tensor struct {
	arch.Tensor
	matrices []matrix
}

// Plan decides the type of every tensor and finds its weights. It is an error
// when the checkpoint lacks a tensor, has one that LLaDA2 has not, or has one
// of another shape. The plan reads the checkpoint's mapped files: write it
// before Close.
func (c *Checkpoint) Plan(opt Options) (*Plan, error) {
	tensors, err := c.list()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Dir, err)
	}
	tokens, err := c.tokenKeys(opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Dir, err)
	}
	md := append(c.Config.Metadata(), tokens...)
	p, err := newPlan(&c.Config, tensors, md, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Dir, err)
	}
	p.inputs = c.inputs
	return p, nil
}

// list finds the weights of every tensor of the model.
func (c *Checkpoint) list() ([]tensor, error) {
	cfg := &c.Config
	unused := maps.Clone(c.tensors)
	norms := 0
	var all []tensor
	for _, t := range cfg.Tensors() {
		sources, err := c.find(&t, unused)
		if err != nil {
			return nil, err
		}
		if sources == nil {
			continue // optional and absent
		}
		if t.Optional {
			norms++
		}
		all = append(all, tensor{t, matricesOf(&t, sources)})
	}
	for _, name := range slices.Sorted(maps.Keys(unused)) {
		return nil, fmt.Errorf("%s: tensor %.200q is none of LLaDA2's", unused[name].shard.name, name)
	}
	switch {
	case norms == 0 && !cfg.QKNorm:
	case norms != 2*cfg.Layers:
		return nil, fmt.Errorf("query and key norms: found %d, need %d", norms, 2*cfg.Layers)
	}
	return all, nil
}

// matricesOf divides the sources of a tensor into its matrices: a merged stack
// is one source with all of them.
func matricesOf(t *arch.Tensor, sources []*source) []matrix {
	count := 1
	if len(t.Shape) == 3 {
		count = t.Shape[0]
	}
	var all []matrix
	for _, src := range sources {
		n := count / len(sources)
		size := len(src.data) / n
		for i := range n {
			base := src.off + int64(i*size)
			all = append(all, matrix{
				name: src.name, file: src.shard.name, layout: layouts[src.dtype], data: src.data[i*size : (i+1)*size],
				release: func(from, n int64) { src.shard.file.Release(max(0, base+from-slack), n+2*slack) },
			})
		}
	}
	return all
}

// newPlan chooses the formats of the tensors of a model.
func newPlan(cfg *arch.Config, tensors []tensor, md gguf.Metadata, opt Options) (*Plan, error) {
	p := &Plan{opt: opt}
	classes := make([]quant.Tensor, len(tensors))
	for i := range tensors {
		classes[i] = classify(cfg, &tensors[i])
	}
	var usage quant.Usage
	if opt.Importance != nil {
		usage = expertUsage(tensors, opt.Importance)
	}
	choices, err := opt.Recipe.Plan(classes, usage)
	if err != nil {
		return nil, err
	}
	for i := range tensors {
		t := &tensors[i]
		if choices[i].Fallback {
			p.Fallbacks = append(p.Fallbacks, t.GGUF)
		}
		if opt.Importance != nil && classes[i].Class != quant.Exact {
			if err := p.weigh(t, opt.Importance); err != nil {
				return nil, err
			}
		}
		p.add(t, choices[i])
	}
	p.Metadata = append(md,
		gguf.KeyValue{Key: "general.file_type", Value: opt.Recipe.Target.FileType()},
		gguf.KeyValue{Key: "general.quantization_version", Value: uint32(2)})
	if r := &opt.Recipe; len(r.Rules)+len(r.Experts)+len(r.Fixed) > 0 || r.Output != nil || r.Embedding != nil {
		text, err := r.Marshal()
		if err != nil {
			return nil, err
		}
		p.Metadata = append(p.Metadata, gguf.KeyValue{Key: recipeKey, Value: string(text)})
	}
	if opt.Importance != nil {
		p.Metadata = append(p.Metadata, importanceKeys(opt.Importance)...)
	}
	return p, nil
}

// add appends a tensor: as one, or as a stack for each type of its experts.
func (p *Plan) add(t *tensor, choice quant.Choice) {
	dims := make([]uint64, 0, len(t.Shape))
	for _, n := range slices.Backward(t.Shape) {
		dims = append(dims, uint64(n))
	}
	if choice.Experts == nil {
		p.Tensors = append(p.Tensors, gguf.TensorInfo{Name: t.GGUF, Type: choice.Type, Dims: dims})
		p.contents = append(p.contents, content{matrices: t.matrices})
		return
	}
	stacks := t.Stacks(choice.Experts)
	for _, s := range stacks {
		info := gguf.TensorInfo{Name: s.Name, Type: s.Type, Dims: slices.Clone(dims)}
		info.Dims[2] = uint64(len(s.Experts))
		var c content
		for _, e := range s.Experts {
			c.matrices = append(c.matrices, t.matrices[e])
		}
		p.Tensors = append(p.Tensors, info)
		p.contents = append(p.contents, c)
	}
	if len(stacks) > 1 {
		p.Tensors = append(p.Tensors, gguf.TensorInfo{Name: t.IndexName(), Type: gguf.I32, Dims: []uint64{2, uint64(t.Shape[0])}})
		p.contents = append(p.contents, content{bytes: arch.Index(stacks)})
	}
}

// weigh gives the matrices of a tensor their importance.
func (p *Plan) weigh(t *tensor, m *quant.Importance) error {
	cols := t.Shape[len(t.Shape)-1]
	if err := m.Check(t.GGUF, cols, len(t.matrices)); err != nil {
		return err
	}
	columns := m.Entries[t.GGUF]
	if columns == nil {
		return nil
	}
	for i := range t.matrices {
		t.matrices[i].importance = columns.Of(i)
		if t.matrices[i].importance == nil {
			p.Neutral++
		}
	}
	return nil
}

// find returns the weights of one tensor of the table, removing them from
// unused; nil for an optional one that is absent.
func (c *Checkpoint) find(t *arch.Tensor, unused map[string]*source) ([]*source, error) {
	if src := c.tensors[t.Merged]; t.Merged != "" && src != nil {
		delete(unused, t.Merged)
		return []*source{src}, src.checkShape(t.Shape)
	}
	shape := t.Shape
	if t.Merged != "" {
		shape = shape[1:] // of one expert
	}
	sources := make([]*source, 0, len(t.HF))
	for _, name := range t.HF {
		src := c.tensors[name]
		if src == nil && t.Optional {
			return nil, nil
		}
		if src == nil {
			return nil, fmt.Errorf("tensor %q is missing", name)
		}
		if err := src.checkShape(shape); err != nil {
			return nil, err
		}
		delete(unused, name)
		sources = append(sources, src)
	}
	return sources, nil
}

func (s *source) checkShape(want []int) error {
	if !slices.Equal(s.shape, want) {
		return fmt.Errorf("%s: tensor %q has shape %v, not %v", s.shard.name, s.name, s.shape, want)
	}
	return nil
}

// Bytes returns the size of the tensor data, without padding.
func (p *Plan) Bytes() uint64 {
	var sum uint64
	for _, t := range p.Tensors {
		sum += t.Bytes()
	}
	return sum
}

// Weights returns how many weights the file will have.
func (p *Plan) Weights() uint64 {
	var sum uint64
	for _, t := range p.Tensors {
		sum += t.Elements()
	}
	return sum
}

// Layout returns the tensors of a model of some numbers as a recipe stores them, though
// there is no checkpoint.
func Layout(cfg *arch.Config, recipe quant.Recipe) ([]gguf.TensorInfo, error) {
	var tensors []tensor
	for _, t := range cfg.Tensors() {
		if t.Optional && !cfg.QKNorm {
			continue
		}
		count := 1
		if len(t.Shape) == 3 {
			count = t.Shape[0]
		}
		tensors = append(tensors, tensor{t, make([]matrix, count)})
	}
	p, err := newPlan(cfg, tensors, nil, Options{Recipe: recipe})
	if err != nil {
		return nil, err
	}
	return p.Tensors, nil
}
