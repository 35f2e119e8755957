package bench

import (
	"context"
	"fmt"
	"math"
	goruntime "runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/runtime"
)

// PlanCheck holds a plan against the model.
type PlanCheck struct {
	Step     Checked `json:"step"`
	StepHalf Checked `json:"step_half"`
	Prefill  Checked `json:"prefill"`
	Memory   Checked `json:"memory"` // bytes in use after these; zero where the system does not tell

	Experts float64 `json:"experts_touched"` // of a layer, on average, by the step
}

// Checked is something predicted, and what it was.
type Checked struct {
	Predicted float64 `json:"predicted"`
	Measured  float64 `json:"measured"`
	Error     float64 `json:"error"` // of the prediction, as a share of what was measured
}

func checked(predicted, measured float64) Checked {
	c := Checked{Predicted: predicted, Measured: measured}
	if measured > 0 {
		c.Error = predicted/measured - 1
	}
	return c
}

// A pass is timed for about this long, so many times at least and at most, and the
// fastest counts.
const (
	checkTime  = 2 * time.Second
	leastTimes = 5
	mostTimes  = 100
)

// Loader loads a model: runtime.LoadContext with a file, or LoadSynthetic.
type Loader func(context.Context, runtime.LoadOptions) (*runtime.Model, error)

// Synthetic returns a random model like the planned one, for LoadSynthetic.
func (plan *Plan) Synthetic() (x Synthetic, err error) {
	p := plan.planner
	x = Synthetic{Config: p.Config, Seed: 1}
	if uniform := touchedOf(float64(p.Config.Experts), p.Config.ExpertsUsed, float64(p.Rows)); p.Experts < 0.95*uniform {
		x.Touched = p.Experts
	}
	x.Type = gguf.Type(p.by[arch.AttnQKV][0].types[0].typ)
	for i := range p.roles {
		for _, t := range p.roles[i].types {
			if !p.roles[i].Exact() && gguf.Type(t.typ) != x.Type {
				return x, fmt.Errorf("%w: random models have one type, and this has %s and %s", ErrPlan, x.Type, gguf.Type(t.typ))
			}
		}
	}
	return x, x.Check()
}

// Check loads the model that was planned, and computes what was predicted.
// Texts have no meaning, and at the step's depth the cache holds zeros: no time depends
// on that.
func (plan *Plan) Check(ctx context.Context, load Loader, progress func(done, total int64)) (*PlanCheck, error) {
	p, watch := plan.planner, NewWatch()
	debug.FreeOSMemory()
	before := resident("/")
	m, err := load(ctx, runtime.LoadOptions{Threads: p.Threads, Pack: p.Pack, KV: p.KV, Progress: progress})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	s, cache := m.NewState(p.most(), p.most()), m.NewCache(p.Context)
	// Their embeddings lie together: what a text uses of the others is not certain.
	ids := make([]int32, max(PlanPrompt, p.Rows))
	for i := range ids {
		ids[i] = int32(i % m.Config.Vocab)
	}
	prefill := func() {
		rows := runtime.PrefillRows(m.Config.BlockLength)
		for at := 0; at < PlanPrompt; at += rows {
			s.Forward(runtime.Part{IDs: ids[at:min(at+rows, PlanPrompt)], Pos: at, Block: m.Config.BlockLength, Cache: cache})
		}
	}
	step := func(want int) func() {
		stats := make([]kernels.Stats, want)
		part := runtime.Part{IDs: ids[:p.Rows], Pos: p.Context - p.Rows, Block: m.Config.BlockLength, Cache: cache}
		for i := range want {
			part.Want = append(part.Want, i*p.Rows/want)
		}
		return func() {
			s.Forward(part)
			s.HeadStats(stats, m.MaskID)
		}
	}
	out := &PlanCheck{}
	times := func(f func()) (float64, runtime.Cost) {
		best, cost := math.Inf(1), runtime.Cost{}
		start := time.Now()
		for n := 0; n < leastTimes || n < mostTimes && time.Since(start) < checkTime; n++ {
			if err = ctx.Err(); err != nil {
				break
			}
			begun := time.Now()
			f()
			if took := time.Since(begun).Seconds(); took < best {
				best, cost = took, s.Cost()
			}
		}
		return best, cost
	}
	seconds, cost := times(step(p.Rows))
	out.Step = checked(plan.Step.Seconds, seconds)
	layers := 0
	for _, n := range cost.Experts {
		out.Experts += float64(n)
		if n > 0 {
			layers++
		}
	}
	out.Experts /= float64(max(1, layers))
	seconds, _ = times(step(max(1, p.Rows/2)))
	out.StepHalf = checked(plan.StepHalf.Seconds, seconds)
	if p.Context >= PlanPrompt {
		seconds, _ = times(prefill)
		out.Prefill = checked(plan.Prefill.Seconds, seconds)
	}
	if err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	if after := resident("/"); after > before && before > 0 {
		// Of the cache, the prompt and the step have been written.
		used := min(p.Context, PlanPrompt+p.Rows)
		if p.Context < PlanPrompt {
			used = p.Rows
		}
		predicted := plan.Memory.Loaded - p.embedding() + plan.Memory.Scratch + plan.Memory.KVPerThousand*uint64(used)/1000
		out.Memory = checked(float64(predicted), float64(after-before))
	}
	goruntime.KeepAlive(s)
	goruntime.KeepAlive(cache)
	for _, w := range watch.Warnings() {
		if !slices.Contains(plan.Warnings, w) {
			plan.Warnings = append(plan.Warnings, w)
		}
	}
	return out, nil
}

// embedding returns the size of the tokens' embeddings.
func (p *planner) embedding() uint64 {
	r := p.by[arch.TokenEmbedding][-1]
	return r.bytes(r.types[0].typ)
}

// resident returns the bytes of memory that the process has in use, mapped files
// included; 0 where the system does not tell.
func resident(root string) (sum uint64) {
	s := system{root: root}
	status := s.table("proc/self/status", ":")
	for _, key := range []string{"RssAnon", "RssFile", "RssShmem"} {
		text, _ := strings.CutSuffix(status[key], " kB")
		kib, err := strconv.ParseUint(text, 10, 53)
		if err != nil {
			return 0
		}
		sum += kib << 10
	}
	return sum
}
