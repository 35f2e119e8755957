package convert

import (
	"fmt"
	"maps"
	"slices"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/internal/tokenizer"
	"lladakit/quant"
)

// Options say what to make of a checkpoint. The zero value makes one float32
// file on all processors.
type Options struct {
	Type gguf.Type // of the weight matrices; vectors and routers stay float32

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
	// checkpoint's weights that are done, and all of them.
	Progress func(done, total int64)
}

// Plan is a GGUF file to be made: its metadata, and its tensors in order.
type Plan struct {
	Metadata gguf.Metadata
	Tensors  []gguf.TensorInfo

	opt     Options
	inputs  []string    // files of the checkpoint
	sources [][]*source // what is stacked to make each tensor
}

// Plan decides the type of every tensor and finds its weights. It is an error
// when the checkpoint lacks a tensor, has one that LLaDA2 has not, or has one
// of another shape. The plan reads the checkpoint's mapped files: write it
// before Close.
func (c *Checkpoint) Plan(opt Options) (*Plan, error) {
	if !slices.Contains(quant.Types, opt.Type) {
		return nil, fmt.Errorf("type %s is not one that can be written", opt.Type)
	}
	cfg := c.Config
	p := &Plan{opt: opt, inputs: c.inputs}
	unused := maps.Clone(c.tensors)
	norms := 0
	table := cfg.Tensors()
	for i := range table {
		t := &table[i]
		sources, err := c.find(t, unused)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Dir, err)
		}
		if sources == nil {
			continue // optional and absent
		}
		if t.Optional {
			norms++
		}
		info := gguf.TensorInfo{Name: t.GGUF, Type: gguf.F32}
		for _, n := range slices.Backward(t.Shape) {
			info.Dims = append(info.Dims, uint64(n))
		}
		if !t.Exact() {
			info.Type = quant.Choose(opt.Type, t.Shape[len(t.Shape)-1])
		}
		p.Tensors = append(p.Tensors, info)
		p.sources = append(p.sources, sources)
	}
	for _, name := range slices.Sorted(maps.Keys(unused)) {
		return nil, fmt.Errorf("%s: %s: tensor %q is none of LLaDA2's", c.Dir, unused[name].shard.name, name)
	}
	switch {
	case norms == 0 && !cfg.QKNorm:
	case norms != 2*cfg.Layers:
		return nil, fmt.Errorf("%s: query and key norms: found %d, need %d", c.Dir, norms, 2*cfg.Layers)
	}
	tokens, err := c.tokenKeys(opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Dir, err)
	}
	p.Metadata = append(cfg.Metadata(),
		gguf.KeyValue{Key: "general.file_type", Value: quant.FileType(opt.Type)},
		gguf.KeyValue{Key: "general.quantization_version", Value: uint32(2)})
	p.Metadata = append(p.Metadata, tokens...)
	return p, nil
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

// tokenKeys returns the tokenizer's metadata, or for a checkpoint without
// tokenizer the two ids that decoding needs.
func (c *Checkpoint) tokenKeys(opt Options) (gguf.Metadata, error) {
	masks := []claim{{"the options", opt.MaskID}, {"config.json", c.MaskID}}
	ends := []claim{{"the options", opt.EOSID}, {"config.json", c.EOSID}}
	if c.Tokenizer != nil {
		special := c.Tokenizer.Special()
		if special.EOS < 0 {
			return nil, fmt.Errorf("tokenizer.json: there is no end token")
		}
		masks = append(masks, claim{"the tokenizer", &special.Mask})
		ends = append(ends, claim{"the tokenizer", &special.EOS})
	}
	mask, err := agree("mask", c.Config.Vocab, masks)
	if err != nil {
		return nil, err
	}
	eos, err := agree("end", c.Config.Vocab, ends)
	if err != nil {
		return nil, err
	}
	if mask == nil || eos == nil {
		return nil, fmt.Errorf("no tokenizer.json, and config.json lacks mask_token_id or eos_token_id: give both ids")
	}
	if *mask == *eos {
		return nil, fmt.Errorf("mask and end token have the same id %d", *mask)
	}
	if c.Tokenizer == nil {
		return keyValues(tokenizer.NoVocab(*mask, *eos)), nil
	}
	kvs, err := c.Tokenizer.KeyValues(c.Config.Vocab)
	return keyValues(kvs), err
}

// claim is an id that somebody gives for a token; nil when he does not.
type claim struct {
	by string
	id *int32
}

// agree returns the id that all claims give; nil when there is none.
func agree(what string, vocab int, claims []claim) (*int32, error) {
	var first claim
	for _, c := range claims {
		switch {
		case c.id == nil:
		case *c.id < 0 || int(*c.id) >= vocab:
			return nil, fmt.Errorf("%s id %d of %s is outside the vocabulary of %d", what, *c.id, c.by, vocab)
		case first.id == nil:
			first = c
		case *c.id != *first.id:
			return nil, fmt.Errorf("%s id %d of %s is not %d, the one of %s", what, *first.id, first.by, *c.id, c.by)
		}
	}
	return first.id, nil
}

func keyValues(kvs []tokenizer.KeyValue) gguf.Metadata {
	md := make(gguf.Metadata, len(kvs))
	for i, kv := range kvs {
		md[i] = gguf.KeyValue(kv)
	}
	return md
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
