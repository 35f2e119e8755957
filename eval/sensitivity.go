package eval

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/quant"
	"lladakit/runtime"
)

// probe is the format whose error a matrix is given to see what that does to the
// model: coarse enough to be seen, and of every row length that matters.
const probe = gguf.Q4_0

// MeasureSensitivity sets the sensitivity of every entry of an importance matrix
// of m. One tensor after the other is rounded to a coarse format; the KL
// divergence that this alone causes at the masked positions of one state of every
// prompt's answer, divided by the relative squared error of the tensor, is its
// sensitivity. progress, if not nil, is called after every tensor.
//
// It takes one pass over a prefix and one over a block for every tensor and
// prompt: a few prompts are enough, as every masked position of a block counts.
func MeasureSensitivity(ctx context.Context, m *runtime.Model, importance *quant.Importance, prompts [][]int32, opt runtime.Options, progress func(done, total int)) error {
	states, err := sampleStates(ctx, m, prompts, opt)
	if err != nil {
		return err
	}
	matrices := m.Matrices()
	names := slices.Sorted(maps.Keys(matrices))
	for i, name := range names {
		entry := importance.Entries[name]
		if entry == nil || matrices[name][0].Cols%32 != 0 {
			continue
		}
		if err := importance.Check(name, matrices[name][0].Cols, len(matrices[name])); err != nil {
			return err
		}
		s, err := sensitivity(ctx, m, matrices[name], entry, states, opt.BlockLength)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		entry.Sensitivity = float32(s)
		if progress != nil {
			progress(i+1, len(names))
		}
	}
	return nil
}

// sampled is one state of an answer, and what the model makes of it.
type sampled struct {
	prefix []int32 // whole blocks
	block  []int32 // some of it masked
	logits []float32
}

// sampleStates takes one state of the answer to each prompt, any block and step.
func sampleStates(ctx context.Context, m *runtime.Model, prompts [][]int32, opt runtime.Options) ([]sampled, error) {
	rng := rand.New(rand.NewPCG(1, 2)) // equal prompts give equal states
	var all []sampled
	for _, prompt := range prompts {
		t, err := Record(ctx, m, prompt, opt)
		if err != nil {
			return nil, err
		}
		if len(t.Blocks) == 0 {
			continue
		}
		at := rng.IntN(len(t.Blocks))
		s := sampled{prefix: slices.Clone(prompt[:t.Blocks[0].Start])}
		for _, b := range t.Blocks[:at] {
			s.prefix = append(s.prefix, b.Final...)
		}
		states := t.Blocks[at].States
		s.block = states[rng.IntN(len(states))]
		logits, err := s.compute(ctx, m, opt.BlockLength)
		if err != nil {
			return nil, err
		}
		s.logits = slices.Clone(logits)
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no prompt has an answer to measure on")
	}
	return all, nil
}

func (s *sampled) compute(ctx context.Context, m *runtime.Model, block int) ([]float32, error) {
	session := m.NewSession(len(s.prefix)+block, block)
	if err := session.Extend(ctx, s.prefix); err != nil {
		return nil, err
	}
	_, logits := session.Masked(s.block)
	return logits, nil
}

// sensitivity measures one tensor. Its matrices are replaced while it does.
func sensitivity(ctx context.Context, m *runtime.Model, matrices []*kernels.Matrix, entry *quant.Columns, states []sampled, block int) (float64, error) {
	keep := make([]kernels.Matrix, len(matrices))
	for i, matrix := range matrices {
		keep[i] = *matrix
	}
	defer func() {
		for i, matrix := range matrices {
			*matrix = keep[i]
		}
	}()
	relative := 0.0
	shares := entry.UseShares()
	for i, matrix := range matrices {
		rounded, err := round(matrix, entry.Of(i))
		if err != nil {
			return 0, err
		}
		*matrix = rounded.matrix
		relative += shares[i] * rounded.err
	}
	if relative == 0 {
		return 0, nil
	}
	kld, n := 0.0, 0
	vocab := m.Config.Vocab
	for i := range states {
		got, err := states[i].compute(ctx, m, block)
		if err != nil {
			return 0, err
		}
		for r := 0; r < len(got); r += vocab {
			kld += position(got[r:r+vocab], states[i].logits[r:r+vocab]).kld
			n++
		}
	}
	return kld / float64(n) / relative, nil
}

// rounded is a matrix in the probe's format, and its relative squared error.
type rounded struct {
	matrix kernels.Matrix
	err    float64
}

func round(m *kernels.Matrix, importance []float32) (rounded, error) {
	bytes, err := quant.Bytes(probe, m.Cols)
	if err != nil {
		return rounded{}, err
	}
	out := rounded{matrix: kernels.Matrix{Type: kernels.Type(probe), Rows: m.Rows, Cols: m.Cols, Data: make([]byte, bytes*m.Rows)}}
	wide, back := make([]float32, m.Rows*m.Cols), make([]float32, m.Rows*m.Cols)
	for i := range m.Rows {
		m.Row(wide[i*m.Cols:(i+1)*m.Cols], i)
	}
	quant.Quantize(probe, out.matrix.Data, wide, nil)
	quant.Dequantize(probe, back, out.matrix.Data)
	out.err = quant.RelativeError(wide, back, importance)
	return out, nil
}
