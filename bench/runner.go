package bench

import (
	"context"
	"errors"
	"maps"
	goruntime "runtime"
	"slices"
	"time"

	"lladakit/kernels"
	"lladakit/reports"
	"lladakit/runtime"
)

// Options say what to measure.
type Options struct {
	Models    []Source
	Scenarios []Scenario // of every model
	External  []string   // command lines of other programs, see Words

	Repetitions int // 0: DefaultRepetitions

	// Burst is how long forwards are repeated in one repetition of a test of single
	// forwards, whose time is then their mean. 0: DefaultBurst.
	Burst time.Duration

	// Interleave makes the repetitions of all tests, of all models, take turns, so that
	// what disturbs the machine for a while disturbs all of them alike. All models are
	// then loaded at once.
	Interleave bool

	Pack runtime.Pack // as of runtime.LoadOptions
	KV   runtime.KV

	Program reports.Program // for the result; its kernels and version of Go are filled in
	Command []string

	// Progress, if not nil, is called before every repetition, warm-ups included, with
	// how many are done and of how many, and what comes next. Loading is called from
	// time to time while a model is loaded, with bytes.
	Progress func(done, total int, next string)
	Loading  func(model string, done, total int64)
}

const (
	// DefaultRepetitions is llama-bench's.
	DefaultRepetitions = 5
	// DefaultBurst is long beside what a cache needs to warm up, and short beside
	// what disturbs a machine.
	DefaultBurst = 200 * time.Millisecond
)

// trial is one test of one model or program, ready to be repeated.
type trial struct {
	row     reports.Test
	kind    Kind
	bed     *bed // nil for programs
	threads int
	begin   func(context.Context) error // makes everything ready; called once
	repeat  func(context.Context, *tally) error
	program *external
	tally   tally
	failed  error
}

// run is a benchmark in progress.
type run struct {
	opt    *Options
	result *reports.Bench
	trials []*trial
	meters map[int]*Meter // by number of threads
	done   int            // repetitions
}

// Run measures. Test by test: everything is made ready, the test runs once as a
// warm-up that does not count, and then the repetitions, with samples of the machine's
// limits between them. A test that fails ends there, with its error in its row, and
// the others go on.
//
// When ctx ends, Run returns what was done, which has Interrupted set, with its error.
// A repetition that was cut off does not count, and a test without any has no row.
func Run(ctx context.Context, opt Options) (*reports.Bench, error) {
	if opt.Repetitions == 0 {
		opt.Repetitions = DefaultRepetitions
	}
	if opt.Burst == 0 {
		opt.Burst = DefaultBurst
	}
	r := &run{opt: &opt, meters: map[int]*Meter{}}
	if err := r.plan(); err != nil {
		return nil, err
	}
	opt.Program.Go, opt.Program.Kernels = goruntime.Version(), kernels.Implementation()
	r.result = &reports.Bench{
		Version: reports.BenchVersion, Program: opt.Program, Machine: ThisMachine(), Limits: []reports.Limits{},
		Command: opt.Command, Started: time.Now().UTC(), Interleave: opt.Interleave,
		Asked: len(r.trials), Repetitions: opt.Repetitions, Tests: []reports.Test{},
	}
	defer r.close()
	var err error
	if opt.Interleave {
		err = r.turns(ctx, r.trials)
	} else {
		for i, t := range r.trials {
			if err = r.turns(ctx, r.trials[i:i+1]); err != nil {
				break
			}
			t.repeat, t.begin = nil, nil // with its buffers
			if i+1 == len(r.trials) || r.trials[i+1].bed != t.bed {
				if err = t.close(); err != nil {
					break
				}
			}
		}
	}
	r.finish()
	r.result.Interrupted = err != nil && ctx.Err() != nil
	return r.result, err
}

// plan lists the trials, and checks what can be checked before any work.
func (r *run) plan() error {
	var beds []*bed
	for _, source := range r.opt.Models {
		b, err := newBed(source, r.opt.Scenarios)
		if err != nil {
			return err
		}
		b.keep = r.opt.Interleave
		beds = append(beds, b)
		for _, s := range b.scenarios {
			r.trials = append(r.trials, r.newTrial(b, s))
		}
	}
	for _, line := range r.opt.External {
		x, err := newExternal(line)
		if err != nil {
			return err
		}
		t := &trial{kind: Process, program: x, repeat: x.run, begin: func(context.Context) error { return nil }}
		t.row = reports.Test{Name: line, Kind: string(Process), Process: &reports.Process{Command: line}}
		r.trials = append(r.trials, t)
	}
	if len(r.trials) == 0 {
		return errors.New("there is nothing to measure")
	}
	if r.opt.Interleave {
		return checkRoom(beds)
	}
	return nil
}

// newTrial returns the trial of a scenario.
func (r *run) newTrial(b *bed, s Scenario) *trial {
	t := &trial{kind: s.Kind, bed: b, threads: s.Threads}
	if t.threads == 0 {
		t.threads = goruntime.GOMAXPROCS(0)
	}
	t.row = reports.Test{
		Name: s.Name(), Kind: string(s.Kind), Model: b.source.Name, Size: b.size, Params: b.params,
		Threads: t.threads, Depth: s.Depth, Block: s.Block, Profile: string(runtime.Exact), Class: string(runtime.ClassExact),
	}
	t.begin = func(ctx context.Context) error {
		m, err := b.load(ctx, r.opt, t.threads)
		if err != nil {
			return err
		}
		t.describe(m, s)
		t.repeat, err = b.repeat(ctx, m, s, r.opt.Burst)
		return err
	}
	return t
}

// describe completes the row of a trial whose model is loaded.
func (t *trial) describe(m *runtime.Model, s Scenario) {
	row := &t.row
	row.Type, row.Pack, row.SHA256 = t.bed.typeName(), string(m.Packed), t.bed.sha256
	row.Warnings = append(row.Warnings, larger(m)...)
	row.TypeK, row.TypeV = string(m.KV), string(m.KV)
	switch s.Kind {
	case Prefill:
		row.Prompt = s.Tokens
	case Block, Gen:
		o := s.options(m)
		row.Gen, row.Steps, row.Threshold = o.GenLength, o.Steps, float64(o.Threshold)
		row.Schedule, row.Policy, row.Profile, row.Class = s.schedule(&o), s.policy(), string(o.Profile), string(o.Class())
	}
}

// turns runs trials, whose repetitions take turns.
func (r *run) turns(ctx context.Context, trials []*trial) error {
	warnings, watch := &r.result.Machine.Warnings, NewWatch()
	if len(trials) == 1 {
		warnings = &trials[0].row.Warnings
	}
	defer func() { *warnings = append(*warnings, watch.Warnings()...) }() // of an interrupted run, too
	for turn := range r.opt.Repetitions + 1 {
		for _, t := range trials {
			if err := r.turn(ctx, t, turn == 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// turn runs one repetition of a trial, or its warm-up. An error is ctx's, or one after
// which nothing can go on.
func (r *run) turn(ctx context.Context, t *trial, warmup bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.opt.Progress != nil {
		r.opt.Progress(r.done, len(r.trials)*(r.opt.Repetitions+1), t.row.Name)
	}
	r.done++
	if t.failed != nil {
		return nil
	}
	var once tally
	if warmup {
		t.row.Time = time.Now().UTC().Format("2006-01-02T15:04:05Z")
		if t.failed = t.begin(ctx); t.failed == nil {
			t.failed = t.repeat(ctx, new(tally))
		}
		if t.program != nil {
			t.program.user, t.program.system = 0, 0
		}
		goruntime.GC() // now, and not in a repetition
		return t.fatal(ctx)
	}
	if t.bed != nil {
		meter := r.meters[t.threads]
		if meter == nil {
			meter = NewMeter(t.threads)
			r.meters[t.threads] = meter
		}
		meter.Sample()
	}
	if t.failed = t.repeat(ctx, &once); t.failed == nil {
		t.tally.add(&once)
	}
	return t.fatal(ctx)
}

// fatal returns the error of a trial that ends all: settings that a model cannot have, a
// model that cannot be loaded, and ctx's.
func (t *trial) fatal(ctx context.Context) error {
	if ctx.Err() != nil {
		t.failed = nil
		return ctx.Err()
	}
	var setting *SettingError
	if errors.As(t.failed, &setting) || t.failed != nil && t.bed != nil && t.bed.m == nil {
		return t.failed
	}
	return nil
}

// finish writes the rows, and the limits of all samples.
func (r *run) finish() {
	for _, threads := range slices.Sorted(maps.Keys(r.meters)) {
		r.result.Limits = append(r.result.Limits, r.meters[threads].Limits())
	}
	for _, t := range r.trials {
		if len(t.tally.took) == 0 && t.failed == nil {
			continue // it was not begun, or cut off
		}
		var limits reports.Limits
		if meter := r.meters[t.threads]; meter != nil {
			limits = meter.Limits()
		}
		row := t.row
		row.BuildCommit, row.CPUInfo, row.Backends = r.opt.Program.Commit, r.result.Machine.CPU, "CPU"
		row.SamplesNS, row.SamplesTS = []uint64{}, []float64{}
		if len(t.tally.took) > 0 {
			t.tally.fill(&row, t.kind, limits)
		}
		if t.failed != nil {
			row.Error = t.failed.Error()
		}
		if x := t.program; x != nil && len(t.tally.took) > 0 {
			n := float64(len(t.tally.took))
			row.Process.UserNS, row.Process.SystemNS = float64(x.user.Nanoseconds())/n, float64(x.system.Nanoseconds())/n
			row.Process.Memory = uint64(x.memory)
		}
		r.result.Tests = append(r.result.Tests, row)
	}
}

// close gives models and memory back.
func (r *run) close() {
	for _, t := range r.trials {
		t.close()
	}
	for _, m := range r.meters {
		m.Close()
	}
}

func (t *trial) close() error {
	if t.bed == nil {
		return nil
	}
	return t.bed.close()
}
