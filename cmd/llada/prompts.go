package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"lladakit/datasets"
	"lladakit/internal/tokenizer"
	"lladakit/runtime"
)

// promptFlags are for commands that have a model answer the prompts of a file.
func promptFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "data", Usage: "`FILE` of prompts: JSON lines with a prompt, question or text, or one text a line"},
		&cli.IntFlag{Name: "limit", Usage: "use the first `N` prompts", DefaultText: "all"},
		&cli.BoolFlag{Name: "raw", Usage: "take the prompts as they are, without the chat form"},
		&cli.IntFlag{Name: "gen-length", Value: 256, Usage: "at most `N` tokens of each answer"},
		&cli.IntFlag{Name: "block-length", Usage: "`N` positions denoised together", DefaultText: "the model's"},
		&cli.IntFlag{Name: "steps", Usage: "at most `N` denoising steps of a block", DefaultText: "the model's"},
		&cli.Float64Flag{Name: "threshold", Usage: "accept tokens more probable than `P`", DefaultText: "the model's"},
	}, loadFlags()...)
}

// prompts returns the ids of the prompts that the flags describe, and how to
// answer them.
func prompts(c *cli.Context, m *runtime.Model) ([][]int32, runtime.Options, error) {
	opt := m.Defaults()
	for name, field := range map[string]*int{"gen-length": &opt.GenLength, "block-length": &opt.BlockLength, "steps": &opt.Steps} {
		if c.IsSet(name) || name == "gen-length" {
			*field = c.Int(name)
		}
	}
	if c.IsSet("threshold") {
		opt.Threshold = float32(c.Float64("threshold"))
	}
	if m.Tokenizer == nil {
		return nil, opt, fmt.Errorf("%s has no vocabulary to read texts with", m.Paths()[0])
	}
	texts, err := datasets.Prompts(c.String("data"))
	if err != nil {
		return nil, opt, err
	}
	if c.IsSet("limit") {
		if c.Int("limit") < 1 {
			return nil, opt, usagef("--limit: %d is not positive", c.Int("limit"))
		}
		texts = texts[:min(len(texts), c.Int("limit"))]
	}
	all := make([][]int32, len(texts))
	for i, text := range texts {
		if c.Bool("raw") {
			all[i] = m.Tokenizer.Encode(text)
		} else if all[i], err = m.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: text}}); err != nil {
			return nil, opt, fmt.Errorf("%s: prompt %d: %w", c.String("data"), i+1, err)
		}
		if err := m.Check(&opt, len(all[i])); err != nil {
			return nil, opt, usagef("prompt %d of %d tokens: %w", i+1, len(all[i]), err)
		}
	}
	return all, opt, nil
}
