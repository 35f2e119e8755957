package eval

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"lladakit/datasets"
	"lladakit/eval/sandbox"
	"lladakit/reports"
)

// Executor runs programs. A sandbox.Sandbox is one.
type Executor interface {
	Run(ctx context.Context, p sandbox.Program) (sandbox.Verdict, error)
}

// Options say what is asked, and of whom.
type Options struct {
	Tasks     []*Task
	Data      map[string]*datasets.Data // by the names that tasks have for them, Support included
	Generator Generator
	Executor  Executor // for tasks with code; nil if there are none

	// Dir is the folder that keeps the run, or "": then nothing is kept.
	Dir string

	// Resume goes on with the run that Dir has, and adds tasks that it did not have. What
	// its samples depend on must be the same. Without a run there, one begins.
	Resume bool

	Limit     int    // documents of each data set, see Subset; 0: all
	Shard     Shard  // the part of them that this run asks; zero: all
	Repeats   int    // answers to each prompt; 0: 1
	Seed      uint64 // that seeds of samples are made of; no effect at temperature 0
	GenLength int    // most tokens of an answer; 0: what each task is made for
	Judges    int    // programs that run at once; 0: 1

	// Progress, if not nil, is told of every sample. Calls do not overlap.
	Progress func(Progress)

	// What the result says of itself.
	Program reports.Program
	Machine reports.Machine
	Threads int // that answer; 0 for an endpoint
	Command []string
	Sandbox *reports.EvalSandbox // what Executor is; nil if no code is run
	K       []int                // of pass@k
}

// MostRepeats bounds Options.Repeats, and what a slip of the finger can ask for.
const MostRepeats = 10_000

// Run asks, judges, and keeps what comes out. When ctx ends, or something fails that is not
// about a single answer, the result of what there is comes with the error, and the folder
// can be resumed.
//
// Results depend on neither the order in which answers come nor on interruptions: two runs
// with the same options differ in times alone.
func Run(ctx context.Context, opt Options) (*reports.Eval, []reports.Sample, error) {
	if err := opt.fill(); err != nil {
		return nil, nil, err
	}
	p, err := newPlan(&opt)
	if err != nil {
		return nil, nil, err
	}
	if opt.Dir == "" {
		if opt.Dir, err = os.MkdirTemp("", "llada-eval-"); err != nil {
			return nil, nil, err
		}
		defer os.RemoveAll(opt.Dir)
	}
	f, err := openFolder(opt.Dir, &p.manifest, circumstances{opt.Program, opt.Machine.CPU, p.manifest.Model.Endpoint, opt.Sandbox}, opt.Resume)
	if err != nil {
		return nil, nil, err
	}
	defer f.close()
	w, err := newWork(&opt, p, f.samples)
	if err != nil {
		return nil, nil, err
	}
	failed := w.run(ctx)
	list := f.samples.sorted(f.manifest)
	e := opt.result(f.manifest, list)
	return e, list, errors.Join(failed, f.finish(e))
}

// Preview returns the result that Run begins with, without samples: what of which data is to
// be asked, and how often.
func Preview(opt Options) (*reports.Eval, error) {
	if err := opt.fill(); err != nil {
		return nil, err
	}
	p, err := newPlan(&opt)
	if err != nil {
		return nil, err
	}
	return p.manifest.eval(), nil
}

// fill checks options and fills in what is 0.
func (o *Options) fill() error {
	if o.Repeats == 0 {
		o.Repeats = 1
	}
	if o.Judges == 0 {
		o.Judges = 1
	}
	const mostLength = 1 << 20
	switch {
	case len(o.Tasks) == 0:
		return errors.New("no task is named")
	case o.Generator == nil:
		return errors.New("nothing answers: there is no generator")
	case o.Limit < 0:
		return fmt.Errorf("a limit of %d documents has no meaning", o.Limit)
	case o.Repeats < 1 || o.Repeats > MostRepeats:
		return fmt.Errorf("%d repeats are not between 1 and %d", o.Repeats, MostRepeats)
	case o.GenLength < 0 || o.GenLength > mostLength:
		return fmt.Errorf("a generation length of %d is not between 1 and %d", o.GenLength, mostLength)
	case o.Judges < 1:
		return fmt.Errorf("%d programs at once have no meaning", o.Judges)
	}
	for _, t := range o.Tasks {
		if t.Form != datasets.GSM8K && o.Executor == nil {
			return fmt.Errorf("task %s runs code: %w", t.Name, sandbox.ErrUnavailable)
		}
	}
	return o.Shard.check()
}

// asking returns the task whose prompts are asked for a task.
func (o *Options) asking(t *Task) (*Task, error) {
	if t.Answers == "" {
		return t, nil
	}
	for _, other := range o.Tasks {
		if other.Name == t.Answers {
			return other, nil
		}
	}
	return Find(t.Answers)
}

// result returns what the samples come to.
func (o *Options) result(m *manifest, list []reports.Sample) *reports.Eval {
	e := m.eval()
	e.Program, e.Machine, e.Threads, e.Command, e.Sandbox = o.Program, o.Machine, o.Threads, o.Command, o.Sandbox
	e.Interrupted, e.PassK = m.missing(list) > 0, o.K
	reports.Summarise(e, list)
	return e
}

// milliseconds of a duration.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
