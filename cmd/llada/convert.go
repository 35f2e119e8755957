package main

import (
	"github.com/urfave/cli/v2"

	"lladakit/convert"
)

func (e *env) convertCommand() *cli.Command {
	return &cli.Command{
		Name:  "convert",
		Usage: "make a GGUF file from a checkpoint folder",
		UsageText: "llada convert --from DIR --out FILE [--type TYPE | --target-size SIZE]\n\n" +
			"Example: llada convert --from LLaDA2.0-mini --out mini-q4_k_m.gguf --type q4_k_m",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "checkpoint `DIR`: config.json, *.safetensors, tokenizer.json"},
			&cli.StringFlag{Name: "out", Usage: "GGUF `FILE` to write; it appears when it is complete"},
			&cli.StringFlag{Name: "split-size", Usage: "at most `SIZE` of weights in one file, such as 40GiB"},
			threadsFlag(),
			&cli.BoolFlag{Name: "allow-nonfinite", Usage: "accept infinities and NaNs (zero in quantized blocks)"},
			&cli.IntFlag{Name: "mask-id", Usage: "`ID` of the mask token, for a checkpoint without tokenizer", DefaultText: "config.json's"},
			&cli.IntFlag{Name: "eos-id", Usage: "`ID` of the end token, for a checkpoint without tokenizer", DefaultText: "config.json's"},
			&cli.BoolFlag{Name: "json", Usage: "print what was written as JSON"},
			reportFlag(),
		}, recipeFlags(convertTarget)...),
		Action: e.convert,
	}
}

// convertTarget is what a checkpoint is stored in.
const convertTarget = "bf16"

func (e *env) convert(c *cli.Context) error {
	w, err := e.newFileWork(c, convertTarget)
	if err != nil {
		return err
	}
	defer w.close()
	w.opt.AllowNonFinite = c.Bool("allow-nonfinite")
	w.opt.MaskID, w.opt.EOSID = idFlag(c, "mask-id"), idFlag(c, "eos-id")
	checkpoint, err := convert.Open(c.String("from"))
	if err != nil {
		return err
	}
	defer checkpoint.Close()
	return w.do(c, checkpoint)
}

// idFlag returns a token id, nil when the flag is not given.
func idFlag(c *cli.Context, name string) *int32 {
	if !c.IsSet(name) {
		return nil
	}
	id := int32(max(-1, min(c.Int(name), 1<<31-1))) // outside any vocabulary stays outside
	return &id
}
