package main

import (
	"errors"
	"fmt"
	"os"
	goruntime "runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"lladakit/bench"
	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/reports"
	"lladakit/runtime"
)

func (e *env) benchCommand() *cli.Command {
	list := func(name, alias, usage, otherwise string) cli.Flag {
		f := &cli.StringSliceFlag{Name: name, Usage: usage, DefaultText: otherwise}
		if alias != "" {
			f.Aliases = []string{alias}
		}
		return f
	}
	const models = "the model's"
	return &cli.Command{
		Name:  "bench",
		Usage: "measure how fast models run on this machine",
		UsageText: "llada bench (--model FILE | --synthetic SHAPE) [--tests LIST] [flags]\n\n" +
			"Example: llada bench --model mini-q4_0.gguf -p 512 -n 128 -d 0,1024 -t 1,2 --out result.json\n" +
			"         llada bench --synthetic mini --layers 4 --type q4_0,q8_0 --tests step32,step32/16 --interleave\n\n" +
			"Tests: ppN fills the cache with N tokens of a prompt; stepB is one denoising forward over a block of B with logits of\n" +
			"all rows, stepB/L with logits of L; commitB is the forward that makes a finished block final; blockB denoises a block\n" +
			"in a forced number of steps; genN generates N tokens. Without a number, pp is of -p, gen of -n, the others of --block-length.\n" +
			"Lists have numbers or names, and ranges a-b, a-b+step and a-b*mult, between commas; all combinations are measured. A schedule is forced,\n" +
			"so that steps write a fixed number of tokens whatever the model predicts, at threshold 1 and where weights are random.",
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "model", Aliases: []string{"m"}, Usage: "GGUF `FILE`; repeatable"},
			&cli.StringFlag{Name: "synthetic", Usage: "measure random weights of a `SHAPE`: " + bench.ShapeForm},
			&cli.IntFlag{Name: "layers", Usage: "leave `N` layers of the shape", DefaultText: "all"},
			list("type", "", "`LIST` of types of random weights", "q4_0"),
			&cli.Float64Flag{
				Name: "experts-touched", DefaultText: "left to chance",
				Usage: "`N` different experts of a layer that 32 tokens of random weights use together: about 70 in LLaDA2.0-mini",
			},
			list("tests", "", "`LIST` of tests", "pp,step,step/half,commit,block,gen"),
			list("n-prompt", "p", "`LIST` of tokens of pp; 0 leaves it out", "512"),
			list("n-gen", "n", "`LIST` of tokens of gen; 0 leaves it out", "128"),
			list("n-depth", "d", "`LIST` of positions in the cache before a test", "0"),
			list("threads", "t", "`LIST` of workers", "one per processor"),
			list("block-length", "", "`LIST` of lengths of blocks", models),
			list("steps", "", "`LIST` of denoising steps of a block: at most, or if forced exactly", models+", or a quarter of the block length if forced"),
			list("threshold", "", "`LIST` of probabilities above which gen accepts tokens", models),
			list("policy", "", "`LIST` of what decides which tokens gen accepts: "+policyNames(), "threshold, or the profile's"),
			list("profile", "", "`LIST` of exact, balanced, turbo, reference, for block and gen", "exact"),
			&cli.IntFlag{Name: "repetitions", Aliases: []string{"r"}, Value: bench.DefaultRepetitions, Usage: "`N` repetitions of each test"},
			&cli.BoolFlag{Name: "interleave", Usage: "let repetitions of all tests take turns, against noise; loads all models at once"},
			&cli.StringSliceFlag{Name: "external", Usage: "time another program's `COMMAND` as a process, too; quotes work, for more name a shell: sh -c '…'; repeatable"},
			&cli.StringSliceFlag{Name: "import", Usage: "show results of llama-bench from a JSON `FILE` beside ours; repeatable"},
			packFlag(), kvFlag(),
		}, resultFlags(reports.BenchForms())...),
		Action: e.bench,
	}
}

func (e *env) bench(c *cli.Context) (err error) {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	opt, err := benchOptions(c)
	if err != nil {
		return err
	}
	opt.Command = e.args
	imported, err := importResults(c.StringSlice("import"))
	if err != nil {
		return err
	}
	inputs := c.StringSlice("import")
	for _, m := range opt.Models {
		inputs = append(inputs, m.Path)
	}
	out, err := newResultOutput(c, reports.BenchForms(), inputs...)
	if err != nil {
		return err
	}
	defer out.close()
	bar := newProgress(e.stderr, "")
	opt.Progress = func(done, total int, next string) {
		bar.what, bar.unit = next, "repetitions"
		bar.items(done, total)
	}
	opt.Loading = func(model string, done, total int64) {
		bar.what, bar.unit = "loading "+model, ""
		bar.update(done, total)
	}
	result, err := bench.Run(c.Context, opt)
	bar.end()
	if setting := (*bench.SettingError)(nil); errors.As(err, &setting) {
		err = usageError{err}
	}
	if result == nil || len(result.Tests) == 0 && err != nil && !result.Interrupted {
		return err
	}
	// Of an interrupted benchmark, what there is.
	result.Imported = imported
	if failed := out.write(e.stdout, result); failed != nil {
		return errors.Join(err, failed)
	}
	return errors.Join(err, e.judge(result))
}

// judge says on standard error what was wrong with a measurement. It returns an error if
// a test failed.
func (e *env) judge(result *reports.Bench) error {
	for _, warning := range result.Machine.Warnings {
		fmt.Fprintln(e.stderr, "llada: warning:", warning)
	}
	warned, first := 0, ""
	var failed []error
	for i := range result.Tests {
		t := &result.Tests[i]
		if len(t.Warnings) > 0 {
			if warned++; warned == 1 {
				first = t.Name + ": " + t.Warnings[0]
			}
		}
		switch {
		case t.Error == "":
		case t.Kind == string(bench.Process):
			failed = append(failed, errors.New(t.Error))
		default:
			failed = append(failed, fmt.Errorf("%s: %s", t.Name, t.Error))
		}
	}
	if warned > 0 {
		fmt.Fprintf(e.stderr, "llada: warning: %d of %d tests have warnings, the first %s\n", warned, len(result.Tests), first)
	}
	return errors.Join(failed...)
}

// benchOptions reads the flags.
func benchOptions(c *cli.Context) (opt bench.Options, err error) {
	g := bench.Grid{}
	for _, name := range []string{"tests", "policy", "profile"} {
		if c.IsSet(name) {
			field := map[string]*[]string{"tests": &g.Tests, "policy": &g.Policy, "profile": &g.Profile}[name]
			if *field, err = bench.Names(c.StringSlice(name)...); err != nil {
				return opt, usagef("--%s: %w", name, err)
			}
		}
	}
	for name, field := range map[string]*[]int{
		"n-prompt": &g.Prompt, "n-gen": &g.Gen, "n-depth": &g.Depth, "threads": &g.Threads, "block-length": &g.Block, "steps": &g.Steps,
	} {
		if *field, err = bench.Ints(c.StringSlice(name)...); err != nil {
			return opt, usagef("--%s: %w", name, err)
		}
	}
	if g.Threshold, err = bench.Floats(c.StringSlice("threshold")...); err != nil {
		return opt, usagef("--threshold: %w", err)
	}
	if opt.Scenarios, err = g.Scenarios(); err != nil {
		return opt, usageError{err}
	}
	if opt.Models, err = sources(c); err != nil {
		return opt, err
	}
	opt.External = c.StringSlice("external")
	for _, line := range opt.External {
		if _, err := bench.Words(line); err != nil {
			return opt, usagef("--external: %w", err)
		}
	}
	if len(opt.Models)+len(opt.External) == 0 {
		return opt, usagef("give --model, --synthetic or --external; see llada bench --help")
	}
	opt.Repetitions, opt.Interleave = c.Int("repetitions"), c.Bool("interleave")
	if opt.Repetitions < 1 || opt.Repetitions > 1e6 {
		return opt, usagef("--repetitions: %d is not between 1 and 1000000", opt.Repetitions)
	}
	if opt.Pack, err = runtime.ParsePack(c.String("pack")); err != nil {
		return opt, usagef("--pack: %w", err)
	}
	if opt.KV, err = runtime.ParseKV(c.String("kv-type")); err != nil {
		return opt, usagef("--kv-type: %w", err)
	}
	opt.Program = thisProgram()
	return opt, nil
}

// sources returns the models.
func sources(c *cli.Context) (all []bench.Source, err error) {
	for _, path := range c.StringSlice("model") {
		if path == "" {
			return nil, usagef("flag --model is empty; see llada bench --help")
		}
		all = append(all, bench.Source{Path: path})
	}
	if !c.IsSet("synthetic") {
		for _, name := range []string{"layers", "type", "experts-touched"} {
			if c.IsSet(name) {
				return nil, usagef("--%s is for --synthetic", name)
			}
		}
		return all, nil
	}
	config, err := bench.Shape(c.String("synthetic"))
	if err != nil {
		return nil, usagef("--synthetic: %w", err)
	}
	if c.IsSet("layers") {
		if config.Layers = c.Int("layers"); config.Layers < 1 {
			return nil, usagef("--layers: %d is not above 0", config.Layers)
		}
		config.DenseLayers = min(config.DenseLayers, config.Layers)
		if err := config.Check(); err != nil {
			return nil, usagef("--layers: %w", err)
		}
	}
	types := []string{"q4_0"}
	if c.IsSet("type") {
		if types, err = bench.Names(c.StringSlice("type")...); err != nil {
			return nil, usagef("--type: %w", err)
		}
	}
	touched := c.Float64("experts-touched")
	if c.IsSet("experts-touched") && !(touched > 0) { // 0 would mean that it is not given
		return nil, usagef("--experts-touched: %g is not positive", touched)
	}
	for _, name := range types {
		typ, err := gguf.ParseType(name)
		if err != nil {
			return nil, usagef("--type: %w", err)
		}
		x := bench.Synthetic{Config: config, Type: typ, Seed: 1, Touched: touched}
		if err := x.Check(); err != nil {
			return nil, usagef("--synthetic: %w", err)
		}
		all = append(all, bench.Source{
			Name:      fmt.Sprintf("synthetic %s %s", c.String("synthetic"), typ),
			Synthetic: &x,
		})
	}
	return all, nil
}

// importResults reads files of llama-bench.
func importResults(paths []string) (all []reports.Imported, err error) {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		tests, notes, err := reports.ImportLlamaBench(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, reports.Imported{Source: path, Tests: tests, Notes: notes})
	}
	return all, nil
}

// thisProgram describes it.
func thisProgram() reports.Program {
	_, commit := build()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.modified" && s.Value == "true" {
				commit += "-dirty"
			}
		}
	}
	return reports.Program{Name: "llada", Commit: commit, Go: goruntime.Version(), Kernels: kernels.Implementation()}
}
