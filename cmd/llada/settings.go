package main

import (
	"github.com/urfave/cli/v2"

	"lladakit/runtime"
)

// settingFlags are the flags of runtime.Options. Defaults that a model file
// names are not values here: settings keeps what the file says.
func settingFlags() []cli.Flag {
	const models = "the model's"
	return []cli.Flag{
		&cli.IntFlag{Name: "gen-length", Usage: "at most `N` tokens of answer", DefaultText: "2048, or what the model has room for"},
		&cli.IntFlag{Name: "block-length", Usage: "`N` positions denoised together", DefaultText: models},
		&cli.IntFlag{Name: "steps", Usage: "at most `N` denoising steps of a block", DefaultText: models},
		&cli.Float64Flag{Name: "threshold", Usage: "accept tokens more probable than `P`", DefaultText: models},
		&cli.Float64Flag{Name: "temperature", Usage: "sample at temperature `T`; 0 takes the most probable token"},
		&cli.IntFlag{Name: "top-k", Usage: "sample among the `N` most probable tokens; 0 among all"},
		&cli.Float64Flag{Name: "top-p", Usage: "sample within the share `P` of the probability; 0 or 1 within all"},
		&cli.Uint64Flag{Name: "seed", Usage: "`SEED` of the sampling; equal seeds give equal answers"},
		&cli.IntFlag{Name: "minimal-topk", Value: 1, Usage: "limit the steps to gen-length / `N`"},
		&cli.BoolFlag{Name: "eos-early-stop", Usage: "stop inside a block once the answer is complete"},
		&cli.StringFlag{Name: "policy", Value: "threshold", Usage: "`NAME` of what decides which tokens a step accepts: threshold"},
		&cli.StringFlag{Name: "profile", Value: "exact", Usage: "`NAME`: exact, or reference, which recomputes everything at every step"},
	}
}

// settings returns the model's defaults with what the command line changes.
func settings(c *cli.Context, m *runtime.Model, prompt int) (runtime.Options, error) {
	o := m.Defaults()
	o.GenLength = max(1, min(o.GenLength, m.Config.Context-prompt))
	for name, field := range map[string]*int{
		"gen-length": &o.GenLength, "block-length": &o.BlockLength, "steps": &o.Steps,
		"top-k": &o.TopK, "minimal-topk": &o.MinimalTopK,
	} {
		if c.IsSet(name) {
			*field = c.Int(name)
		}
	}
	if c.IsSet("threshold") {
		o.Threshold = float32(c.Float64("threshold"))
	}
	o.Temperature, o.TopP, o.Seed = c.Float64("temperature"), c.Float64("top-p"), c.Uint64("seed")
	o.EOSEarlyStop, o.Profile = c.Bool("eos-early-stop"), runtime.Profile(c.String("profile"))
	if err := m.Check(&o, prompt); err != nil {
		return o, usageError{err}
	}
	return o, nil
}
