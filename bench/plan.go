package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	goruntime "runtime"
	"time"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/internal/mmap"
	"lladakit/reports"
	"lladakit/runtime"
)

// PlanOptions say what is planned: a model by its numbers and tensors, which need not
// be anywhere, and how it would be run.
type PlanOptions struct {
	Config  arch.Config
	Tensors []gguf.TensorInfo

	Threads int          // workers; 0 means one per processor
	Pack    runtime.Pack // "": what loading would choose
	KV      runtime.KV   // "": what loading would choose
	Context int          // positions of a sequence; 0: 4096, or the model's if that is less
	Rows    int          // of a step; 0: the model's block length

	// Experts is how many of a layer a step's rows touch. 0: as many as were measured
	// with the published models, or else as many as if routing were uniform.
	Experts float64

	// Smaller are ways to make the model smaller, the largest first.
	Smaller []Alternative
}

// Alternative is another type for the same model.
type Alternative struct {
	Type    string
	Tensors []gguf.TensorInfo
}

// Plan says what a model would take on this machine.
type Plan struct {
	Threads        int            `json:"threads"`
	Pack           runtime.Pack   `json:"pack"`
	KV             string         `json:"kv_type"`
	Context        int            `json:"context"`
	Rows           int            `json:"rows"`
	Experts        float64        `json:"experts_touched"`
	ExpertsBecause string         `json:"experts_because"` // why so many
	Memory         PlanMemory     `json:"memory"`
	Available      uint64         `json:"available"` // bytes; 0: not known
	Fits           bool           `json:"fits"`
	Verdict        string         `json:"verdict"`
	Limits         reports.Limits `json:"limits"`
	Prefill        PassPlan       `json:"prefill"`   // of PlanPrompt positions
	Step           PassPlan       `json:"step"`      // with logits of all rows
	StepHalf       PassPlan       `json:"step_half"` // with logits of half of them
	Warnings       []string       `json:"warnings"`  // what disturbed the measurement, and the check

	planner *planner
}

// ErrPlan is returned, wrapped, for options that do not go with the model.
var ErrPlan = errors.New("not possible with this model")

// PlanPrompt is how many positions the prefill that is predicted has.
const PlanPrompt = 512

// PassPlan is what passes are predicted to take.
type PassPlan struct {
	Seconds float64    `json:"seconds"`
	Parts   []PartPlan `json:"parts"`
}

// PartPlan is one part of them.
type PartPlan struct {
	Name    string  `json:"name"`
	MACs    float64 `json:"macs"`
	Bytes   float64 `json:"bytes"` // of weights, or of keys and values
	Seconds float64 `json:"seconds"`
}

// planner knows what options left open.
type planner struct {
	PlanOptions
	roles []planRole
	by    map[arch.Role]map[int]*planRole // and layer

	// spread is among how many experts uniform choices would touch as many as the
	// step's rows do.
	spread float64
}

// measuredExperts is how many experts of a layer the 32 rows of a step touch in
// LLaDA2.0-mini, which like its larger sister chooses 8 of 256; uniform choices would
// touch 163.
const measuredExperts = 70

// newPlanner fills in what options leave open, and says why experts are so many.
func newPlanner(opt PlanOptions) (*planner, string, error) {
	c := &opt.Config
	if opt.Threads <= 0 {
		opt.Threads = goruntime.GOMAXPROCS(0)
	}
	if opt.Rows <= 0 {
		opt.Rows = c.BlockLength
	}
	if opt.Context <= 0 {
		opt.Context = min(4096, c.Context)
	}
	if opt.Context < opt.Rows || opt.Context > c.Context {
		return nil, "", fmt.Errorf("%w: a context of %d positions: it has room for %d, and a step needs %d", ErrPlan, opt.Context, c.Context, opt.Rows)
	}
	// What no layer has takes nothing.
	if c.DenseLayers == 0 {
		c.DenseFF = 0
	}
	if c.DenseLayers >= c.Layers {
		c.Experts, c.ExpertsUsed, c.ExpertFF, c.Shared, c.SharedFF = 0, 0, 0, 0, 0
	}
	p := &planner{PlanOptions: opt, roles: planRoles(c, opt.Tensors), by: map[arch.Role]map[int]*planRole{}}
	for i := range p.roles {
		r := &p.roles[i]
		if p.by[r.Role] == nil {
			p.by[r.Role] = map[int]*planRole{}
		}
		p.by[r.Role][r.Layer] = r
	}
	for _, t := range c.Tensors() {
		if p.by[t.Role][t.Layer] == nil && !t.Optional {
			return nil, "", fmt.Errorf("tensor %q is missing, or of a size that does not go with the model or a type that cannot be computed with", t.GGUF)
		}
	}
	because := "as uniform routing would"
	uniform := touchedOf(float64(c.Experts), c.ExpertsUsed, float64(p.Rows))
	switch most := math.Min(float64(c.Experts), float64(p.Rows*c.ExpertsUsed)); {
	case p.Experts < 0 || p.Experts > 0 && (p.Experts > most || p.Experts < float64(c.ExpertsUsed)):
		return nil, "", fmt.Errorf("%w: %g experts touched: %d rows touch between %d and %g", ErrPlan, p.Experts, p.Rows, c.ExpertsUsed, most)
	case p.Experts > 0:
		because = "as asked for"
	case c.Experts == 256 && c.ExpertsUsed == 8 && p.Rows == 32:
		p.Experts, because = measuredExperts, "as measured on LLaDA2.0-mini"
	default:
		p.Experts = uniform
	}
	p.spread = float64(c.Experts)
	if p.Experts < uniform {
		lo, hi := float64(c.ExpertsUsed), p.spread
		for range 50 {
			p.spread = (lo + hi) / 2
			if touchedOf(p.spread, c.ExpertsUsed, float64(p.Rows)) < p.Experts {
				lo = p.spread
			} else {
				hi = p.spread
			}
		}
	}
	return p, because, nil
}

// most is how many rows passes have at most: of a prompt, or of a block that becomes
// final and the next one's first step.
func (p *planner) most() int {
	return max(2*p.Rows, min(runtime.PrefillRows(p.Config.BlockLength), p.Context))
}

// touchedOf returns how many of some experts rows touch on average that choose used of
// them each, all equally often.
func touchedOf(experts float64, used int, rows float64) float64 {
	if experts <= 0 {
		return 0
	}
	return experts * (1 - math.Pow(1-math.Min(1, float64(used)/experts), rows))
}

// touched returns how many experts of a layer rows touch: rows of one step as many as
// the options say, and more rows, whose texts differ, as many as if they chose equally
// often among all.
func (p *planner) touched(rows int) float64 {
	switch {
	case rows == p.Rows:
		return p.Experts
	case rows < p.Rows:
		return touchedOf(p.spread, p.Config.ExpertsUsed, float64(rows))
	}
	return touchedOf(float64(p.Config.Experts), p.Config.ExpertsUsed, float64(rows))
}

// NewPlan measures the machine for some seconds and predicts.
func NewPlan(ctx context.Context, opt PlanOptions) (*Plan, error) {
	p, because, err := newPlanner(opt)
	if err != nil {
		return nil, err
	}
	rows := p.most()
	available := mmap.Available()
	if p.Pack == "" {
		// As runtime.Load chooses.
		p.Pack = runtime.PackMemory
		if m := p.memory(rows, rows); m.Packed == 0 || available > 0 && m.Packed > available/10*9 {
			p.Pack = runtime.PackNone
		}
	}
	plan := &Plan{
		Threads: p.Threads, Pack: p.Pack, KV: gguf.Type(p.kv()).String(), Context: p.Context, Rows: p.Rows,
		Experts: p.Experts, ExpertsBecause: because, Available: available, planner: p,
		Memory: p.memory(rows, rows),
	}
	plan.Fits, plan.Verdict = p.verdict(plan.Memory, available)

	if err := plan.predict(ctx); err != nil {
		return nil, err
	}
	return plan, nil
}

// gaugeTime is how long the machine is measured.
const gaugeTime = 2500 * time.Millisecond

// predict measures the machine and says what passes take.
func (plan *Plan) predict(ctx context.Context) error {
	p, watch := plan.planner, NewWatch()
	// The weights of a kind are not in the caches when they are used again.
	s := system{"/", affinity()}
	size := uint64(48 << 20)
	if len(s.cpus) > 0 {
		size = max(size, min(2*s.cacheBytes(s.cpus[0]), 256<<20))
	}
	g := newGauge(p.Threads, max(1<<20, min(size, plan.Memory.File)))
	defer g.close()
	ask := func() (err error) {
		spans := []span{{p.Rows, p.Context - p.Rows}}
		if plan.Step, err = p.pass(g, spans, p.Rows); err != nil {
			return err
		}
		if plan.StepHalf, err = p.pass(g, spans, max(1, p.Rows/2)); err != nil {
			return err
		}
		plan.Prefill, err = p.prefill(g)
		return err
	}
	if err := ask(); err != nil {
		return err
	}
	meter := NewMeter(p.Threads)
	defer meter.Close()
	const parts = 4
	for range parts {
		meter.Sample()
		if err := g.measure(ctx, gaugeTime/parts); err != nil {
			return err
		}
	}
	if err := ask(); err != nil {
		return err
	}
	plan.Limits = meter.Limits()
	for _, x := range []*PassPlan{&plan.Prefill, &plan.Step, &plan.StepHalf} {
		x.finish(plan.Limits)
	}
	plan.Warnings = watch.Warnings()
	return nil
}

// finish holds every part against the bandwidth, and adds up.
func (x *PassPlan) finish(limits reports.Limits) {
	x.Seconds = 0
	for i := range x.Parts {
		t := &x.Parts[i]
		if limits.Memory > 0 && t.Name != partAttention {
			t.Seconds = math.Max(t.Seconds, t.Bytes/limits.Memory/1e9)
		}
		x.Seconds += t.Seconds
	}
}

// verdict says in one line whether a model fits, and what to choose if not.
func (p *planner) verdict(m PlanMemory, available uint64) (fits bool, text string) {
	takes := max(m.Total, m.Loading)
	switch {
	case available == 0:
		return false, fmt.Sprintf("It takes %s; how much memory is free is not known here.", bytesText(takes))
	case takes <= available:
		return true, fmt.Sprintf("It fits: it takes %s of the %s that are free.", bytesText(takes), bytesText(available))
	}
	choose := "a smaller model or a machine with more memory"
	if position := m.KVPerThousand; m.Total-m.KV < available && m.Loading <= available && position > 0 {
		if room := int((available - (m.Total - m.KV)) * 1000 / position); room >= 2*p.Rows {
			choose = fmt.Sprintf("a context of at most %d positions", room)
		}
	}
	for _, x := range p.Smaller {
		q := *p
		q.roles = planRoles(&p.Config, x.Tensors)
		if s := q.memory(p.most(), p.most()); max(s.Total, s.Loading) <= available {
			choose = fmt.Sprintf("type %s, which takes %s", x.Type, bytesText(max(s.Total, s.Loading)))
			break
		}
	}
	text = fmt.Sprintf("It does not fit: it takes %s and %s are free; choose %s", bytesText(takes), bytesText(available), choose)
	touched := bytesText(m.WorkingSet)
	switch own := m.Total - m.Loaded + m.Vectors; {
	case own > available: // not even without the weights
		return false, text + "."
	case m.Packed > 0:
		return false, fmt.Sprintf("%s, or pack none: then some of the %s that a step touches comes from the disk again and again, which is slow.", text, touched)
	}
	return false, fmt.Sprintf("%s: as it is, some of the %s that a step touches comes from the disk again and again, which is slow.", text, touched)
}

// bytesText formats a number of bytes.
func bytesText(n uint64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
}
