package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"lladakit/bench"
	"lladakit/datasets"
	"lladakit/eval"
	"lladakit/internal/tiny"
	"lladakit/internal/tokenizer"
	"lladakit/reports"
	"lladakit/runtime"
)

// The results of a demo, beside the folders of its evaluations.
const (
	demoBenchFile = "bench.json"
	demoSweepFile = "sweep.json"
	demoTraceFile = "trace.jsonl"
)

// demoPrompts is how many word problems the sweep answers.
const demoPrompts = 6

// demoTrace has a word problem answered once more, with every decision recorded.
func (e *env) demoTrace(ctx context.Context, dir, path string) (*reports.Trace, error) {
	m, err := runtime.Load(path, runtime.LoadOptions{})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	words, err := tiny.WordProblems()
	if err != nil {
		return nil, err
	}
	prompt, err := m.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: words[0].User()}})
	if err != nil {
		return nil, err
	}
	opt := m.Defaults()
	opt.GenLength = 96
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	file := filepath.Join(dir, demoTraceFile)
	t, err := createTrace(file, m.Paths(), m, prompt, &opt, stop)
	if err != nil {
		return nil, err
	}
	opt.OnStep = t.step
	result, err := m.Generate(ctx, prompt, opt)
	if err := errors.Join(t.end(result, err), err); err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return reports.ReadTrace(f)
}

// demoBench measures how fast the models are, and prints it.
func (e *env) demoBench(ctx context.Context, dir string, paths []string) (*reports.Bench, error) {
	opt := bench.Options{Repetitions: 3, Interleave: true, Program: thisProgram(), Command: e.args}
	for _, path := range paths {
		opt.Models = append(opt.Models, bench.Source{Path: path})
	}
	grid := bench.Grid{Tests: []string{"pp", "step", "block", "gen"}, Prompt: []int{64}, Gen: []int{64}}
	var err error
	if opt.Scenarios, err = grid.Scenarios(); err != nil {
		return nil, err
	}
	bar := newProgress(e.stderr, "")
	opt.Progress = func(done, total int, next string) {
		bar.what, bar.unit = next, "repetitions"
		bar.items(done, total)
	}
	result, err := bench.Run(ctx, opt)
	bar.end()
	if err != nil {
		return nil, err
	}
	if err := keepResult(filepath.Join(dir, demoBenchFile), result.Write); err != nil {
		return nil, err
	}
	var rows [][]string
	for i := range result.Tests {
		t := &result.Tests[i]
		rate := ""
		if t.AvgTS > 0 {
			rate = fmt.Sprintf("%.1f", t.AvgTS)
		}
		rows = append(rows, []string{strings.TrimSuffix(filepath.Base(t.Model), ".gguf"), t.Name, strconv.Itoa(t.Threads), rate, fmt.Sprintf("%.2f", t.Forward.Median/1e6)})
	}
	if _, err := fmt.Fprintln(e.stdout, "\nHow fast: prefill, a denoising step, a block and a generation of forced steps:"); err != nil {
		return nil, err
	}
	return result, e.table([]string{"model", "test", "threads", "tokens/s", "ms/forward"}, rows, 2, 3, 4)
}

// demoSweep answers some of the word problems with a lower threshold too.
func (e *env) demoSweep(ctx context.Context, dir string, paths []string) (*reports.Sweep, error) {
	task, err := eval.Find("tiny-gsm8k")
	if err != nil {
		return nil, err
	}
	data, err := datasets.Open(ctx, task.Data, datasets.Options{Offline: true})
	if err != nil {
		return nil, err
	}
	opt := bench.SweepOptions{Models: paths, Data: task.Name, GenLength: task.GenLength, Repetitions: 2, Program: thisProgram(), Command: e.args}
	if opt.Grid, err = bench.ParseSweepGrid("threshold=0.5"); err != nil {
		return nil, err
	}
	records := data.Records[:min(demoPrompts, len(data.Records))]
	for i := range records {
		opt.Prompts = append(opt.Prompts, task.Prompt(&records[i], nil).Messages[0].Content)
	}
	opt.Judge = func(ctx context.Context, prompt int, text string) (bool, error) {
		return task.Right(ctx, nil, &records[prompt], text)
	}
	result, err := bench.Sweep(ctx, opt)
	if err != nil {
		return nil, err
	}
	return result, keepResult(filepath.Join(dir, demoSweepFile), result.Write)
}

// keepResult writes a result as JSON.
func keepResult(path string, write func(w io.Writer, form string) error) error {
	f, err := createFile(path)
	if err != nil {
		return err
	}
	if err := write(f, "json"); err != nil {
		f.discard()
		return err
	}
	return f.commit()
}

// demoReport writes what the demo measured as pages, and says where they are. Without a
// folder they have one of their own, which stays.
func (e *env) demoReport(c *reports.Collection, dir string) (err error) {
	c.Title = "What llada demo measured"
	if dir == "" {
		if dir, err = os.MkdirTemp("", "llada-demo-"); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				os.RemoveAll(dir)
			}
		}()
	}
	written, err := writeReport(c, dir, []string{"md", "html", figureForm}, e.stderr)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintln(e.stdout, "\nReports of all this, and their figures:"); err != nil {
		return err
	}
	for _, path := range written {
		if _, err = fmt.Fprintln(e.stdout, path); err != nil {
			return err
		}
	}
	return nil
}
