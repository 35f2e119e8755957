package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/internal/tiny"
	"lladakit/internal/tokenizer"
	"lladakit/reports"
	"lladakit/runtime"
)

func (e *env) demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "convert, run, bench and evaluate the embedded tiny checkpoint, offline, and report on it",
		UsageText: "llada demo [--out DIR]\n\nExample: llada demo --out /tmp/llada-demo\n\n" +
			"It ends with report.html and report.md: in DIR, or else in a new folder among the system's temporary ones, which stays.",
		Flags:  []cli.Flag{&cli.StringFlag{Name: "out", Usage: "keep the checkpoint, the GGUF files and all results in `DIR`"}},
		Action: e.demo,
	}
}

func (e *env) demo(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	dir := c.String("out")
	if dir == "" {
		temporary, err := os.MkdirTemp("", "llada-demo-work-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temporary)
		dir = temporary
	}
	results := new(reports.Collection)
	paths, err := e.demoConvert(c.Context, dir, results)
	if err != nil {
		return err
	}
	if err := e.demoRun(c.Context, paths[0]); err != nil {
		return err
	}
	if err := e.demoResults(c.Context, dir, paths, results); err != nil {
		return err
	}
	return e.demoReport(results, c.String("out"))
}

// demoResults measures all that is to be reported of the files.
//
// Note: the results are collected here, and not from the folder: it may have others.
func (e *env) demoResults(ctx context.Context, dir string, paths []string, c *reports.Collection) error {
	measured, err := e.demoBench(ctx, dir, paths)
	if err != nil {
		return err
	}
	c.Benches = append(c.Benches, reports.Result[reports.Bench]{Path: demoBenchFile, Value: measured})
	runs, err := e.demoEval(ctx, dir, paths)
	if err != nil {
		return err
	}
	for _, run := range runs {
		c.Evals = append(c.Evals, reports.Result[reports.Run]{Path: filepath.Base(run.Path), Value: run})
	}
	far, err := e.demoDivergence(ctx, dir, paths)
	if err != nil {
		return err
	}
	c.Divergences = append(c.Divergences, reports.Result[reports.Divergence]{Path: demoDivergenceFile, Value: far})
	swept, err := e.demoSweep(ctx, dir, paths)
	if err != nil {
		return err
	}
	c.Sweeps = append(c.Sweeps, reports.Result[reports.Sweep]{Path: demoSweepFile, Value: swept})
	recorded, err := e.demoTrace(ctx, dir, paths[0])
	if err != nil {
		return err
	}
	c.Traces = append(c.Traces, reports.Result[reports.Trace]{Path: demoTraceFile, Value: recorded})
	return nil
}

// demoRun has one problem of each kind answered.
func (e *env) demoRun(ctx context.Context, path string) error {
	m, err := runtime.Load(path, runtime.LoadOptions{})
	if err != nil {
		return err
	}
	defer m.Close()
	words, err := tiny.WordProblems()
	if err != nil {
		return err
	}
	codes, err := tiny.CodeProblems()
	if err != nil {
		return err
	}
	var answers []*answer
	for _, user := range []string{words[0].User(), codes[0].User()} {
		a, err := e.demoAnswer(ctx, m, user)
		if err != nil {
			return err
		}
		answers = append(answers, a)
	}
	return e.demoTable(answers)
}

// demoAnswer asks the model and prints question and answer.
func (e *env) demoAnswer(ctx context.Context, m *runtime.Model, user string) (*answer, error) {
	prompt, err := m.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: user}})
	if err != nil {
		return nil, err
	}
	opt := m.Defaults()
	opt.GenLength = 96
	result, err := m.Generate(ctx, prompt, opt)
	if err != nil {
		return nil, err
	}
	a := describe(m, prompt, result, opt, 0)
	_, err = fmt.Fprintf(e.stdout, "%s\n\n%s\n\n", indent("> ", user), indent("  ", e.stdout.printable(a.Text)))
	return a, err
}

func indent(prefix, text string) string {
	return prefix + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+prefix)
}

// demoTable prints the figures of the answers side by side.
func (e *env) demoTable(answers []*answer) error {
	rows := [][]string{
		{"prompt tokens"}, {"answer tokens"}, {"finish"}, {"forwards: prefill, denoise, commit"},
		{"tokens per forward"}, {"steps per block"}, {"denoise, ms"}, {"total, ms"}, {"ms per denoising forward"},
	}
	for _, a := range answers {
		forwards := a.Forwards
		for i, cell := range []string{
			strconv.Itoa(len(a.PromptIDs)), strconv.Itoa(len(a.IDs)), a.Finish,
			fmt.Sprintf("%d, %d, %d", forwards.Prefill, forwards.Denoise, forwards.Commit),
			fmt.Sprintf("%.2f", a.TPF), strings.Trim(fmt.Sprint(a.StepsPerBlock), "[]"),
			fmt.Sprintf("%.1f", a.Timings["denoise"]), fmt.Sprintf("%.1f", a.Timings["total"]),
			fmt.Sprintf("%.1f", a.Timings["denoise"]/float64(max(1, forwards.Denoise))),
		} {
			rows[i] = append(rows[i], cell)
		}
	}
	return e.table([]string{"", "word problem", "coding problem"}, rows, 1, 2)
}
