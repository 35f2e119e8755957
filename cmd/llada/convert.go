package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"lladakit/convert"
	"lladakit/quant"
)

func (e *env) convertCommand() *cli.Command {
	return &cli.Command{
		Name:  "convert",
		Usage: "make a GGUF file from a checkpoint folder",
		UsageText: "llada convert --from DIR --out FILE [--type TYPE]\n\n" +
			"Example: llada convert --from LLaDA2.0-mini --out mini-q8_0.gguf --type q8_0",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "checkpoint `DIR`: config.json, *.safetensors, tokenizer.json"},
			&cli.StringFlag{Name: "out", Usage: "GGUF `FILE` to write; it appears when it is complete"},
			&cli.StringFlag{Name: "type", Value: "bf16", Usage: "of the weight matrices: f32, f16, bf16, q8_0, q4_0"},
			&cli.StringFlag{Name: "split-size", Usage: "at most this much in one file, such as 40GiB"},
			&cli.IntFlag{Name: "threads", Aliases: []string{"t"}, Usage: "workers (default: one per processor)"},
			&cli.BoolFlag{Name: "allow-nonfinite", Usage: "accept infinities and NaNs (zero in quantized blocks)"},
			&cli.IntFlag{Name: "mask-id", Usage: "mask token's id, for a checkpoint without tokenizer"},
			&cli.IntFlag{Name: "eos-id", Usage: "end token's id, for a checkpoint without tokenizer"},
			&cli.BoolFlag{Name: "json", Usage: "print what was written as JSON"},
		},
		Action: e.convert,
	}
}

func (e *env) convert(c *cli.Context) (err error) {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	if err := require(c, "from", "out"); err != nil {
		return err
	}
	bar := newProgress(e.stderr, "converting")
	opt := convert.Options{
		AllowNonFinite: c.Bool("allow-nonfinite"), Threads: c.Int("threads"), Progress: bar.update,
		MaskID: idFlag(c, "mask-id"), EOSID: idFlag(c, "eos-id"),
	}
	if opt.Type, err = quant.ParseTarget(c.String("type")); err != nil {
		return usagef("--type: %w", err)
	}
	if c.IsSet("split-size") {
		if opt.SplitSize, err = parseSize(c.String("split-size")); err != nil {
			return err
		}
	}
	start := time.Now()
	checkpoint, err := convert.Open(c.String("from"))
	if err != nil {
		return err
	}
	defer checkpoint.Close()
	plan, err := checkpoint.Plan(opt)
	if err != nil {
		return err
	}
	result, err := plan.Write(c.Context, c.String("out"))
	bar.end()
	if err != nil {
		return err
	}
	if result.NonFinite > 0 {
		fmt.Fprintf(e.stderr, "llada: warning: %d weights are not finite\n", result.NonFinite)
	}
	bits := 8 * float64(plan.Bytes()) / float64(plan.Weights())
	if c.Bool("json") {
		return e.json(map[string]any{
			"files": result.Paths, "bytes": result.Bytes, "type": opt.Type.String(), "tensors": len(plan.Tensors),
			"weights": plan.Weights(), "bits_per_weight": bits, "nonfinite": result.NonFinite,
			"seconds": time.Since(start).Seconds(),
		})
	}
	for _, path := range result.Paths {
		fmt.Fprintln(e.stdout, path)
	}
	fmt.Fprintf(e.stderr, "%d tensors, %d weights, %s, %.2f bits per weight, %.1f s\n",
		len(plan.Tensors), plan.Weights(), size(uint64(result.Bytes)), bits, time.Since(start).Seconds())
	return nil
}

// idFlag returns a token id, nil when the flag is not given.
func idFlag(c *cli.Context, name string) *int32 {
	if !c.IsSet(name) {
		return nil
	}
	id := int32(max(-1, min(c.Int(name), 1<<31-1))) // outside any vocabulary stays outside
	return &id
}
