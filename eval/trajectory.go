package eval

import (
	"context"
	"slices"

	"lladakit/runtime"
)

// Trajectory is one answer as it came into being: the blocks before every
// denoising step, which is what a diffusion model sees.
type Trajectory struct {
	Prompt []int32
	Blocks []Block
}

// Block is one block of a trajectory.
type Block struct {
	Start  int       // position
	States [][]int32 // its tokens before each step, masks among them
	Final  []int32
}

// Record answers a prompt with m and returns how.
func Record(ctx context.Context, m *runtime.Model, prompt []int32, opt runtime.Options) (*Trajectory, error) {
	t := &Trajectory{Prompt: prompt}
	opt.OnStep = func(s runtime.Step) {
		if n := len(t.Blocks); n == 0 || t.Blocks[n-1].Start != s.Block*opt.BlockLength {
			t.Blocks = append(t.Blocks, Block{Start: s.Block * opt.BlockLength})
		}
		b := &t.Blocks[len(t.Blocks)-1]
		before := slices.Clone(s.Tokens)
		for i, wrote := range s.Wrote {
			if wrote {
				before[i] = m.MaskID
			}
		}
		b.States = append(b.States, before)
		b.Final = append(b.Final[:0], s.Tokens...)
	}
	_, err := m.Generate(ctx, prompt, opt)
	return t, err
}
