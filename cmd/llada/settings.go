package main

import (
	"fmt"
	"slices"
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
		&cli.StringFlag{Name: "policy", Value: runtime.PolicyThreshold, Usage: "`NAME` of what decides which tokens a step accepts: " + policyNames()},
		&cli.Float64Flag{Name: "factor", Usage: "`F` of policy factor", DefaultText: "1"},
		&cli.Float64Flag{Name: "entropy-bound", Usage: "`NATS` of policy entropy-bound", DefaultText: "0.15"},
		&cli.Float64Flag{Name: "kl-threshold", Usage: "`NATS` of policy klass", DefaultText: "0.01"},
		&cli.IntFlag{Name: "kl-history", Usage: "`N` steps of policy klass", DefaultText: "2"},
		&cli.Float64Flag{Name: "credit-alpha", Usage: "`WEIGHT` of credits of policy credit", DefaultText: "0.7"},
		&cli.Float64Flag{Name: "credit-gamma", Usage: "`EXPONENT` of policy credit", DefaultText: "0.2"},
		&cli.Float64Flag{Name: "credit-decay", Usage: "`SHARE` of credits that policy credit keeps a step", DefaultText: "0.8"},
		&cli.Float64Flag{Name: "low-threshold", Usage: "`P` of policy hierarchical", DefaultText: "0.4"},
		&cli.Float64Flag{Name: "edit-threshold", Usage: "policy joint replaces tokens by others more probable than `P`", DefaultText: "0.9"},
		&cli.IntFlag{Name: "post-steps", Usage: "at most `N` steps of policy joint after the last mask of a block", DefaultText: "16"},
		&cli.IntFlag{Name: "sub-block", Usage: "approximate: fill a block in parts of `N` positions, such as 8 or 16, from left to right"},
		&cli.StringFlag{Name: "profile", Value: "exact", Usage: "`NAME`: exact; reference, which recomputes everything at every step; or balanced, turbo, which are faster and approximate"},
		&cli.IntFlag{Name: "delayed", Usage: "approximate: a step computes masked and just decided positions only, but all every `R` steps"},
		&cli.StringFlag{Name: "coreset", Usage: "approximate: a block's positions share the `N` experts with the most votes, or P:MIN, those with a share P of them"},
		&cli.Float64Flag{Name: "kv-keep", Usage: "approximate: a block's steps, from the third on, see the share `P` of the positions before; for long contexts"},
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
	o.Use(runtime.Profile(c.String("profile")))
	if c.IsSet("threshold") {
		o.Threshold = float32(c.Float64("threshold"))
	}
	o.Temperature, o.TopP, o.Seed = c.Float64("temperature"), c.Float64("top-p"), c.Uint64("seed")
	if c.IsSet("eos-early-stop") {
		o.EOSEarlyStop = c.Bool("eos-early-stop")
	}
	o.Audit = c.Int("audit")
	if c.IsSet("delayed") {
		o.Delayed = c.Int("delayed")
	}
	o.KVKeep = c.Float64("kv-keep")
	if given(c, policyFlags()) {
		o.Policy = policy(c)
	}
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

// policyNames lists the policies.
func policyNames() string {
	var names []string
	for _, p := range runtime.Policies() {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// policy returns the options of the policy. There, 0 stands for the default and what
// is below 0 for 0.
func policy(c *cli.Context) runtime.PolicyOptions {
	number := func(name string) float64 {
		if x := c.Float64(name); x != 0 || !c.IsSet(name) {
			return x
		}
		return -1
	}
	count := func(name string) int {
		if n := c.Int(name); n != 0 || !c.IsSet(name) {
			return n
		}
		return -1
	}
	return runtime.PolicyOptions{
		Name: c.String("policy"), Factor: number("factor"), EntropyBound: number("entropy-bound"),
		KLThreshold: number("kl-threshold"), KLHistory: count("kl-history"),
		CreditAlpha: number("credit-alpha"), CreditGamma: number("credit-gamma"), CreditDecay: number("credit-decay"),
		LowThreshold:  float32(number("low-threshold")),
		EditThreshold: float32(number("edit-threshold")), PostSteps: count("post-steps"),
		SubBlock: c.Int("sub-block"),
	}
}

// policyFlags are those that choose a policy. One of them replaces the profile's.
func policyFlags() []string {
	return []string{
		"policy", "factor", "entropy-bound", "kl-threshold", "kl-history", "credit-alpha", "credit-gamma", "credit-decay",
		"low-threshold", "edit-threshold", "post-steps", "sub-block",
	}
}

func given(c *cli.Context, flags []string) bool { return slices.ContainsFunc(flags, c.IsSet) }

// checkPolicy refuses what no model could be asked for.
func checkPolicy(c *cli.Context) error {
	for _, p := range runtime.Policies() {
		if p.Name == c.String("policy") {
			for _, name := range []string{"factor", "entropy-bound", "kl-threshold", "credit-alpha", "credit-gamma", "credit-decay", "low-threshold", "edit-threshold"} {
				if c.Float64(name) < 0 {
					return usagef("--%s %g must not be negative", name, c.Float64(name))
				}
			}
			for _, name := range []string{"kl-history", "post-steps"} {
				if c.Int(name) < 0 {
					return usagef("--%s %d must not be negative", name, c.Int(name))
				}
			}
			return nil
		}
	}
	return usagef("--policy: %.40q is not one of %s", c.String("policy"), policyNames())
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
