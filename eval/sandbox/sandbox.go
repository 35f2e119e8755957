// Package sandbox runs Python programs that a model wrote, and believes nothing that they say.
package sandbox

import (
	"context"
	"errors"
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

	Time   time.Duration // most of a program, by the clock; 0: 3 s
	Memory int64         // bytes of address space; 0: 1 GiB
}

// Sandbox runs programs. It may be used by several goroutines.
type Sandbox struct {
	tier Tier
}

// Program is what is run: Source, and then a line of ours that says it got there. That
// line is what Passed means; nothing that Source prints or returns can say it.
type Program struct {
	Source string
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

// New finds a tier and tests that a trivial program passes in it.
func New(ctx context.Context, opt Options) (*Sandbox, error) {
	return nil, ErrUnavailable
}

// Tier returns the tier in use.
func (s *Sandbox) Tier() Tier { return s.tier }

// Run runs a program. An error means that there is no verdict: ctx ended, or the sandbox
// itself is broken.
func (s *Sandbox) Run(ctx context.Context, p Program) (Verdict, error) {
	return Verdict{}, ErrUnavailable
}

// Main takes over the process if it was started as a part of a sandbox, and returns at
// once if not. It must be the first thing that a program (and a TestMain) does.
func Main() {}
