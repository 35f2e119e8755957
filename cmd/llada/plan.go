package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"lladakit/bench"
	"lladakit/convert"
	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/quant"
	"lladakit/runtime"
)

func (e *env) planCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "model", Usage: "GGUF `FILE` to plan for"},
		&cli.StringFlag{Name: "from", Usage: "checkpoint `DIR` to plan for, as if it were converted with --type and the flags beside it"},
		&cli.StringFlag{Name: "shape", Usage: "`SHAPE` to plan for, such as mini or flash, with all weights of --type, or as the flags beside it say"},
		&cli.IntFlag{Name: "context", Usage: "`N` positions of a sequence", DefaultText: "4096, or what the model has room for"},
		&cli.Float64Flag{Name: "experts-touched", Usage: "`U` experts of a layer that the rows of a step touch", DefaultText: "as measured, or as if routing were uniform"},
		&cli.BoolFlag{Name: "check", Usage: "run what was predicted, on the file or a random model of the shape, and print how far off it was"},
		&cli.BoolFlag{Name: "json", Usage: "print the plan as JSON"},
	}
	for _, f := range recipeFlags(convertTarget + ", or with --shape " + shapeTarget) {
		if slices.Contains(formatFlags, f.Names()[0]) {
			flags = append(flags, f)
		}
	}
	return &cli.Command{
		Name:  "plan",
		Usage: "predict what a model takes on this machine: memory, and the time of a step",
		UsageText: "llada plan --model FILE | --from DIR [--type TYPE] | --shape SHAPE [--type TYPE]\n\n" +
			"Example: llada plan --shape mini --type q4_0",
		Flags:  append(flags, loadFlags()...),
		Action: e.plan,
	}
}

// formatFlags are those flags of recipes that say which format a tensor gets.
var formatFlags = []string{"type", "pure", "tensor-type", "output-type", "embedding-type", "expert-type", "recipe"}

// shapeTarget is the type of random models.
const shapeTarget = "q4_0"

// planOutput is what plan --json prints.
type planOutput struct {
	Model string `json:"model"` // the file, folder or shape
	Type  string `json:"type"`
	*bench.Plan
	Check *bench.PlanCheck `json:"check,omitempty"`
}

func (e *env) plan(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	what, err := exactlyOne(c, "model", "from", "shape")
	if err != nil {
		return err
	}
	if err := needFlags(c, what); err != nil {
		return err
	}
	out := planOutput{Model: c.String(what)}
	opt := bench.PlanOptions{Context: c.Int("context"), Experts: c.Float64("experts-touched")}
	if c.IsSet("context") && opt.Context < 1 {
		return usagef("--context: %d is no number of positions", opt.Context)
	}
	if c.IsSet("experts-touched") && !(opt.Experts > 0) {
		return usagef("--experts-touched: %g is no number of experts", opt.Experts)
	}
	if opt.Threads, err = threads(c); err != nil {
		return err
	}
	if opt.Pack, err = runtime.ParsePack(c.String("pack")); err != nil {
		return usagef("--pack: %w", err)
	}
	if opt.KV, err = runtime.ParseKV(c.String("kv-type")); err != nil {
		return usagef("--kv-type: %w", err)
	}
	if what == "model" {
		if given(c, formatFlags) {
			return usagef("a GGUF file has its types: --type and the flags beside it go with --from or --shape")
		}
		err = plannedFile(&opt, out.Model)
	} else {
		if what == "from" && c.Bool("check") {
			return usagef("--check needs a GGUF file or a shape: convert the checkpoint first")
		}
		out.Type, err = e.plannedRecipe(c, &opt, what)
	}
	if err != nil {
		return err
	}
	if out.Type == "" {
		out.Type = mostUsed(opt.Tensors)
	}
	if out.Plan, err = bench.NewPlan(c.Context, opt); errors.Is(err, bench.ErrPlan) {
		return usageError{err}
	} else if err != nil {
		return err
	}
	if c.Bool("check") {
		if out.Check, err = e.checkPlan(c.Context, out.Plan, c.String("model")); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return e.json(out)
	}
	return e.printPlanned(&out)
}

// plannedFile reads what there is in a file.
func plannedFile(opt *bench.PlanOptions, path string) error {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if opt.Config, err = arch.FromMetadata(f.Metadata); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, t := range f.Tensors {
		opt.Tensors = append(opt.Tensors, t.TensorInfo)
	}
	return nil
}

// smallerTypes are those that are proposed where a model does not fit, the largest
// first.
var smallerTypes = []string{"q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0", "q3_k", "q2_k"}

// plannedRecipe chooses the formats of a checkpoint or a shape.
func (e *env) plannedRecipe(c *cli.Context, opt *bench.PlanOptions, what string) (string, error) {
	target := convertTarget
	if what == "shape" {
		target = shapeTarget
	}
	recipe, err := e.recipe(c, target)
	if err != nil {
		return "", err
	}
	if _, err := quant.ParseType(recipe.Target.String()); err == nil && what == "shape" {
		recipe.Pure = true // as random models are
	}
	if what == "from" {
		checkpoint, err := convert.Open(c.String("from"))
		if err != nil {
			return "", err
		}
		defer checkpoint.Close()
		plan, err := checkpoint.Plan(convert.Options{Recipe: recipe})
		if err != nil {
			return "", err
		}
		opt.Config, opt.Tensors = checkpoint.Config, plan.Tensors
	} else {
		if opt.Config, err = bench.Shape(c.String("shape")); err != nil {
			return "", usagef("--shape: %w", err)
		}
		if opt.Tensors, err = convert.Layout(&opt.Config, recipe); err != nil {
			return "", err
		}
	}
	least := tensorBytes(opt.Tensors)
	for _, name := range smallerTypes {
		target, err := quant.ParseTarget(name)
		if err != nil {
			return "", err
		}
		tensors, err := convert.Layout(&opt.Config, quant.Recipe{Target: target})
		if err != nil {
			return "", err
		}
		if tensorBytes(tensors) < least {
			opt.Smaller = append(opt.Smaller, bench.Alternative{Type: name, Tensors: tensors})
		}
	}
	return recipe.Target.String(), nil
}

func tensorBytes(tensors []gguf.TensorInfo) (sum uint64) {
	for i := range tensors {
		sum += tensors[i].Bytes()
	}
	return sum
}

// mostUsed names the type that most weights have.
func mostUsed(tensors []gguf.TensorInfo) string {
	weights := map[gguf.Type]uint64{}
	var most gguf.Type
	for i := range tensors {
		t := tensors[i].Type
		if weights[t] += tensors[i].Elements(); weights[t] > weights[most] {
			most = t
		}
	}
	return most.String()
}

// checkPlan holds the plan against a file, or without one against a random model.
func (e *env) checkPlan(ctx context.Context, plan *bench.Plan, path string) (*bench.PlanCheck, error) {
	load := func(ctx context.Context, opt runtime.LoadOptions) (*runtime.Model, error) {
		return runtime.LoadContext(ctx, path, opt)
	}
	bar := newProgress(e.stderr, "loading")
	defer bar.end()
	if path == "" {
		random, err := plan.Synthetic()
		if err != nil {
			return nil, usageError{err}
		}
		random.Progress = newProgress(e.stderr, "writing").update
		load = func(ctx context.Context, opt runtime.LoadOptions) (*runtime.Model, error) {
			return bench.LoadSynthetic(ctx, "", random, opt)
		}
	}
	return plan.Check(ctx, load, bar.update)
}

func (e *env) printPlanned(p *planOutput) error {
	m := &p.Memory
	rows := [][]string{
		{"weights, as in the file", size(m.File)},
		{"copies in the order of the kernels", size(m.Packed)},
		{"used where the file has them", size(m.Mapped + m.Vectors)},
		{"while loading, at most", size(m.Loading)},
		{"after loading", size(m.Loaded)},
		{"keys and values of 1000 positions", size(m.KVPerThousand)},
		{fmt.Sprintf("keys and values of %d", p.Context), size(m.KV)},
		{"buffers of a pass", size(m.Scratch)},
		{"the program, about", size(m.Program)},
		{"in all", size(m.Total)},
		{"weights that a step touches", size(m.WorkingSet)},
		{"of that routed experts", size(m.Experts)},
	}
	if err := e.table([]string{"memory", "size"}, rows, 1); err != nil {
		return err
	}
	rows = nil
	for _, x := range p.Step.Parts {
		if x.Seconds == 0 {
			continue
		}
		row := []string{x.Name, inMilliseconds(x.Seconds), "", "", fmt.Sprintf("%.0f %%", 100*x.Seconds/p.Step.Seconds)}
		if x.MACs > 0 {
			row[2], row[3] = fmt.Sprintf("%.1f", x.MACs/x.Seconds/1e9), fmt.Sprintf("%.1f", x.Bytes/x.Seconds/1e9)
		}
		rows = append(rows, row)
	}
	if err := e.table([]string{fmt.Sprintf("step of %d rows", p.Rows), "ms", "GMAC/s", "GB/s", "share"}, rows, 1, 2, 3, 4); err != nil {
		return err
	}
	passes := []struct {
		name string
		plan float64
		got  func(*bench.PlanCheck) bench.Checked
	}{
		{fmt.Sprintf("prefill of %d positions", bench.PlanPrompt), p.Prefill.Seconds, func(c *bench.PlanCheck) bench.Checked { return c.Prefill }},
		{fmt.Sprintf("step at position %d, all logits", p.Context-p.Rows), p.Step.Seconds, func(c *bench.PlanCheck) bench.Checked { return c.Step }},
		{"the same with half of the logits", p.StepHalf.Seconds, func(c *bench.PlanCheck) bench.Checked { return c.StepHalf }},
	}
	header := []string{"pass", "predicted, ms"}
	if p.Check != nil {
		header = append(header, "measured, ms", "error")
	}
	rows = nil
	for _, x := range passes {
		row := []string{x.name, inMilliseconds(x.plan)}
		if p.Check != nil {
			got := x.got(p.Check)
			if got.Measured == 0 {
				row = append(row, "-", "-")
			} else {
				row = append(row, inMilliseconds(got.Measured), fmt.Sprintf("%+.0f %%", 100*got.Error))
			}
		}
		rows = append(rows, row)
	}
	if err := e.table(header, rows, []int{1, 2, 3}[:len(header)-1]...); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%d threads, pack %s, keys and values %s, %.0f experts of a layer touched, %s\n",
		p.Threads, p.Pack, p.KV, p.Experts, p.ExpertsBecause)
	if c := p.Check; c != nil {
		if c.Memory.Measured > 0 {
			fmt.Fprintf(e.stdout, "memory after these passes: predicted %s, measured %s, %+.1f %%\n",
				size(uint64(c.Memory.Predicted)), size(uint64(c.Memory.Measured)), 100*c.Memory.Error)
		}
		fmt.Fprintf(e.stdout, "the step touched %.0f experts of a layer\n", c.Experts)
	}
	for _, w := range p.Warnings {
		fmt.Fprintln(e.stderr, "llada: warning:", w)
	}
	_, err := fmt.Fprintln(e.stdout, p.Verdict)
	return err
}

func inMilliseconds(seconds float64) string { return fmt.Sprintf("%.3g", 1000*seconds) }
