package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/datasets"
	"lladakit/eval"
	"lladakit/eval/sandbox"
	"lladakit/reports"
)

// sandboxFlags say how programs of answers are run.
func sandboxFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "sandbox", Usage: "`TIER` that runs programs of answers: A, own namespaces; B, without them; C, a container", DefaultText: "the strongest there is"},
		&cli.BoolFlag{Name: "unsafe-exec", Usage: "run programs of answers without a sandbox: they can do whatever you can"},
		&cli.StringFlag{Name: "python", Usage: "`PATH` of the interpreter", DefaultText: "python3"},
	}
}

// calibration is how many canonical solutions are run to see how slow the machine is.
const calibration = 16

// sandbox returns what runs programs, nil if no task has any.
func (e *env) sandbox(c *cli.Context, opt *eval.Options) (eval.Executor, *reports.EvalSandbox, error) {
	tier := sandbox.Tier(strings.ToUpper(c.String("sandbox")))
	switch tier {
	case "", sandbox.Namespaces, sandbox.Landlock, sandbox.Container:
	default:
		return nil, nil, usagef("--sandbox: %.40q is not A, B or C", c.String("sandbox"))
	}
	if c.Bool("unsafe-exec") {
		if tier != "" {
			return nil, nil, usagef("--sandbox and --unsafe-exec: give one of them")
		}
		tier = sandbox.Unsafe
	}
	var programs []sandbox.Program
	code := false
	for _, t := range opt.Tasks {
		code = code || t.Form != datasets.GSM8K
		if t.Form == datasets.HumanEval && programs == nil {
			programs = canonical(opt.Data[t.Data].Records)
		}
	}
	if !code {
		return nil, nil, nil
	}
	s, err := sandbox.New(c.Context, sandbox.Options{Tier: tier, Python: c.String("python")})
	if err != nil {
		return nil, nil, err
	}
	if tier == sandbox.Unsafe {
		fmt.Fprintln(e.stderr, "llada: warning: programs that the model writes run without a sandbox")
	}
	factor, err := s.Calibrate(c.Context, programs)
	if err != nil {
		return nil, nil, err
	}
	return s, &reports.EvalSandbox{Tier: string(s.Tier()), Python: s.Python(), Factor: factor}, nil
}

// canonical returns some programs that pass.
func canonical(records []datasets.Record) (programs []sandbox.Program) {
	step := max(1, len(records)/calibration)
	for i := 0; i < len(records) && len(programs) < calibration; i += step {
		if r := &records[i]; r.CanonicalSolution != "" {
			programs = append(programs, sandbox.Program{
				Source: r.Prompt + r.CanonicalSolution + "\n" + r.Test + "\ncheck(" + r.EntryPoint + ")\n",
			})
		}
	}
	return programs
}
