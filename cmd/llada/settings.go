package main

import (
	"fmt"
	"strconv"
	"strings"

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
		&cli.IntFlag{Name: "delayed", Usage: "approximate: a step computes masked and just decided positions only, but all every `R` steps"},
		&cli.StringFlag{Name: "coreset", Usage: "approximate: a block's positions share the `N` experts with the most votes, or P:MIN, those with a share P of them"},
		&cli.StringFlag{Name: "without", Usage: "leave out savings that change no result: `LIST` of fused-commit, skipped-commit, masked-logits, pruned-layer"},
		&cli.IntFlag{Name: "audit", Usage: "hold `N` random steps against the reference"},
	}
}

// settings returns the model's defaults with what the command line changes. With a
// template, the answer is as long as it.
func settings(c *cli.Context, m *runtime.Model, prompt int, template []int32) (runtime.Options, error) {
	o := m.Defaults()
	o.GenLength = max(1, min(o.GenLength, m.Config.Context-prompt))
	if len(template) > 0 {
		o.Template, o.GenLength = template, len(template)
	}
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
	o.Delayed, o.Audit = c.Int("delayed"), c.Int("audit")
	var err error
	if o.Coreset, err = parseCoreset(c.String("coreset")); err != nil {
		return o, usagef("--coreset: %w", err)
	}
	if o.Without, err = parseWithout(c.String("without")); err != nil {
		return o, usagef("--without: %w", err)
	}
	if err = m.Check(&o, prompt); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

// parseCoreset reads "N" or "P:MIN".
func parseCoreset(text string) (set runtime.Coreset, err error) {
	if text == "" {
		return set, nil
	}
	mass, least, shares := strings.Cut(text, ":")
	if !shares {
		if set.Size, err = strconv.Atoi(text); err != nil || set.Size < 1 {
			return set, fmt.Errorf("%.40q is neither a number of experts nor P:MIN", text)
		}
		return set, nil
	}
	p, err := strconv.ParseFloat(mass, 32)
	if err == nil {
		set.Min, err = strconv.Atoi(least)
	}
	if set.Mass = float32(p); err != nil || !(p > 0 && p <= 1) || set.Min < 0 {
		return set, fmt.Errorf("%.40q is no share between 0 and 1 with a number of experts behind it", text)
	}
	return set, nil
}

// parseWithout reads a list of savings.
func parseWithout(text string) (w runtime.Without, err error) {
	savings := map[string]*bool{
		"fused-commit": &w.FusedCommit, "skipped-commit": &w.SkippedCommit,
		"masked-logits": &w.MaskedLogits, "pruned-layer": &w.PrunedLayer,
	}
	if text == "" {
		return w, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		field := savings[name]
		if field == nil {
			return w, fmt.Errorf("%.40q is not one of fused-commit, skipped-commit, masked-logits, pruned-layer", name)
		}
		*field = true
	}
	return w, nil
}
