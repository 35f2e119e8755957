package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"lladakit/bench"
	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/quant"
	"lladakit/reports"
)

// fileWork is what convert and quantize share: a GGUF file is made of something,
// by a recipe or to a size.
type fileWork struct {
	e      *env
	opt    convert.Options
	budget budget
	report *newFile // nil without --report
}

// reportFlag is beside --out, which is the model.
func reportFlag() cli.Flag {
	return &cli.StringFlag{Name: "report", Usage: "`FILE` for what was written as JSON, as llada report reads it"}
}

// fileSource is what a GGUF file is made of.
type fileSource interface {
	Plan(convert.Options) (*convert.Plan, error)
	Fit(context.Context, convert.Options, uint64) (*convert.Budget, error)
	Files() []string
}

// newFileWork reads the flags that the commands share; target is the type of the
// file where no flag says it.
func (e *env) newFileWork(c *cli.Context, target string) (_ *fileWork, err error) {
	if err := arguments(c, 0, ""); err != nil {
		return nil, err
	}
	if err := needFlags(c, "from"); err != nil {
		return nil, err
	}
	if !c.Bool("dry-run") {
		if err := needFlags(c, "out"); err != nil {
			return nil, err
		}
	}
	w := &fileWork{e: e}
	if w.opt.Threads, err = threads(c); err != nil {
		return nil, err
	}
	if c.IsSet("split-size") {
		if w.opt.SplitSize, err = parseSize(c.String("split-size")); err != nil {
			return nil, usagef("--split-size: %w", err)
		}
	}
	if w.budget, err = readBudget(c); err != nil {
		return nil, err
	}
	if w.opt.Recipe, err = e.recipe(c, target); err != nil {
		return nil, err
	}
	if c.IsSet("imatrix") {
		if w.opt.Importance, err = quant.OpenImportance(c.String("imatrix")); err != nil {
			return nil, err
		}
	}
	switch {
	case !c.IsSet("report"):
	case c.Bool("dry-run"):
		return nil, usagef("--report is for what was written, and --dry-run writes nothing")
	case sameName(c.String("report"), c.String("out")):
		return nil, usagef("--report and --out are the same file")
	}
	w.report, err = resultFile(c, "report", conversionInputs(c)...)
	return w, err
}

// sameName reports whether two paths name one file, be it there or not.
func sameName(a, b string) bool {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}

// conversionInputs are the files that --report must not replace.
func conversionInputs(c *cli.Context) []string {
	from := c.String("from")
	all := []string{from, c.String("imatrix"), c.String("recipe")}
	entries, _ := os.ReadDir(from) // of a file it has none, and of what is not there opening will tell
	for _, entry := range entries {
		all = append(all, filepath.Join(from, entry.Name()))
	}
	return all
}

// close removes the file of the report if there is none.
func (w *fileWork) close() {
	if w.report != nil {
		w.report.discard()
	}
}

// made is what convert --json and quantize --json print.
type made struct {
	reports.Conversion
	Plan []planned `json:"plan,omitempty"` // of a dry run
}

type planned struct {
	Name  string   `json:"name"`
	Type  string   `json:"type"`
	Dims  []uint64 `json:"dims"`
	Bytes uint64   `json:"bytes"`
}

func (w *fileWork) do(c *cli.Context, src fileSource) error {
	start := time.Now()
	out := made{Conversion: reports.Conversion{
		Program: thisProgram(), Machine: bench.ThisMachine(), Command: w.e.args, Started: now(), Source: c.String("from"),
		Files: []string{}, Fallbacks: []string{}, Sources: []reports.InputFile{},
	}}
	if w.budget != (budget{}) {
		var err error
		if out.Fit, err = w.fit(c.Context, src); err != nil {
			return err
		}
	}
	bar := newProgress(w.e.stderr, "writing")
	w.opt.Progress = bar.update
	plan, err := src.Plan(w.opt)
	if err != nil {
		return err
	}
	w.warn(plan)
	takePlan(&out.Conversion, plan, w.opt.Recipe)
	if c.Bool("dry-run") {
		return w.printPlan(c, plan, &out)
	}
	result, err := plan.Write(c.Context, c.String("out"))
	bar.end()
	if err != nil {
		return err
	}
	if result.NonFinite > 0 {
		fmt.Fprintf(w.e.stderr, "llada: warning: %d weights are not finite\n", result.NonFinite)
	}
	takeWritten(&out.Conversion, result)
	if out.Fit != nil {
		if out.Recipe, err = w.writeRecipe(c.String("out")); err != nil {
			return err
		}
	}
	out.Seconds = time.Since(start).Seconds()
	if w.report != nil || c.Bool("json") {
		bar := newProgress(w.e.stderr, "hashing")
		err := completeConversion(c.Context, &out.Conversion, src.Files(), c.String("imatrix"), bar.update)
		bar.end()
		if err != nil {
			return err
		}
	}
	failed := w.writeReport(&out.Conversion) // what was written is printed all the same
	if c.Bool("json") {
		return errors.Join(failed, w.e.json(out))
	}
	for _, path := range out.Files {
		fmt.Fprintln(w.e.stdout, path)
	}
	if out.Recipe != "" {
		fmt.Fprintln(w.e.stdout, out.Recipe)
	}
	fmt.Fprintf(w.e.stderr, "%d tensors, %d weights, %s, %.2f bits per weight, %.1f s\n",
		out.Tensors, out.Weights, size(out.Bytes), out.Bits, out.Seconds)
	return failed
}

func (w *fileWork) writeReport(out *reports.Conversion) error {
	if w.report == nil {
		return nil
	}
	if err := out.Write(w.report, "json"); err != nil {
		return err
	}
	err := w.report.commit()
	w.report = nil
	return err
}

// fit replaces the recipe by one that keeps the budget.
func (w *fileWork) fit(ctx context.Context, src fileSource) (*reports.Fit, error) {
	bytes := w.budget.bytes
	if w.budget.bits > 0 {
		plan, err := src.Plan(w.opt)
		if err != nil {
			return nil, err
		}
		bytes = uint64(w.budget.bits * float64(plan.Weights()) / 8)
	}
	bar := newProgress(w.e.stderr, "measuring")
	bar.unit = "matrices"
	w.opt.Progress = bar.update
	b, err := src.Fit(ctx, w.opt, bytes)
	bar.end()
	if err != nil {
		return nil, err
	}
	w.opt.Recipe = b.Recipe
	fmt.Fprintf(w.e.stderr, "formats chosen for %s: %s, expected error %.4g, of which other choices could save at most %.2g %%\n",
		size(bytes), size(b.Bytes), b.Error, 100*b.Gap)
	return &reports.Fit{Error: b.Error, Gap: b.Gap}, nil
}

func (w *fileWork) warn(p *convert.Plan) {
	if n := len(p.Fallbacks); n > 0 {
		fmt.Fprintf(w.e.stderr, "llada: warning: the rows of %d tensors are no whole blocks of the wanted format, another stands in: %s\n",
			n, strings.Join(p.Fallbacks[:min(n, 3)], ", "))
	}
	if p.Neutral > 0 {
		fmt.Fprintf(w.e.stderr, "llada: warning: %d expert matrices were not reached when the importance was measured, their columns count alike\n", p.Neutral)
	}
}

// printPlan prints what would be written.
func (w *fileWork) printPlan(c *cli.Context, p *convert.Plan, out *made) error {
	for i := range p.Tensors {
		t := &p.Tensors[i]
		out.Plan = append(out.Plan, planned{t.Name, t.Type.String(), t.Dims, t.Bytes()})
	}
	out.Bytes = p.Bytes()
	if c.Bool("json") {
		return w.e.json(out)
	}
	var rows [][]string
	for i, t := range out.Plan {
		rows = append(rows, []string{t.Name, t.Type, strings.Trim(fmt.Sprint(t.Dims), "[]"), size(t.Bytes), bits(&p.Tensors[i])})
	}
	rows = append(rows, []string{"all", "", strconv.FormatUint(out.Weights, 10), size(p.Bytes()), fmt.Sprintf("%.2f", out.Bits)})
	return w.e.table([]string{"tensor", "type", "dims", "size", "bits per weight"}, rows, 3, 4)
}

func bits(t *gguf.TensorInfo) string {
	return fmt.Sprintf("%.2f", 8*float64(t.Bytes())/float64(t.Elements()))
}

// writeRecipe writes the recipe beside the file, so that it can be used again.
func (w *fileWork) writeRecipe(out string) (string, error) {
	text, err := w.opt.Recipe.Marshal()
	if err != nil {
		return "", err
	}
	path := strings.TrimSuffix(out, ".gguf") + ".recipe.yaml"
	return path, os.WriteFile(path, text, 0o666)
}
