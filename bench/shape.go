package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"lladakit/internal/arch"
)

// shapes are the published models, and one of the size of the embedded one.
var shapes = map[string]arch.Config{
	"mini": {
		Name: "synthetic LLaDA2.0-mini", Vocab: 157184, Hidden: 2048, Layers: 20, Context: 32768,
		Heads: 16, KVHeads: 4, HeadDim: 128, RotaryDim: 64, RopeTheta: 600000, RMSEps: 1e-6, QKNorm: true,
		DenseLayers: 1, DenseFF: 5120, Experts: 256, ExpertsUsed: 8, ExpertFF: 512, ExpertGroups: 8, GroupsUsed: 4,
		ExpertScale: 2.5, Shared: 1, SharedFF: 512,
	},
	"flash": {
		Name: "synthetic LLaDA2.0-flash", Vocab: 157184, Hidden: 4096, Layers: 32, Context: 32768,
		Heads: 32, KVHeads: 4, HeadDim: 128, RotaryDim: 64, RopeTheta: 600000, RMSEps: 1e-6, QKNorm: true,
		DenseLayers: 1, DenseFF: 9216, Experts: 256, ExpertsUsed: 8, ExpertFF: 1024, ExpertGroups: 8, GroupsUsed: 4,
		ExpertScale: 2.5, Shared: 1, SharedFF: 1024,
	},
	"tiny": {
		Name: "synthetic tiny", Vocab: 1024, Hidden: 256, Layers: 4, Context: 2048,
		Heads: 4, KVHeads: 2, HeadDim: 64, RotaryDim: 32, RopeTheta: 10000, RMSEps: 1e-6, QKNorm: true,
		DenseLayers: 1, DenseFF: 512, Experts: 16, ExpertsUsed: 4, ExpertFF: 64, ExpertGroups: 4, GroupsUsed: 2,
		ExpertScale: 2.5, Shared: 1, SharedFF: 64,
	},
}

// Shape returns the numbers of a published model: "mini", "flash", or "tiny".
func Shape(name string) (arch.Config, error) {
	c, ok := shapes[strings.ToLower(name)]
	if !ok {
		return c, fmt.Errorf("shape %.80q is not one of %s", name, strings.Join(slices.Sorted(maps.Keys(shapes)), ", "))
	}
	c.BlockLength, c.Steps, c.Threshold = arch.DefaultBlockLength, arch.DefaultSteps, arch.DefaultThreshold
	return c, nil
}
