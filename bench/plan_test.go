package bench

import (
	"context"
	"math"
	"os"
	"path/filepath"
	goruntime "runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/runtime"
)

// planned returns the tensors of a model whose matrices all have a type, as Synthesize
// writes them.
func planned(c *arch.Config, typ gguf.Type) []gguf.TensorInfo {
	var all []gguf.TensorInfo
	for _, t := range c.Tensors() {
		info := gguf.TensorInfo{Name: t.GGUF, Type: typ}
		if t.Exact() {
			info.Type = gguf.F32
		}
		for i := len(t.Shape) - 1; i >= 0; i-- {
			info.Dims = append(info.Dims, uint64(t.Shape[i]))
		}
		all = append(all, info)
	}
	return all
}

// allocated returns how many bytes of the heap f takes.
func allocated(f func()) float64 {
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	f()
	goruntime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc)
}

// TestPlanMemory holds the planned sizes against those that a loaded model has.
func TestPlanMemory(t *testing.T) {
	for _, x := range []struct {
		shape string
		typ   gguf.Type
		kv    runtime.KV
		pack  runtime.Pack
	}{
		{"tiny", gguf.Q4_0, "", runtime.PackMemory},
		{"tiny", gguf.Q8_0, runtime.KVQ8, runtime.PackNone},
		{"tiny", gguf.BF16, "", runtime.PackMemory},
		{"wide", gguf.Q8_0, runtime.KVF32, runtime.PackMemory},
		{"dense", gguf.Q4_K, "", runtime.PackMemory},
		{"sparse", gguf.Q4_K, "", runtime.PackFile},
	} {
		c, err := Shape("tiny")
		require.NoError(t, err)
		c.ExpertFF, c.SharedFF = 256, 256
		switch x.shape {
		case "wide":
			c.Hidden, c.Heads, c.Vocab, c.Layers = 512, 8, 5000, 2
		case "dense":
			c.DenseLayers = c.Layers
		case "sparse":
			c.DenseLayers, c.Shared, c.SharedFF, c.ExpertsUsed = 0, 0, 0, 2
		}
		path := filepath.Join(t.TempDir(), "model.gguf")
		require.NoError(t, Synthesize(t.Context(), path, Synthetic{Config: c, Type: x.typ}))
		const threads, rows, positions = 2, 128, 2048
		m, err := runtime.Load(path, runtime.LoadOptions{Threads: threads, Pack: x.pack, KV: x.kv})
		require.NoError(t, err)
		defer m.Close()
		p, _, err := newPlanner(PlanOptions{Config: c, Tensors: planned(&c, x.typ), Threads: threads, Pack: x.pack, KV: x.kv, Context: positions})
		require.NoError(t, err)
		got := p.memory(rows, rows)

		file, err := gguf.Open(path)
		require.NoError(t, err)
		var weights uint64
		for _, tensor := range file.Tensors {
			weights += tensor.Bytes()
		}
		require.NoError(t, file.Close())
		assert.Equal(t, weights, got.File, "%+v", x)

		var copies uint64
		for _, matrices := range m.Matrices() {
			for _, matrix := range matrices {
				if matrix.Packed > 0 {
					copies += uint64(len(matrix.Data)+63) / 64 * 64
				}
			}
		}
		if x.pack == runtime.PackFile {
			assert.Zero(t, got.Packed, "%+v: the copies are a file's", x)
			copies = 0
		}
		assert.Equal(t, copies, got.Packed, "%+v", x)
		if x.pack == runtime.PackMemory && x.shape == "wide" { // whose matrices are whole cache lines
			assert.Equal(t, got.File-got.Vectors, got.Packed+got.Mapped, "%+v", x)
		}
		assert.Equal(t, string(m.KV), gguf.Type(p.kv()).String(), "%+v", x)

		var keep any
		used := allocated(func() { keep = m.NewCache(positions) })
		assert.InEpsilon(t, used, float64(got.KV), 0.02, "%+v: keys and values", x)
		assert.InDelta(t, float64(got.KV)/positions*1000, float64(got.KVPerThousand), 1)
		used = allocated(func() { keep = m.NewState(rows, rows) })
		assert.InEpsilon(t, used, float64(got.Scratch), 0.03, "%+v: buffers", x)
		goruntime.KeepAlive(keep)
	}
}

// TestPlanMemoryMixed: experts of several types count each with its own.
func TestPlanMemoryMixed(t *testing.T) {
	c, err := Shape("tiny")
	require.NoError(t, err)
	tensors := planned(&c, gguf.Q8_0)
	whole, _, err := newPlanner(PlanOptions{Config: c, Tensors: tensors, Pack: runtime.PackMemory})
	require.NoError(t, err)
	var split []gguf.TensorInfo
	for _, info := range tensors {
		if info.Name != "blk.1.ffn_gate_exps.weight" {
			split = append(split, info)
			continue
		}
		few, most := info, info
		few.Name, few.Type, few.Dims = "blk.1.ffn_gate_exps.0.weight", gguf.Q4_0, []uint64{info.Dims[0], info.Dims[1], 4}
		most.Name, most.Dims = "blk.1.ffn_gate_exps.1.weight", []uint64{info.Dims[0], info.Dims[1], info.Dims[2] - 4}
		split = append(split, few, most, gguf.TensorInfo{Name: "blk.1.ffn_gate_exps.index", Type: gguf.I32, Dims: []uint64{2, info.Dims[2]}})
	}
	mixed, _, err := newPlanner(PlanOptions{Config: c, Tensors: split, Pack: runtime.PackMemory})
	require.NoError(t, err)
	weights := uint64(4 * c.Hidden * c.ExpertFF)
	assert.Equal(t, whole.memory(32, 32).File-weights/32*(34-18), mixed.memory(32, 32).File)
}

// TestTouched: uniform choices touch as many experts as the formula of the published
// shape says, and a smaller number is that of fewer experts.
func TestTouched(t *testing.T) {
	assert.InDelta(t, 163, touchedOf(256, 8, 32), 0.5)
	assert.Zero(t, touchedOf(0, 0, 32))
	assert.EqualValues(t, 4, touchedOf(4, 4, 1))
	c, err := Shape("mini")
	require.NoError(t, err)
	tensors := planned(&c, gguf.Q4_0)
	p, because, err := newPlanner(PlanOptions{Config: c, Tensors: tensors})
	require.NoError(t, err)
	assert.EqualValues(t, measuredExperts, p.touched(32))
	assert.Contains(t, because, "measured")
	assert.Less(t, p.touched(16), 70.0)
	assert.Greater(t, p.touched(16), 45.0)
	assert.InDelta(t, 256, p.touched(256), 1)
	p, because, err = newPlanner(PlanOptions{Config: c, Tensors: tensors, Experts: 100})
	require.NoError(t, err)
	assert.EqualValues(t, 100, p.touched(32))
	assert.Contains(t, because, "asked")
	c, err = Shape("tiny")
	require.NoError(t, err)
	p, because, err = newPlanner(PlanOptions{Config: c, Tensors: planned(&c, gguf.Q4_0)})
	require.NoError(t, err)
	assert.InDelta(t, 16, p.touched(32), 0.01)
	assert.Contains(t, because, "uniform")
}

func TestSharers(t *testing.T) {
	for _, average := range []float64{1, 1.57, 3.66, 8, 100} {
		sum, mean := 0.0, 0.0
		for rows, share := range sharers(average) {
			sum += share
			mean += float64(rows) * share
		}
		assert.Zero(t, sharers(average)[0])
		assert.InDelta(t, 1, sum, 1e-6)
		assert.InEpsilon(t, average, mean, 1e-3)
	}
}

// TestGaugeRow: times between and beyond those that are measured are made of them.
func TestGaugeRow(t *testing.T) {
	g := newGauge(1, 1<<20)
	defer g.close()
	k := productKey{kernels.Q8_0, 256, 32, true, true}
	m, err := g.matrix(k)
	require.NoError(t, err)
	for n, seconds := range map[int]float64{1: 10, 2: 12, 4: 16, 5: 24, 6: 26, 8: 30, 32: 126, 256: 2000} {
		count := m.count(n, k, 1)
		g.probes[probeKey{"product", k, n, 0}] = &probe{seconds: []float64{seconds * float64(count)}}
	}
	for n, want := range map[int]float64{0: 0, 1: 10, 2: 12, 4: 16, 5: 24, 6: 26, 8: 30, 20: 78, 22: 88, 32: 126, 256: 2000, 288: 2000 + 32*1874./224} {
		got, err := g.row(k, n)
		require.NoError(t, err)
		assert.InDelta(t, want, got, 1e-6, "%d", n)
	}
}

// TestVerdict: one line says whether a model fits, and if not, what would.
func TestVerdict(t *testing.T) {
	c, err := Shape("mini")
	require.NoError(t, err)
	smaller := []Alternative{{"q6_k", planned(&c, gguf.Q6_K)}, {"q4_0", planned(&c, gguf.Q4_0)}}
	for _, x := range []struct {
		free    uint64
		typ     gguf.Type
		context int
		smaller []Alternative
		fits    bool
		want    []string
	}{
		{64e9, gguf.Q8_0, 4096, smaller, true, []string{"It fits: it takes 16.4 GiB of the 59.6 GiB"}},
		{15e9, gguf.Q8_0, 4096, smaller, false, []string{"It does not fit", "choose type q6_k, which takes 12.7 GiB", "or pack none"}},
		{12e9, gguf.Q8_0, 4096, smaller, false, []string{"choose type q4_0"}},
		{8e9, gguf.Q8_0, 4096, smaller, false, []string{"choose a smaller model", "or pack none: then some of the 4"}},
		{8e9, gguf.BF16, 4096, nil, false, []string{"choose a smaller model", ": as it is, some of the"}},
		{18e9, gguf.Q8_0, 32768, nil, false, []string{"choose a context of at most 14", "or pack none"}},
		{1e8, gguf.Q8_0, 4096, nil, false, []string{"choose a smaller model or a machine with more memory."}},
		{0, gguf.Q8_0, 4096, nil, false, []string{"It takes 16.4 GiB", "not known"}},
	} {
		p, _, err := newPlanner(PlanOptions{Config: c, Tensors: planned(&c, x.typ), Context: x.context, Pack: runtime.PackMemory, Smaller: x.smaller})
		require.NoError(t, err)
		fits, text := p.verdict(p.memory(256, 256), x.free)
		assert.Equal(t, x.fits, fits, "%+v: %s", x, text)
		for _, want := range x.want {
			assert.Contains(t, text, want)
		}
		assert.NotContains(t, text, "\n")
	}
}

// fromFile loads a file.
func fromFile(path string) Loader {
	return func(ctx context.Context, opt runtime.LoadOptions) (*runtime.Model, error) {
		return runtime.LoadContext(ctx, path, opt)
	}
}

// TestPlan: every part of the passes takes time, and they count the products and bytes
// that runtime counts.
func TestPlan(t *testing.T) {
	c, err := Shape("tiny")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, Synthesize(t.Context(), path, Synthetic{Config: c, Type: gguf.Q4_0}))
	plan, err := NewPlan(t.Context(), PlanOptions{Config: c, Tensors: planned(&c, gguf.Q4_0), Context: 128})
	require.NoError(t, err)
	for _, x := range plan.Step.Parts {
		assert.Positive(t, x.Seconds, x.Name)
	}

	m, err := runtime.Load(path, runtime.LoadOptions{})
	require.NoError(t, err)
	defer m.Close()
	s, stats := m.NewState(32, 32), make([]kernels.Stats, 32)
	part := runtime.Part{Pos: 96, Block: 32, Cache: m.NewCache(128)}
	for i := range 32 {
		part.IDs, part.Want = append(part.IDs, int32(i)), append(part.Want, i)
	}
	s.Forward(part)
	s.HeadStats(stats, m.MaskID)
	holds := func(p *PassPlan) {
		macs, bytes := 0.0, 0.0
		for _, x := range p.Parts {
			macs += x.MACs
			if x.Name != partAttention {
				bytes += x.Bytes
			}
		}
		assert.InEpsilon(t, float64(s.Cost().MACs), macs, 0.01)
		assert.InEpsilon(t, float64(s.Cost().Bytes-s.Cost().Cache), bytes, 0.01)
	}
	holds(&plan.Step)
	part.Want = part.Want[:16]
	s.Forward(part)
	s.HeadStats(stats[:16], m.MaskID)
	holds(&plan.StepHalf)

	check, err := plan.Check(t.Context(), fromFile(path), nil)
	require.NoError(t, err)
	assert.Positive(t, check.Step.Measured)
	assert.Equal(t, plan.Step.Seconds, check.Step.Predicted)
	assert.InDelta(t, check.Step.Predicted/check.Step.Measured-1, check.Step.Error, 1e-9)
	assert.Positive(t, check.Experts)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = NewPlan(ctx, PlanOptions{Config: c, Tensors: planned(&c, gguf.Q4_0)})
	require.ErrorIs(t, err, context.Canceled)
	_, err = plan.Check(ctx, fromFile(path), nil)
	require.ErrorIs(t, err, context.Canceled)
}

// TestPlanSynthetic: the random model is like the planned one, if there is one.
func TestPlanSynthetic(t *testing.T) {
	c, err := Shape("mini")
	require.NoError(t, err)
	for experts, touched := range map[float64]float64{0: measuredExperts, 100: 100, 163: 0} {
		p, _, err := newPlanner(PlanOptions{Config: c, Tensors: planned(&c, gguf.Q6_K), Experts: experts})
		require.NoError(t, err)
		x, err := (&Plan{planner: p}).Synthetic()
		require.NoError(t, err)
		assert.Equal(t, c, x.Config)
		assert.Equal(t, gguf.Q6_K, x.Type)
		assert.Equal(t, touched, x.Touched)
	}
	tensors := planned(&c, gguf.Q6_K)
	tensors[len(tensors)-1].Type = gguf.Q4_0
	p, _, err := newPlanner(PlanOptions{Config: c, Tensors: tensors})
	require.NoError(t, err)
	_, err = (&Plan{planner: p}).Synthetic()
	require.ErrorIs(t, err, ErrPlan)
}

func TestPlanErrors(t *testing.T) {
	c, err := Shape("tiny")
	require.NoError(t, err)
	tensors, other := planned(&c, gguf.Q4_0), planned(&c, gguf.Q4_0)
	other[0].Dims = []uint64{other[0].Dims[0], 7}
	for name, x := range map[string]struct {
		opt  PlanOptions
		want string
	}{
		"context": {PlanOptions{Config: c, Tensors: tensors, Context: 5000}, "room for 2048"},
		"short":   {PlanOptions{Config: c, Tensors: tensors, Context: 8}, "a step needs 32"},
		"experts": {PlanOptions{Config: c, Tensors: tensors, Experts: 17}, "17 experts touched"},
		"few":     {PlanOptions{Config: c, Tensors: tensors, Experts: 2}, "2 experts touched"},
		"absent":  {PlanOptions{Config: c, Tensors: tensors[1:]}, "token_embd.weight"},
		"shape":   {PlanOptions{Config: c, Tensors: other}, "token_embd.weight"},
		"unknown": {PlanOptions{Config: c, Tensors: planned(&c, gguf.I32)}, "cannot be computed with"},
	} {
		_, err := NewPlan(t.Context(), x.opt)
		require.ErrorContains(t, err, x.want, name)
	}
}

// TestPlanCheck: the time of a step and the memory are as planned, for models of
// several shapes and types of 1 to 2 GB. It is for a machine that nobody else uses:
//
//	LLADA_TEST_FULL=1 go test ./bench -run TestPlanCheck -v
func TestPlanCheck(t *testing.T) {
	if os.Getenv("LLADA_TEST_FULL") == "" {
		t.Skip("writes 5 GB, and needs a quiet machine; set LLADA_TEST_FULL")
	}
	for _, x := range []struct {
		name    string
		change  func(*arch.Config)
		typ     gguf.Type
		context int
	}{
		{"mini, 4 layers", func(c *arch.Config) { c.Layers = 4 }, gguf.Q4_0, 576},
		{"wider", func(c *arch.Config) { c.Layers, c.Hidden, c.Heads, c.Vocab, c.Experts = 3, 3072, 24, 65536, 128 }, gguf.Q8_0, 1024},
		{"smaller", func(c *arch.Config) {
			c.Layers, c.Hidden, c.Heads, c.Vocab, c.ExpertFF, c.SharedFF, c.DenseFF = 6, 1024, 8, 32768, 256, 256, 2560
		}, gguf.Q4_K, 2048},
	} {
		t.Run(x.name, func(t *testing.T) {
			c, err := Shape("mini")
			require.NoError(t, err)
			x.change(&c)
			plan, err := NewPlan(t.Context(), PlanOptions{
				Config: c, Tensors: planned(&c, x.typ), Context: x.context,
			})
			require.NoError(t, err)
			random, err := plan.Synthetic()
			require.NoError(t, err)
			check, err := plan.Check(t.Context(), func(ctx context.Context, opt runtime.LoadOptions) (*runtime.Model, error) {
				return LoadSynthetic(ctx, t.TempDir(), random, opt)
			}, nil)
			require.NoError(t, err)
			t.Logf("%+v; disturbed: %q", *check, plan.Warnings)
			// Note: whether a step takes as long as predicted depends on who else uses
			// the machine, so that is only shown; memory does not.
			assert.Less(t, math.Abs(check.Memory.Error), 0.05, "memory")
		})
	}
}
