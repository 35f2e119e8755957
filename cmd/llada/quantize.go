package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"lladakit/convert"
)

func (e *env) quantizeCommand() *cli.Command {
	return &cli.Command{
		Name:  "quantize",
		Usage: "make a GGUF file of other formats from a GGUF file",
		UsageText: "llada quantize --from FILE --out FILE (--type TYPE | --recipe FILE | --target-size SIZE | --bpw N)\n\n" +
			"Example: llada quantize --from mini-bf16.gguf --out mini-8g.gguf --imatrix mini.imatrix --target-size 8GiB",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "GGUF `FILE` to read, any shard of a split one"},
			&cli.StringFlag{Name: "out", Usage: "GGUF `FILE` to write; it appears when it is complete"},
			&cli.BoolFlag{Name: "requantize", Usage: "accept a source that is quantized already; its errors stay"},
			&cli.StringFlag{Name: "split-size", Usage: "at most `SIZE` of weights in one file, such as 40GiB"},
			threadsFlag(),
			&cli.BoolFlag{Name: "allow-nonfinite", Usage: "accept infinities and NaNs (zero in quantized blocks)"},
			&cli.BoolFlag{Name: "json", Usage: "print what was written as JSON"},
			reportFlag(),
		}, recipeFlags("")...),
		Action: e.quantize,
	}
}

func (e *env) quantize(c *cli.Context) error {
	if !c.IsSet("type") && !c.IsSet("recipe") && !c.IsSet("target-size") && !c.IsSet("bpw") {
		return usagef("give one of --type, --recipe, --target-size, --bpw; see llada quantize --help")
	}
	w, err := e.newFileWork(c, convertTarget)
	if err != nil {
		return err
	}
	defer w.close()
	w.opt.AllowNonFinite = c.Bool("allow-nonfinite")
	source, err := convert.OpenGGUF(c.String("from"), c.Bool("requantize"))
	if errors.Is(err, convert.ErrRequantize) {
		return fmt.Errorf("%w; --requantize accepts it", err)
	}
	if err != nil {
		return err
	}
	defer source.Close()
	return w.do(c, source)
}
