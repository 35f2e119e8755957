// Package arch says what an LLaDA2 model is: its numbers ([Config]), its
// tensors ([Config.Tensors]) under their Hugging Face and their GGUF names, and
// the metadata that carries the numbers in a GGUF file.
//
// A name of a tensor or of a key that only LLaDA2 has stands here and nowhere
// else. Tokenizer keys belong to package tokenizer.
package arch

import (
	"errors"
	"fmt"
	"math"
)

// Name is the value of general.architecture.
const Name = "llada2"

// ErrUnsupported is returned, wrapped, for a model that is well described but
// that this program cannot compute.
var ErrUnsupported = errors.New("unsupported model")

// Config holds the numbers of a model. All of them are needed; there is no
// useful zero value.
type Config struct {
	Name string // general.name, for people

	Vocab   int // rows of the embedding and of the head
	Hidden  int // width of the residual stream
	Layers  int
	Context int // positions the model was made for

	Heads     int // query heads
	KVHeads   int // key and value heads; Heads/KVHeads query heads share one
	HeadDim   int
	RotaryDim int // the first RotaryDim values of a head rotate
	RopeTheta float32
	RMSEps    float32
	QKNorm    bool // queries and keys are normalised per head

	DenseLayers int // this many first layers have a dense feed-forward part
	DenseFF     int // its width

	Experts      int // routed experts of a layer
	ExpertsUsed  int // chosen per token
	ExpertFF     int // width of one
	ExpertGroups int // experts form groups of consecutive ids …
	GroupsUsed   int // … of which the best are looked into
	ExpertScale  float32
	Shared       int // shared experts, stored as one of width SharedFF
	SharedFF     int

	// Decoding, with the settings that the authors recommend.
	BlockLength int
	Steps       int
	Threshold   float32
}

// Recommended decoding settings of LLaDA2.0, for files that do not name any.
const (
	DefaultBlockLength = 32
	DefaultSteps       = 32
	DefaultThreshold   = 0.95
)

// QKVDim returns the rows of the fused projection: queries, keys, values.
func (c *Config) QKVDim() int { return (c.Heads + 2*c.KVHeads) * c.HeadDim }

// Bounds of what is believed, each far above the published models, so that a
// file of a few bytes cannot ask for much memory and no product overflows.
const (
	maxDim    = 1 << 20 // any number; a product of three fits an int64. Published: a vocabulary of 173 568
	maxLayers = 1 << 12 // published: 32
	maxStack  = 1 << 16 // layers × experts, the length of the tensor table; published: 8 192
	maxBlock  = 1 << 12 // positions of a block, which a pass has buffers for; published: 32
)

// Check reports the first number that no model can have. It does not look at
// tensors.
func (c *Config) Check() error {
	for _, f := range []struct {
		name string
		v    int
		most int
	}{
		{"vocabulary", c.Vocab, maxDim}, {"hidden size", c.Hidden, maxDim}, {"layers", c.Layers, maxLayers},
		{"context length", c.Context, math.MaxInt32},
		{"heads", c.Heads, maxDim}, {"key-value heads", c.KVHeads, maxDim}, {"head dimension", c.HeadDim, maxDim},
		{"experts", c.Experts, maxDim}, {"experts used", c.ExpertsUsed, maxDim}, {"expert width", c.ExpertFF, maxDim},
		{"expert groups", c.ExpertGroups, maxDim}, {"expert groups used", c.GroupsUsed, maxDim},
		{"block length", c.BlockLength, maxBlock}, {"steps", c.Steps, maxDim},
	} {
		if f.v < 1 || f.v > f.most {
			return fmt.Errorf("%s: %d is out of range", f.name, f.v)
		}
	}
	positive := func(x float32) bool { return x > 0 && !math.IsInf(float64(x), 0) }
	switch {
	case c.Layers*c.Experts > maxStack:
		return fmt.Errorf("%d layers of %d experts are out of range", c.Layers, c.Experts)
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("%d heads do not share %d key-value heads evenly", c.Heads, c.KVHeads)
	case c.RotaryDim < 2 || c.RotaryDim%2 != 0 || c.RotaryDim > c.HeadDim:
		return fmt.Errorf("rotary dimension: %d is not an even part of a head of %d", c.RotaryDim, c.HeadDim)
	case !positive(c.RopeTheta) || !positive(c.RMSEps) || !positive(c.ExpertScale):
		return fmt.Errorf("rope theta %g, norm epsilon %g and expert scale %g must be positive", c.RopeTheta, c.RMSEps, c.ExpertScale)
	case c.DenseLayers < 0 || c.DenseLayers > c.Layers:
		return fmt.Errorf("%d of %d layers cannot be dense", c.DenseLayers, c.Layers)
	case c.DenseFF < 0 || c.DenseFF > maxDim || c.DenseLayers > 0 && c.DenseFF == 0:
		return fmt.Errorf("dense feed-forward width: %d is out of range", c.DenseFF)
	case c.Experts%c.ExpertGroups != 0:
		return fmt.Errorf("%d experts do not form %d equal groups", c.Experts, c.ExpertGroups)
	case c.GroupsUsed > c.ExpertGroups:
		return fmt.Errorf("%d of %d expert groups cannot be used", c.GroupsUsed, c.ExpertGroups)
	case c.ExpertsUsed > c.GroupsUsed*(c.Experts/c.ExpertGroups):
		return fmt.Errorf("%d experts cannot be chosen from %d groups of %d", c.ExpertsUsed, c.GroupsUsed, c.Experts/c.ExpertGroups)
	case c.Shared < 0 || c.Shared > maxDim || c.SharedFF < 0 || c.SharedFF > maxDim || (c.Shared > 0) != (c.SharedFF > 0):
		return fmt.Errorf("%d shared experts of width %d are not possible", c.Shared, c.SharedFF)
	case !(c.Threshold >= 0 && c.Threshold <= 1):
		return fmt.Errorf("threshold: %g is not between 0 and 1", c.Threshold)
	}
	return nil
}
