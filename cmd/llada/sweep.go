package main

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/bench"
	"lladakit/datasets"
	"lladakit/reports"
	"lladakit/runtime"
)

func (e *env) sweepCommand() *cli.Command {
	return &cli.Command{
		Name:  "sweep",
		Usage: "measure speed and quality over a grid of settings and models, beside the recommended settings",
		UsageText: "llada sweep --model FILE (--data FILE | --task NAME) [--grid 'SETTING=LIST …'] [flags]\n\n" +
			"Example: llada sweep --model mini-q4_0.gguf --task gsm8k --limit 20 --grid 'threshold=0.85,0.9,0.95 block-length=16,32'\n" +
			"         llada sweep --model mini-q8_0.gguf --model mini-q4_0.gguf --data prompts.txt --grid 'profile=exact,turbo threads=1,2'\n\n" +
			"The grid has all combinations of the lists, and the recommended settings always. Settings are " + strings.Join(bench.SweepSettings(), ", ") + ".\n" +
			"Lists have values, ranges a-b, a-b+step and a-b*mult between commas. Prompts are answered one at a time, in turn by all.\n" +
			"Tasks are " + strings.Join(sweepTasks(), ", ") + ": their answers are judged as eval judges them.",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringSliceFlag{Name: "model", Aliases: []string{"m"}, Usage: "GGUF `FILE`; repeatable, and then all is relative to the first"},
			&cli.StringSliceFlag{Name: "grid", Usage: "`SETTINGS` with lists of values, as threshold=0.9,0.95 steps=16,32; repeatable", DefaultText: "the recommended settings alone"},
			&cli.StringFlag{Name: "data", Usage: "`FILE` of prompts: JSON lines with a prompt, question or text, or one text a line"},
			&cli.StringFlag{Name: "task", Usage: "`NAME` of a task of eval, whose answers are judged"},
			&cli.BoolFlag{Name: "offline", Usage: "fetch no data"},
			&cli.IntFlag{Name: "limit", Usage: "use `N` prompts: the first of --data, eval's choice of --task", DefaultText: "all"},
			&cli.BoolFlag{Name: "raw", Usage: "take the prompts as they are, without the chat form"},
			&cli.IntFlag{Name: "gen-length", Usage: "at most `N` tokens of each answer", DefaultText: "256, or what the task is made for"},
			&cli.IntFlag{Name: "repetitions", Aliases: []string{"r"}, Value: 3, Usage: "have everything answered `N` times, for the speed"},
			packFlag(), kvFlag(),
		}, sandboxFlags(), resultFlags(reports.SweepForms())),
		Action: e.sweep,
	}
}

func (e *env) sweep(c *cli.Context) error {
	opt, err := e.sweepOptions(c)
	if err != nil {
		return err
	}
	opt.Command = e.args
	out, err := newResultOutput(c, reports.SweepForms(), append(slices.Clone(opt.Models), c.String("data"))...)
	if err != nil {
		return err
	}
	defer out.close()
	bar := newProgress(e.stderr, "")
	opt.Progress = func(done, total int) {
		bar.what, bar.unit = "answering", "answers"
		bar.items(done, total)
	}
	opt.Loading = func(model string, done, total int64) {
		bar.what, bar.unit = "loading "+model, ""
		bar.update(done, total)
	}
	result, err := bench.Sweep(c.Context, opt)
	bar.end()
	if setting := (*bench.SettingError)(nil); errors.As(err, &setting) {
		err = usageError{err}
	}
	if result == nil {
		return err
	}
	return errors.Join(err, out.write(e.stdout, result)) // of an interrupted sweep, what there is
}

// sweepOptions reads the flags.
func (e *env) sweepOptions(c *cli.Context) (opt bench.SweepOptions, err error) {
	// What follows --grid without quotes belongs to it.
	grid := c.StringSlice("grid")
	if words := c.Args().Slice(); len(grid) > 0 && !slices.ContainsFunc(words, notSetting) {
		grid = append(grid, words...)
	} else if err := arguments(c, 0, ""); err != nil {
		return opt, err
	}
	if opt.Models = c.StringSlice("model"); len(opt.Models) == 0 || slices.Contains(opt.Models, "") {
		return opt, usagef("flag --model is missing or empty; see llada sweep --help")
	}
	if opt.Grid, err = bench.ParseSweepGrid(strings.Join(grid, " ")); err != nil {
		return opt, usagef("--grid: %w", err)
	}
	for _, n := range []struct {
		name  string
		field *int
	}{{"repetitions", &opt.Repetitions}, {"gen-length", &opt.GenLength}, {"limit", new(int)}} {
		if *n.field = c.Int(n.name); *n.field < 1 && c.IsSet(n.name) || *n.field > math.MaxInt32 {
			return opt, usagef("--%s: %d is not between 1 and %d", n.name, *n.field, math.MaxInt32)
		}
	}
	if opt.Pack, err = runtime.ParsePack(c.String("pack")); err != nil {
		return opt, usagef("--pack: %w", err)
	}
	if opt.KV, err = runtime.ParseKV(c.String("kv-type")); err != nil {
		return opt, usagef("--kv-type: %w", err)
	}
	opt.Raw, opt.Program = c.Bool("raw"), thisProgram()
	switch from, err := exactlyOne(c, "data", "task"); {
	case err != nil:
		return opt, err
	case c.String(from) == "":
		return opt, usagef("flag --%s is empty; see llada sweep --help", from)
	case from == "task":
		if err := e.sweepTask(c, &opt); err != nil {
			return opt, err
		}
	default:
		opt.Data = c.String("data")
		if opt.Prompts, err = datasets.Prompts(opt.Data); err != nil {
			return opt, err
		}
		if c.IsSet("limit") {
			opt.Prompts = opt.Prompts[:min(len(opt.Prompts), c.Int("limit"))]
		}
		if opt.GenLength == 0 {
			opt.GenLength = 256
		}
	}
	return opt, nil
}

func notSetting(word string) bool {
	return strings.HasPrefix(word, "-") || !strings.Contains(word, "=")
}
