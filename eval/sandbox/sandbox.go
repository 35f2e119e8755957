// Package sandbox runs Python programs that a model wrote, and believes nothing that they say.
//
// A program passes if it ran to its end. The proof is a random token: a driver of ours in
// the same interpreter executes the source as a module named program, and only when that
// returned reads the token from one pipe and writes it to another. To print "passed", to
// exit with 0, to replace builtins, to leave threads and exit handlers proves nothing.
//
// Note: a source that looks for the pipes (a walk over open files or frames) can read the
// token early and pass without a right answer. That harms the benchmark, not the machine;
// no interpreter can keep a secret from code that it runs.
//
// Tiers A and B end in the same way: a copy of this program restricts itself and becomes
// the interpreter. A system call filter with a list of what is allowed denies sockets, new
// processes, signals to others and all that a plain program does not need. So a program is
// one process, and to kill it is to kill all of it.
//
//   - A has namespaces of its own: no other process, no network, and of files only the
//     interpreter and its libraries, read-only, and a /tmp of 16 MiB in memory. It has at
//     most 64 threads (one if it runs as root). It is the first process there, so signals
//     that it sends to itself do nothing unless it handles them.
//   - B sees names and sizes of the machine's files, but reads none except the
//     interpreter's and its libraries', and writes none. It has one thread, because
//     nothing there limits how many.
//   - C starts one container for each program.
//   - D limits time and memory and nothing else.
//
// The time begins when the interpreter starts. Output beyond what is kept is read and
// forgotten until the time is over.
package sandbox

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// Tier is how strongly programs are kept apart from the machine.
type Tier string

const (
	Namespaces Tier = "A" // own user, process, network, mount namespaces; Landlock; seccomp; limits
	Landlock   Tier = "B" // without namespaces
	Container  Tier = "C" // docker or podman
	Unsafe     Tier = "D" // limits of time and memory only
)

// ErrUnavailable says that no tier can be had here.
var ErrUnavailable = errors.New("no sandbox")

// Options say how to run programs. The zero value takes the strongest tier there is,
// the python3 of the search path, and the limits' defaults.
type Options struct {
	Tier   Tier   // "": the strongest of A, B, C; D must be asked for
	Python string // path; "": python3
	Image  string // of tier C; "": python:3.12-slim; it must be there, it is not pulled

	Time   time.Duration // most of a program, by the clock; 0: 3 s
	Memory int64         // bytes of address space; 0: 1 GiB
}

// Sandbox runs programs. It may be used by several goroutines.
type Sandbox struct {
	tier   Tier
	opt    Options
	python *python // nil in tier C

	id     string // in the arguments of every interpreter that it starts
	drop   bool   // root's programs run as a user that is nobody else
	engine string // docker or podman, path
	image  string

	factor atomic.Int64 // of limits of time, in thousandths
}

// Program is what is run: Source, and then a line of ours that says it got there. That
// line is what Passed means; nothing that Source prints or returns can say it.
type Program struct {
	Source string        // UTF-8; __name__ is "program", so that a block for "__main__" is not run
	Input  []byte        // its standard input
	Time   time.Duration // most, by the clock; 0: what Options say
	Memory int64         // 0: what Options say
	Output int           // most bytes of standard output that are kept; 0: 64 KiB
}

// Verdict is how a program ended.
type Verdict struct {
	Status  Status
	Message string // last line of what it wrote to standard error, as "AssertionError"
	Output  string // the first 64 KiB of standard output, or as much as Program.Output says
	Wall    time.Duration
	CPU     time.Duration // 0 where it is not known
}

// Status is a kind of end.
type Status string

const (
	Passed  Status = "passed"
	Failed  Status = "failed"  // an exception, or an end before the program's
	Timeout Status = "timeout" // of the clock or of processor time
	Memory  Status = "memory"
	Killed  Status = "killed" // by a signal, or for what is not allowed
)

const (
	defaultTime   = 3 * time.Second
	defaultMemory = 1 << 30
	defaultOutput = 64 << 10
	defaultImage  = "python:3.12-slim"

	// maxSource is more than any evaluation needs: HumanEval+ has programs of some MB.
	maxSource = 256 << 20
)

// New finds a tier and tests that a trivial program passes in it.
// The error, if there is none, wraps ErrUnavailable and says why for each.
func New(ctx context.Context, opt Options) (*Sandbox, error) {
	tiers := []Tier{Namespaces, Landlock, Container}
	switch opt.Tier {
	case "":
	case Namespaces, Landlock, Container, Unsafe:
		tiers = []Tier{opt.Tier}
	default:
		return nil, fmt.Errorf("sandbox: tier %q is none of A, B, C, D", opt.Tier)
	}
	opt.Time = cmp.Or(opt.Time, defaultTime)
	opt.Memory = cmp.Or(opt.Memory, defaultMemory)
	if opt.Time < 0 || opt.Memory < 0 {
		return nil, fmt.Errorf("sandbox: limits of time (%v) and memory (%d) must not be negative", opt.Time, opt.Memory)
	}
	var reasons []error
	var py *python
	var pyErr error
	for _, tier := range tiers {
		if tier != Container && py == nil && pyErr == nil {
			py, pyErr = findPython(ctx, opt.Python)
		}
		s, err := &Sandbox{tier: tier, opt: opt, python: py, id: "llada-sandbox-" + rand.Text()}, pyErr
		s.factor.Store(1000)
		if tier == Container {
			s.python = nil
			err = s.findEngine()
		}
		if err == nil {
			err = s.prove(ctx)
		}
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		reasons = append(reasons, fmt.Errorf("tier %s: %w", tier, err))
	}
	return nil, unavailable(reasons)
}

func unavailable(reasons []error) error {
	text := ""
	for i, err := range reasons {
		if i > 0 {
			text += "; "
		}
		text += err.Error()
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, text)
}

// prove runs a program that passes and one that does not. Root's programs run as another
// user if that one can read the interpreter.
func (s *Sandbox) prove(ctx context.Context) error {
	err := errors.ErrUnsupported
	for _, drop := range []bool{true, false} {
		if drop && !canDrop(s.tier) {
			continue
		}
		s.drop = drop
		if err = s.trial(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}

func (s *Sandbox) trial(ctx context.Context) error {
	p := Program{Source: "import math, time\nprint(input())", Input: []byte("hello\n"), Time: 20 * time.Second}
	v, err := s.Run(ctx, p)
	if err != nil {
		return err
	}
	if v.Status != Passed || v.Output != "hello\n" {
		return fmt.Errorf("a trivial program does not pass: %s, %s", v.Status, v.Message)
	}
	p.Source = "assert False"
	if v, err = s.Run(ctx, p); err != nil {
		return err
	}
	if v.Status != Failed {
		return fmt.Errorf("a failing program has status %s", v.Status)
	}
	return nil
}

// Tier returns the tier in use.
func (s *Sandbox) Tier() Tier { return s.tier }

// Python returns the version of the interpreter, as 3.11.7; of tier C the image's name.
func (s *Sandbox) Python() string {
	if s.python == nil {
		return s.image
	}
	return s.python.Version
}

// Run runs a program. An error means that there is no verdict: ctx ended, or the sandbox
// itself is broken.
func (s *Sandbox) Run(ctx context.Context, p Program) (Verdict, error) {
	if err := ctx.Err(); err != nil {
		return Verdict{}, err
	}
	if len(p.Source) > maxSource || len(p.Input) > maxSource {
		return Verdict{}, fmt.Errorf("sandbox: a program or its input has more than %d MiB", maxSource>>20)
	}
	p.Time = cmp.Or(p.Time, s.opt.Time)
	p.Time = time.Duration(float64(p.Time) * s.Factor())
	p.Memory = cmp.Or(p.Memory, s.opt.Memory)
	p.Output = cmp.Or(p.Output, defaultOutput)
	if p.Time <= 0 || p.Memory <= 0 || p.Output < 0 {
		return Verdict{}, fmt.Errorf("sandbox: limits of time (%v), memory (%d) and output (%d) must not be negative", p.Time, p.Memory, p.Output)
	}
	if s.tier == Container {
		return s.contain(ctx, p)
	}
	// The interpreter dies with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return s.process(ctx, p)
}
