package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/internal/gguf"
	"lladakit/quant"
)

// recipeFlags say which format every tensor gets.
func recipeFlags(target string) []cli.Flag {
	names := strings.Join(quant.TargetNames(), ", ")
	return []cli.Flag{
		&cli.StringFlag{Name: "type", Usage: "`TYPE` of the file: " + names, DefaultText: target},
		&cli.BoolFlag{Name: "pure", Usage: "give every matrix the type's base format"},
		&cli.StringSliceFlag{Name: "tensor-type", Usage: "`REGEX=TYPE` of the tensors whose names match; repeatable, the first match decides"},
		&cli.StringFlag{Name: "output-type", Usage: "`TYPE` of the output matrix"},
		&cli.StringFlag{Name: "embedding-type", Usage: "`TYPE` of the token embedding"},
		&cli.StringSliceFlag{Name: "expert-type", Usage: "types of single experts, such as `'layers=1-19 experts=top25%:q8_0 rest:q4_0'`; repeatable"},
		&cli.StringFlag{Name: "recipe", Usage: "YAML `FILE` with all of these; flags beside it come first"},
		&cli.StringFlag{Name: "imatrix", Usage: "importance `FILE`, see llada imatrix"},
		&cli.StringFlag{Name: "target-size", Usage: "choose every format such that the file has at most `SIZE`, such as 8GiB"},
		&cli.Float64Flag{Name: "bpw", Usage: "the same with `N` bits of the file for each weight"},
		&cli.BoolFlag{Name: "dry-run", Usage: "print the formats and sizes, and write nothing"},
	}
}

// recipe reads the recipe flags; the target is what a command uses without any.
func (e *env) recipe(c *cli.Context, target string) (r quant.Recipe, err error) {
	if c.IsSet("recipe") {
		if r, err = readRecipe(c.String("recipe")); err != nil {
			return r, err
		}
	}
	switch {
	case c.IsSet("type"):
		target = c.String("type")
		fallthrough
	case !c.IsSet("recipe"):
		if r.Target, err = quant.ParseTarget(target); err != nil {
			return r, usagef("--type: %w", err)
		}
	}
	r.Pure = r.Pure || c.Bool("pure")
	for name, field := range map[string]**gguf.Type{"output-type": &r.Output, "embedding-type": &r.Embedding} {
		if !c.IsSet(name) {
			continue
		}
		t, err := quant.ParseType(c.String(name))
		if err != nil {
			return r, usagef("--%s: %w", name, err)
		}
		*field = &t
	}
	var rules []quant.Rule
	for _, text := range c.StringSlice("tensor-type") {
		rule, err := quant.ParseRule(text)
		if err != nil {
			return r, usagef("--tensor-type: %w", err)
		}
		rules = append(rules, rule)
	}
	r.Rules = append(rules, r.Rules...)
	var experts []quant.ExpertRule
	for _, text := range c.StringSlice("expert-type") {
		rule, err := quant.ParseExpertRule(text)
		if err != nil {
			return r, usagef("--expert-type: %w", err)
		}
		experts = append(experts, rule)
	}
	r.Experts = append(experts, r.Experts...)
	return r, nil
}

func readRecipe(path string) (quant.Recipe, error) {
	f, err := os.Open(path)
	if err != nil {
		return quant.Recipe{}, err
	}
	defer f.Close()
	r, err := quant.ReadRecipe(f)
	if err != nil {
		return quant.Recipe{}, fmt.Errorf("%s: %w", path, err)
	}
	return *r, nil
}

// budget is a size that is to be kept; the zero value is none.
type budget struct {
	bytes uint64
	bits  float64 // for each weight
}

func readBudget(c *cli.Context) (b budget, err error) {
	switch size, bits := c.IsSet("target-size"), c.IsSet("bpw"); {
	case size && bits:
		return b, usagef("--target-size and --bpw both give a size: give one of them")
	case (size || bits) && (c.IsSet("type") || c.IsSet("pure") || c.IsSet("expert-type")):
		return b, usagef("--type, --pure and --expert-type choose formats, which a given size does: give one or the other")
	case size:
		if b.bytes, err = parseSize(c.String("target-size")); err != nil {
			return b, usagef("--target-size: %w", err)
		}
	case bits:
		if b.bits = c.Float64("bpw"); !(b.bits > 0 && b.bits <= 32) {
			return b, usagef("--bpw: %g is not between 0 and 32", b.bits)
		}
	}
	return b, nil
}
