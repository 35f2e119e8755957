package runtime

import (
	"slices"

	"lladakit/kernels"
)

// Stepper returns a function that runs the first denoising step of a generation
// again and again, and one that commits the block.
func (m *Model) Stepper(prompt []int32, opt Options) (step, commit func()) {
	g := m.newGeneration(prompt, &opt)
	b := len(prompt) / opt.BlockLength
	start := slices.Clone(g.x)
	return func() {
		copy(g.x, start)
		g.step(b, g.quota[0])
	}, func() { g.commit(b) }
}

// AcceptThreshold is the official policy.
var AcceptThreshold = acceptThreshold

// Stats computes the statistics of the rows of the last pass.
func (s *State) Stats(mask int32) { s.HeadStats(make([]kernels.Stats, s.n), mask) }
