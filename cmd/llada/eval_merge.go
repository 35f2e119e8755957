package main

import (
	"errors"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/bench"
	"lladakit/eval"
	"lladakit/reports"
)

func (e *env) evalMergeCommand() *cli.Command {
	return &cli.Command{
		Name:      "merge",
		Usage:     "put the runs of all shards together",
		UsageText: "llada eval merge --out DIR [--partial] SHARD_DIR…\n\nExample: llada eval merge --out result shards/shard-*",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "`DIR` for the whole run"},
			&cli.BoolFlag{Name: "partial", Usage: "accept missing shards and samples; llada eval --resume can make up for them"},
			&cli.StringFlag{Name: "k", Usage: "`LIST` of k of pass@k", DefaultText: "those of the shards"},
		}, formFlags(reports.EvalForms())...),
		Action: e.evalMerge,
	}
}

func (e *env) evalMerge(c *cli.Context) error {
	if err := needFlags(c, "out"); err != nil {
		return err
	}
	dirs := c.Args().Slice()
	if len(dirs) == 0 {
		return usagef("SHARD_DIR is missing; see llada eval merge --help")
	}
	for _, dir := range dirs {
		switch {
		case dir == "":
			return usagef("a SHARD_DIR is empty; see llada eval merge --help")
		case strings.HasPrefix(dir, "-"):
			return usagef("flag %s must stand before other arguments; see llada eval merge --help", dir)
		}
	}
	forms, err := resultForms(c, reports.EvalForms())
	if err != nil {
		return err
	}
	opt := eval.MergeOptions{Dir: c.String("out"), Shards: dirs, Partial: c.Bool("partial"), Command: e.args}
	if c.IsSet("k") {
		if opt.K, err = bench.Ints(c.String("k")); err != nil {
			return usagef("--k: %w", err)
		}
	}
	result, _, err := eval.Merge(opt)
	if result == nil {
		return folderError(err)
	}
	return errors.Join(err, e.printEval(result, forms))
}
