package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/quant"
)

// fileWork is what convert and quantize share: a GGUF file is made of something,
// by a recipe or to a size.
type fileWork struct {
	e      *env
	opt    convert.Options
	budget budget
}

// fileSource is what a GGUF file is made of.
type fileSource interface {
	Plan(convert.Options) (*convert.Plan, error)
	Fit(context.Context, convert.Options, uint64) (*convert.Budget, error)
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
		w.opt.Importance, err = quant.OpenImportance(c.String("imatrix"))
	}
	return w, err
}

// made is what convert --json and quantize --json print.
type made struct {
	Files         []string  `json:"files"`
	Recipe        string    `json:"recipe,omitempty"` // file with the formats that were chosen for a size
	Bytes         int64     `json:"bytes"`
	Type          string    `json:"type"`
	Tensors       int       `json:"tensors"`
	Weights       uint64    `json:"weights"`
	BitsPerWeight float64   `json:"bits_per_weight"` // of the tensors
	NonFinite     int64     `json:"nonfinite"`
	Fallbacks     []string  `json:"fallbacks"` // tensors whose rows forced another format
	Neutral       int       `json:"neutral_experts"`
	Fit           *fit      `json:"fit,omitempty"`
	Plan          []planned `json:"plan,omitempty"` // of a dry run
	Seconds       float64   `json:"seconds"`
}

// fit says how good the formats are that were chosen for a size.
type fit struct {
	Error float64 `json:"error"` // expected, relative, summed over the matrices
	Gap   float64 `json:"gap"`   // at most this share of it could be saved by other choices
}

type planned struct {
	Name  string   `json:"name"`
	Type  string   `json:"type"`
	Dims  []uint64 `json:"dims"`
	Bytes uint64   `json:"bytes"`
}

func (w *fileWork) do(c *cli.Context, src fileSource) error {
	start := time.Now()
	out := made{Fallbacks: []string{}}
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
	out.Type, out.Tensors, out.Weights = w.opt.Recipe.Target.String(), len(plan.Tensors), plan.Weights()
	out.BitsPerWeight = 8 * float64(plan.Bytes()) / float64(plan.Weights())
	out.Fallbacks, out.Neutral = append(out.Fallbacks, plan.Fallbacks...), plan.Neutral
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
	out.Files, out.Bytes, out.NonFinite = result.Paths, result.Bytes, result.NonFinite
	if out.Fit != nil {
		if out.Recipe, err = w.writeRecipe(c.String("out")); err != nil {
			return err
		}
	}
	out.Seconds = time.Since(start).Seconds()
	if c.Bool("json") {
		return w.e.json(out)
	}
	for _, path := range out.Files {
		fmt.Fprintln(w.e.stdout, path)
	}
	if out.Recipe != "" {
		fmt.Fprintln(w.e.stdout, out.Recipe)
	}
	fmt.Fprintf(w.e.stderr, "%d tensors, %d weights, %s, %.2f bits per weight, %.1f s\n",
		out.Tensors, out.Weights, size(uint64(out.Bytes)), out.BitsPerWeight, out.Seconds)
	return nil
}

// fit replaces the recipe by one that keeps the budget.
func (w *fileWork) fit(ctx context.Context, src fileSource) (*fit, error) {
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
	return &fit{b.Error, b.Gap}, nil
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
	out.Files, out.Bytes = []string{}, int64(p.Bytes())
	if c.Bool("json") {
		return w.e.json(out)
	}
	var rows [][]string
	for i, t := range out.Plan {
		rows = append(rows, []string{t.Name, t.Type, strings.Trim(fmt.Sprint(t.Dims), "[]"), size(t.Bytes), bits(&p.Tensors[i])})
	}
	rows = append(rows, []string{"all", "", strconv.FormatUint(out.Weights, 10), size(p.Bytes()), fmt.Sprintf("%.2f", out.BitsPerWeight)})
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
