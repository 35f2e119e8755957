package eval

import (
	"context"
	"fmt"
	"slices"

	"lladakit/internal/arch"
	"lladakit/kernels"
	"lladakit/quant"
	"lladakit/runtime"
)

// Importance has m answer every prompt and sums up what its matrices are
// multiplied with in all passes of block diffusion: the blocks of the prompt,
// the partly masked block before every step, the finished block. That is the
// input that rounding errors will meet; text without masks is only a part of it.
//
// The name of no data set and no file is in the result. progress, if not nil, is
// called after every prompt.
func Importance(ctx context.Context, m *runtime.Model, prompts [][]int32, opt runtime.Options, progress func(done, total int)) (*quant.Importance, error) {
	c := newCollector(m)
	for i, prompt := range prompts {
		t, err := Record(ctx, m, prompt, opt)
		if err != nil {
			return nil, err
		}
		if err := c.replay(ctx, t, opt.BlockLength); err != nil {
			return nil, err
		}
		if progress != nil {
			progress(i+1, len(prompts))
		}
	}
	out := c.importance()
	out.Chunks = uint32(len(prompts))
	return out, nil
}

// collector sums up the squares of the inputs of a model's matrices.
type collector struct {
	m     *runtime.Model
	names map[string][]*kernels.Matrix
	sums  map[*kernels.Matrix]*columnSums
	rows  [1 + maskBuckets]uint64 // of blocks without masks, and by their share
}

// columnSums is in float64: float32 sums would stop growing at 2²⁴ times what is
// added.
type columnSums struct {
	squares []float64 // [cols]
	shares  float64   // sum of the squared weights of an expert's results
	rows    uint64
}

func newCollector(m *runtime.Model) *collector {
	c := &collector{m: m, names: m.Matrices(), sums: map[*kernels.Matrix]*columnSums{}}
	for _, matrices := range c.names {
		for _, matrix := range matrices {
			c.sums[matrix] = &columnSums{squares: make([]float64, matrix.Cols)}
		}
	}
	return c
}

// observe is a runtime.Observer.
func (c *collector) observe(o runtime.Observation) {
	s := c.sums[o.Matrix]
	if s == nil {
		return // a router
	}
	s.rows += uint64(o.Rows)
	for _, v := range o.Shares {
		s.shares += float64(v) * float64(v)
	}
	cols := o.Matrix.Cols
	for r := range o.Rows {
		for i, v := range o.X[r*cols : (r+1)*cols] {
			s.squares[i] += float64(v) * float64(v)
		}
	}
}

// replay computes the passes of a trajectory once more, observed.
func (c *collector) replay(ctx context.Context, t *Trajectory, block int) error {
	if len(t.Blocks) == 0 {
		return nil
	}
	c.m.Observe(c.observe)
	defer c.m.Observe(nil)
	last := t.Blocks[len(t.Blocks)-1]
	s := c.m.NewSession(last.Start+block, block)
	final := t.Prompt[:t.Blocks[0].Start]
	for _, b := range t.Blocks {
		if err := s.Extend(ctx, final); err != nil {
			return err
		}
		c.rows[0] += uint64(len(final))
		for _, state := range b.States {
			if err := ctx.Err(); err != nil {
				return err
			}
			masked, _ := s.Masked(state)
			c.rows[1+maskBucket(len(masked), block)] += uint64(block)
		}
		final = b.Final
	}
	return nil
}

func (c *collector) importance() *quant.Importance {
	out := &quant.Importance{Rows: slices.Clone(c.rows[:]), Entries: map[string]*quant.Columns{}}
	for name, matrices := range c.names {
		columns := &quant.Columns{Cols: matrices[0].Cols}
		for _, m := range matrices {
			s := c.sums[m]
			columns.Counts = append(columns.Counts, float32(s.rows))
			if len(matrices) > 1 {
				columns.Shares2 = append(columns.Shares2, float32(s.shares))
			}
			for _, v := range s.squares {
				columns.Sum2 = append(columns.Sum2, float32(v))
			}
		}
		out.Entries[name] = columns
	}
	return out
}

// Coverage says which experts a measurement did not reach, or hardly.
type Coverage struct {
	Experts int      `json:"experts"`
	Never   []string `json:"never"`  // "layer 3 expert 17"
	Rarely  []string `json:"rarely"` // fewer than RareRows rows
}

// RareRows is how many rows of activations an expert needs for its importance to
// say much about its columns.
const RareRows = 32

// Cover looks at the experts of an importance matrix that was measured on m. The
// matrices of an expert see the same rows: one of them speaks for all.
func Cover(m *runtime.Model, importance *quant.Importance) Coverage {
	c := Coverage{Never: []string{}, Rarely: []string{}}
	for _, t := range m.Config.Tensors() {
		if t.Role != arch.ExpertDown || importance.Entries[t.GGUF] == nil {
			continue
		}
		for e, n := range importance.Entries[t.GGUF].Counts {
			c.Experts++
			what := fmt.Sprintf("layer %d expert %d", t.Layer, e)
			switch {
			case n == 0:
				c.Never = append(c.Never, what)
			case n < RareRows:
				c.Rarely = append(c.Rarely, what)
			}
		}
	}
	return c
}
