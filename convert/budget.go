package convert

import (
	"context"
	"fmt"
	"io"
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/quant"
)

// Budget is a recipe that was made to fit a size.
type Budget struct {
	Recipe quant.Recipe // every type under Fixed
	Bytes  uint64       // of the whole file
	Error  float64      // what was minimised, see Fit
	Gap    float64      // how much less it can be at most, as a share of Error
}

// sampled weights of a matrix are what its error is measured on: evenly spread
// rows, about this many weights of an expert's and of any other matrix.
const (
	sampleExpert = 1 << 16
	sampleOther  = 1 << 20
)

// candidates are the formats that Fit chooses from.
var candidates = []gguf.Type{
	gguf.Q2_K, gguf.Q3_K, gguf.Q4_0, gguf.IQ4_NL, gguf.Q4_K, gguf.Q4_1, gguf.Q5_0, gguf.Q5_K, gguf.Q5_1, gguf.Q6_K, gguf.Q8_0,
	gguf.F16, // for rows that no block divides
}

// Fit chooses the format of every matrix, and of every expert, such that the
// whole file has at most size bytes and the expected error of what the matrices
// compute is small.
//
// The error of a matrix in a format is measured: the sum of the squared errors
// of its weights, each weighted by the importance of its column, relative to the
// same sum of the weights themselves. With independent inputs that is the
// relative squared error of its output. A matrix counts as much as its measured
// sensitivity says, and an expert as much as its share of the layer's uses: of
// the squared weights that the router gave it. Without importance all matrices,
// and all experts of a layer, count alike.
// opt.Recipe gives what is not to be chosen: formats by name. The target of the
// result, which the file is said to have, is the format with most bytes.
func (c *Checkpoint) Fit(ctx context.Context, opt Options, size uint64) (*Budget, error) {
	tensors, err := c.list()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Dir, err)
	}
	b, err := fit(ctx, &c.Config, tensors, opt, size, func(o Options) (*Plan, error) { return c.Plan(o) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Dir, err)
	}
	return b, nil
}

// Fit is as for a Checkpoint.
func (g *GGUF) Fit(ctx context.Context, opt Options, size uint64) (*Budget, error) {
	b, err := fit(ctx, &g.Config, g.tensors, opt, size, func(o Options) (*Plan, error) { return g.Plan(o) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.file.Paths[0], err)
	}
	return b, nil
}

// choosable is one matrix whose format is to be chosen.
type choosable struct {
	tensor, matrix int
	weight         float64 // of its error
	options        []quant.Option
}

func fit(ctx context.Context, cfg *arch.Config, tensors []tensor, opt Options, size uint64, plan func(Options) (*Plan, error)) (*Budget, error) {
	given := map[string]bool{}
	for _, f := range opt.Recipe.Fixed {
		given[f.Name] = true
	}
	var all []choosable
	for i := range tensors {
		t := &tensors[i]
		if classify(cfg, t).Class == quant.Exact || given[t.GGUF] {
			continue
		}
		shares, err := shares(t, opt.Importance)
		if err != nil {
			return nil, err
		}
		weight := sensitivity(t, opt.Importance)
		for k := range t.matrices {
			all = append(all, choosable{tensor: i, matrix: k, weight: weight * shares[k]})
		}
	}
	if err := measure(ctx, tensors, all, opt); err != nil {
		return nil, err
	}
	options := make([][]quant.Option, len(all))
	for i := range all {
		options[i] = all[i].options
	}
	// The header, the padding and the indexes depend on what is chosen: solve for
	// the weights alone, and take away what the file is too large by.
	budget := size
	for {
		s, err := quant.Solve(options, budget)
		if err != nil {
			return nil, err
		}
		recipe := opt.Recipe
		recipe.Fixed = slices.Concat(recipe.Fixed, fixed(tensors, all, s.Picks))
		recipe.Target = mostly(all, s.Picks)
		o := opt
		o.Recipe = recipe
		p, err := plan(o)
		if err != nil {
			return nil, err
		}
		bytes, err := p.fileSize()
		if err != nil {
			return nil, err
		}
		if bytes <= size {
			return &Budget{Recipe: recipe, Bytes: bytes, Error: s.Error, Gap: s.Gap}, nil
		}
		if bytes-size > budget {
			return nil, fmt.Errorf("%w: %d bytes, but what is not chosen takes more", quant.ErrBudget, size)
		}
		budget -= bytes - size
	}
}

// shares returns how much each matrix of a tensor counts; together 1.
func shares(t *tensor, m *quant.Importance) ([]float64, error) {
	n := len(t.matrices)
	if m == nil || m.Entries[t.GGUF] == nil {
		return slices.Repeat([]float64{1 / float64(n)}, n), nil
	}
	if err := m.Check(t.GGUF, t.Shape[len(t.Shape)-1], n); err != nil {
		return nil, err
	}
	return m.Entries[t.GGUF].UseShares(), nil
}

// sensitivity returns how much an error of the whole tensor counts: as measured;
// as the mean of the others where it was not (for an embedding, which is not
// multiplied with); and 1 where none was.
func sensitivity(t *tensor, m *quant.Importance) float64 {
	if m == nil {
		return 1
	}
	if e := m.Entries[t.GGUF]; e != nil && e.Sensitivity > 0 {
		return float64(e.Sensitivity)
	}
	var sum float64
	n := 0
	for _, e := range m.Entries {
		if e.Sensitivity > 0 {
			sum += float64(e.Sensitivity)
			n++
		}
	}
	if n == 0 {
		return 1
	}
	return sum / float64(n)
}

// measure finds the options of all matrices, on all workers.
func measure(ctx context.Context, tensors []tensor, all []choosable, opt Options) error {
	workers := opt.Threads
	if workers <= 0 {
		workers = goruntime.GOMAXPROCS(0)
	}
	var next, done atomic.Int64
	var running sync.WaitGroup
	var report sync.Mutex
	for range min(workers, maxWorkers) {
		running.Go(func() {
			var w sampler
			for {
				i := int(next.Add(1)) - 1
				if i >= len(all) || ctx.Err() != nil {
					return
				}
				c := &all[i]
				t := &tensors[c.tensor]
				c.options = w.options(t, c.matrix, c.weight, opt.Importance)
				report.Lock()
				if opt.Progress != nil {
					opt.Progress(done.Add(1), int64(len(all)))
				}
				report.Unlock()
			}
		})
	}
	running.Wait()
	return ctx.Err()
}

// sampler holds the buffers of one worker.
type sampler struct {
	wide, back []float32
	coded      []byte
}

// options measures what each format costs a matrix.
func (w *sampler) options(t *tensor, k int, weight float64, m *quant.Importance) []quant.Option {
	cols := t.Shape[len(t.Shape)-1]
	rows := t.Shape[len(t.Shape)-2]
	take := sampleOther
	if len(t.Shape) == 3 {
		take = sampleExpert
	}
	take = min(rows, max(1, take/cols))
	source := kernels.Matrix{Type: t.matrices[k].layout, Rows: rows, Cols: cols, Data: t.matrices[k].data}
	var importance []float32
	if m != nil && m.Entries[t.GGUF] != nil {
		importance = m.Entries[t.GGUF].Of(k)
	}
	w.wide, w.back = grow(w.wide, take*cols), grow(w.back, take*cols)
	for i := range take {
		source.Row(w.wide[i*cols:(i+1)*cols], i*rows/take)
	}
	size := int64(len(t.matrices[k].data))
	t.matrices[k].release(0, size)
	var options []quant.Option
	for _, typ := range candidates {
		bytes, err := quant.Bytes(typ, cols)
		if err != nil || typ == gguf.F16 && len(options) > 0 {
			continue
		}
		w.coded = grow(w.coded, take*bytes)
		quant.Quantize(typ, w.coded, w.wide, importance)
		quant.Dequantize(typ, w.back, w.coded)
		options = append(options, quant.Option{
			Type: typ, Bytes: uint64(bytes) * uint64(rows), Error: weight * finite(quant.RelativeError(w.wide, w.back, importance)),
		})
	}
	return options
}

// finite makes 0 of an error that is none: Write reports such weights.
func finite(x float64) float64 {
	if x-x != 0 {
		return 0
	}
	return x
}

// mostly returns the target whose format has most bytes.
func mostly(all []choosable, picks []int) quant.Target {
	bytes := map[gguf.Type]uint64{}
	most := gguf.F16
	for i, pick := range picks {
		o := &all[i].options[pick]
		if bytes[o.Type] += o.Bytes; bytes[o.Type] > bytes[most] {
			most = o.Type
		}
	}
	return quant.Plain(most).Target
}

// fixed turns the picks into exact types by tensor.
func fixed(tensors []tensor, all []choosable, picks []int) []quant.Fixed {
	var out []quant.Fixed
	for i := range all {
		name := tensors[all[i].tensor].GGUF
		if len(out) == 0 || out[len(out)-1].Name != name {
			out = append(out, quant.Fixed{Name: name})
		}
		f := &out[len(out)-1]
		f.Types = append(f.Types, all[i].options[picks[i]].Type)
	}
	for i := range out {
		if t := out[i].Types; len(slices.Compact(slices.Clone(t))) == 1 {
			out[i].Types = t[:1]
		}
	}
	return out
}

// fileSize returns the size of the file that the plan makes.
func (p *Plan) fileSize() (uint64, error) {
	var n counter
	if _, err := gguf.NewWriter(&n, p.Metadata, p.Tensors); err != nil {
		return 0, err
	}
	size := uint64(n)
	for _, t := range p.Tensors {
		size += (t.Bytes() + 31) / 32 * 32
	}
	return size, nil
}

// counter counts what is written.
type counter uint64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

var _ io.Writer = (*counter)(nil)
