package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"lladakit/bench"
	"lladakit/datasets"
	"lladakit/eval"
	"lladakit/eval/sandbox"
	"lladakit/reports"
	"lladakit/runtime"
)

// demoDocuments is how many problems of each kind every model of the demo is asked.
const demoDocuments = 40

// demoEval evaluates the models and compares the second with the first. Without a sandbox
// it leaves out the coding problems.
func (e *env) demoEval(ctx context.Context, dir string, paths []string) ([]*reports.Run, error) {
	opt := eval.Options{
		Limit: demoDocuments, Data: map[string]*datasets.Data{}, Judges: 2, Resume: true, // a demo into the same folder finds its answers there
		Program: thisProgram(), Machine: bench.ThisMachine(), Command: e.args,
	}
	names := []string{"tiny-gsm8k"}
	if s, err := sandbox.New(ctx, sandbox.Options{}); err == nil {
		names = append(names, "tiny-humaneval")
		opt.Executor, opt.Sandbox = s, &reports.EvalSandbox{Tier: string(s.Tier()), Python: s.Python(), Factor: s.Factor()}
	} else {
		fmt.Fprintf(e.stderr, "llada: the coding problems are left out: %v\n", err)
	}
	for _, name := range names {
		task, err := eval.Find(name)
		if err != nil {
			return nil, err
		}
		if opt.Data[task.Data], err = datasets.Open(ctx, task.Data, datasets.Options{Offline: true}); err != nil {
			return nil, err
		}
		opt.Tasks = append(opt.Tasks, task)
	}
	var runs []*reports.Run
	for _, path := range paths {
		opt.Dir = strings.TrimSuffix(path, ".gguf") + "-eval"
		run, err := demoRunOf(ctx, path, opt)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	c, err := reports.Compare(runs[0], runs[1], nil)
	if err != nil {
		return nil, err
	}
	return runs, e.demoComparison(c)
}

// demoRunOf evaluates one model.
func demoRunOf(ctx context.Context, path string, opt eval.Options) (*reports.Run, error) {
	m, err := runtime.Load(path, runtime.LoadOptions{})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	digest, err := m.SHA256(ctx)
	if err != nil {
		return nil, err
	}
	if opt.Generator, err = eval.NewLocal(m, digest, m.Defaults(), 4); err != nil {
		return nil, err
	}
	result, samples, err := eval.Run(ctx, opt)
	return &reports.Run{Path: opt.Dir, Eval: result, Samples: samples}, err
}

// demoComparison prints accuracies side by side.
func (e *env) demoComparison(c *reports.Comparison) error {
	var rows [][]string
	accuracy := func(t *reports.EvalTask) string {
		return fmt.Sprintf("%d (%.1f to %.1f %%)", t.Correct, 100*t.Low, 100*t.High)
	}
	for i := range c.Tasks {
		t := &c.Tasks[i]
		rows = append(rows, []string{
			t.Task, strconv.Itoa(t.Pairs), accuracy(&t.A), accuracy(&t.B), fmt.Sprintf("%d, %d", t.OnlyA, t.OnlyB), fmt.Sprintf("%.2f", t.P),
		})
	}
	header := []string{"task", "asked"}
	for _, run := range []reports.ComparedRun{c.A, c.B} {
		header = append(header, strings.TrimSuffix(filepath.Base(run.Path), "-eval"))
	}
	if _, err := fmt.Fprintln(e.stdout, "\nRight answers, with the 95 % interval, of both types; those that only one has right; and p that both are equal:"); err != nil {
		return err
	}
	return e.table(append(header, "only one", "p"), rows, 1, 2, 3, 4, 5)
}
