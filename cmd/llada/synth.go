package main

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"lladakit/bench"
	"lladakit/internal/gguf"
	"lladakit/runtime"
)

func (e *env) synthCommand() *cli.Command {
	return &cli.Command{
		Name:  "synth",
		Usage: "make a model with random weights, to measure a machine with",
		UsageText: "llada synth --shape SHAPE --out FILE.gguf [--type TYPE] [--experts-touched N]\n" +
			"llada synth --shape SHAPE --out DIR --hf\n\n" +
			"SHAPE is " + bench.ShapeForm + ".\nThe numbers have the keys " + strings.Join(bench.ShapeKeys(), ", ") + ".\n\n" +
			"Example: llada synth --shape mini:layers=4 --type q4_0 --experts-touched 70 --out mini-4.gguf",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "shape", Usage: "`SHAPE` of the model, for example mini or 4x2048:experts=64,used=8,ff=512"},
			&cli.StringFlag{Name: "type", Usage: "`TYPE` of the weights", DefaultText: "q4_0, or bf16 with --hf"},
			&cli.Float64Flag{
				Name: "experts-touched", DefaultText: "left to chance",
				Usage: "`N` different experts of a layer that 32 tokens use together: about 70 in LLaDA2.0-mini",
			},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "`N` from which the weights are made: equal seeds give equal files"},
			&cli.StringFlag{Name: "out", Usage: "`PATH` to write: a name ending in .gguf, or with --hf a folder; it appears when it is complete"},
			&cli.BoolFlag{Name: "hf", Usage: "write a checkpoint folder, as it would be downloaded, for convert"},
			&cli.BoolFlag{Name: "json", Usage: "print what was written as JSON"},
		},
		Action: e.synth,
	}
}

// synthesized is what synth --json prints.
type synthesized struct {
	Path    string          `json:"path"`
	Form    string          `json:"form"` // gguf or hf
	Shape   string          `json:"shape"`
	Type    string          `json:"type"`
	Seed    uint64          `json:"seed"`
	Bytes   int64           `json:"bytes"`   // of all files
	Wanted  float64         `json:"wanted"`  // experts touched; 0: left to chance
	Touched []bench.Touched `json:"touched"` // by layer with experts; empty where it was left to chance
	Seconds float64         `json:"seconds"`
}

func (e *env) synth(c *cli.Context) error {
	start := time.Now()
	x, err := readSynthetic(c)
	if err != nil {
		return err
	}
	out := synthesized{
		Path: c.String("out"), Form: "gguf", Shape: c.String("shape"), Type: x.Type.String(), Seed: x.Seed,
		Wanted: x.Touched, Touched: []bench.Touched{},
	}
	bar := newProgress(e.stderr, "writing")
	x.Progress = bar.update
	if c.Bool("hf") {
		out.Form = "hf"
		out.Touched, err = bench.SynthesizeHF(c.Context, out.Path, x)
	} else {
		err = bench.Synthesize(c.Context, out.Path, x)
	}
	bar.end()
	if err == nil && out.Form == "gguf" && x.Touched > 0 {
		out.Touched, err = touched(c.Context, out.Path)
	}
	if err == nil {
		out.Bytes, err = bytesOf(out.Path)
	}
	if err != nil {
		return err
	}
	if out.Touched == nil {
		out.Touched = []bench.Touched{}
	}
	out.Seconds = time.Since(start).Seconds()
	e.warnTouched(&out)
	if c.Bool("json") {
		return e.json(out)
	}
	fmt.Fprintln(e.stdout, out.Path)
	if len(out.Touched) > 0 {
		ids, masks := meanTouched(out.Touched)
		fmt.Fprintf(e.stderr, "32 random tokens touch %.1f experts of a layer, 32 masks %.1f\n", ids, masks)
	}
	fmt.Fprintf(e.stderr, "%s, %s, %.1f s\n", out.Type, size(uint64(out.Bytes)), out.Seconds)
	return nil
}

// readSynthetic reads the flags.
func readSynthetic(c *cli.Context) (x bench.Synthetic, err error) {
	if err := arguments(c, 0, ""); err != nil {
		return x, err
	}
	if err := needFlags(c, "shape", "out"); err != nil {
		return x, err
	}
	isGGUF := strings.EqualFold(filepath.Ext(c.String("out")), ".gguf")
	switch hf := c.Bool("hf"); {
	case !hf && !isGGUF:
		return x, usagef("--out: %q does not end in .gguf; give --hf too for a checkpoint folder", c.String("out"))
	case hf && isGGUF:
		return x, usagef("--hf writes a checkpoint folder, and --out %q is the name of a GGUF file", c.String("out"))
	}
	if x.Config, err = bench.Shape(c.String("shape")); err != nil {
		return x, usagef("--shape: %w", err)
	}
	x.Type = gguf.Q4_0
	if c.Bool("hf") {
		x.Type = gguf.BF16
	}
	if c.IsSet("type") {
		t, err := gguf.ParseType(c.String("type"))
		if err != nil {
			return x, usagef("--type: %w", err)
		}
		if c.Bool("hf") && t != gguf.BF16 {
			return x, usagef("--type: a checkpoint folder has weights of type bf16; llada convert makes others of it")
		}
		x.Type = t
	}
	x.Seed = c.Uint64("seed")
	if c.IsSet("experts-touched") {
		x.Touched = c.Float64("experts-touched")
		if !(x.Touched > 0) { // 0 would mean that it is not given
			return x, usagef("--experts-touched: %g is not positive", x.Touched)
		}
	}
	if err := x.Check(); err != nil {
		return x, usageError{err}
	}
	return x, nil
}

// touched counts the experts that a file's model uses.
func touched(ctx context.Context, path string) ([]bench.Touched, error) {
	m, err := runtime.LoadContext(ctx, path, runtime.LoadOptions{Pack: runtime.PackNone})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return bench.MeasureTouched(ctx, m)
}

// meanTouched returns the means over all layers.
func meanTouched(all []bench.Touched) (ids, masks float64) {
	for _, t := range all {
		ids += t.IDs / float64(len(all))
		masks += t.Masks / float64(len(all))
	}
	return ids, masks
}

// warnTouched says when the wanted number was missed.
func (e *env) warnTouched(s *synthesized) {
	if len(s.Touched) == 0 {
		return
	}
	ids, masks := meanTouched(s.Touched)
	if got := (ids + masks) / 2; math.Abs(got/s.Wanted-1) > 0.05 {
		fmt.Fprintf(e.stderr, "llada: warning: %.1f experts of a layer are touched on average, not %g: tokens of random models are too much alike\n", got, s.Wanted)
	}
}

// bytesOf returns the size of a file, or of those in a folder.
func bytesOf(path string) (total int64, err error) {
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
