package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"lladakit/internal/tokenizer"
	"lladakit/runtime"
)

func (e *env) runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "answer one prompt",
		UsageText: "llada run --model FILE (--prompt TEXT | --prompt-file FILE | --ids 1,2,3)\n\n" +
			"Example: llada run --model mini-q8_0.gguf --prompt 'Why is the sky blue?' --show",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "GGUF `FILE`"},
			&cli.StringFlag{Name: "prompt", Usage: "`TEXT` of the user's message"},
			&cli.StringFlag{Name: "prompt-file", Usage: "`FILE` with the text, - for standard input"},
			&cli.StringFlag{Name: "ids", Usage: "token ids instead of a text, separated by commas"},
			&cli.StringFlag{Name: "system", Usage: "`TEXT` of a system message"},
			&cli.BoolFlag{Name: "raw", Usage: "take the text as it is, without the chat form"},
			&cli.IntFlag{Name: "threads", Aliases: []string{"t"}, Usage: "workers (default: one per processor)"},
			&cli.BoolFlag{Name: "show", Usage: "watch the blocks denoise; without a terminal, print block by block"},
			&cli.BoolFlag{Name: "json", Usage: "print ids, text, forwards and timings as JSON"},
		}, settingFlags()...),
		Action: e.run,
	}
}

// settingFlags are the flags of runtime.Options. Defaults that a model file
// names are not shown as values here: settings keeps what the file says.
func settingFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "gen-length", Usage: "most tokens of the answer (default: 2048, or what the model has room for)"},
		&cli.IntFlag{Name: "block-length", Usage: "positions denoised together (default: the model's, 32)"},
		&cli.IntFlag{Name: "steps", Usage: "most denoising steps of a block (default: the model's, 32)"},
		&cli.Float64Flag{Name: "threshold", Usage: "accept tokens more probable than this (default: the model's, 0.95)"},
		&cli.Float64Flag{Name: "temperature", Usage: "sample at this temperature; 0 takes the most probable token"},
		&cli.IntFlag{Name: "top-k", Usage: "sample among this many tokens; 0 among all"},
		&cli.Float64Flag{Name: "top-p", Usage: "sample within this share of the probability; 0 or 1 within all"},
		&cli.Uint64Flag{Name: "seed", Usage: "of the sampling"},
		&cli.IntFlag{Name: "minimal-topk", Value: 1, Usage: "limits steps to gen-length / minimal-topk"},
		&cli.BoolFlag{Name: "eos-early-stop", Usage: "stop inside a block once the answer is complete"},
		&cli.StringFlag{Name: "policy", Value: "threshold", Usage: "which tokens a step accepts: threshold"},
		&cli.StringFlag{Name: "profile", Value: "exact", Usage: "exact, or reference: recompute everything at every step"},
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
	if policy := c.String("policy"); policy != "threshold" {
		return o, usagef("--policy: %q is not one of threshold", policy)
	}
	o.Temperature, o.TopP, o.Seed = c.Float64("temperature"), c.Float64("top-p"), c.Uint64("seed")
	o.EOSEarlyStop, o.Profile = c.Bool("eos-early-stop"), runtime.Profile(c.String("profile"))
	if err := m.Check(&o, prompt); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

// answer is what run --json prints.
type answer struct {
	PromptIDs     []int32            `json:"prompt_ids"`
	IDs           []int32            `json:"ids"`
	Text          string             `json:"text"`
	Finish        string             `json:"finish"`
	Forwards      runtime.Forwards   `json:"forwards"`
	StepsPerBlock []int              `json:"steps_per_block"`
	TPF           float64            `json:"tpf"`
	Timings       map[string]float64 `json:"timings_ms"`
	Settings      runtime.Options    `json:"settings"`
	Model         modelInfo          `json:"model"`
}

type modelInfo struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Type   string `json:"type"`
}

func (e *env) run(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	if err := require(c, "model"); err != nil {
		return err
	}
	from, err := exactlyOne(c, "prompt", "prompt-file", "ids")
	if err != nil {
		return err
	}
	start := time.Now()
	m, err := runtime.Load(c.String("model"), runtime.LoadOptions{Threads: c.Int("threads")})
	if err != nil {
		return err
	}
	defer m.Close()
	load := time.Since(start)
	prompt, err := e.promptIDs(c, m, from)
	if err != nil {
		return err
	}
	opt, err := settings(c, m, len(prompt))
	if err != nil {
		return err
	}
	var show *show
	if c.Bool("show") && !c.Bool("json") {
		show = newShow(e.stdout, m)
		opt.OnStep = show.step
	}
	result, err := m.Generate(c.Context, prompt, opt)
	if result == nil {
		return err
	}
	if show != nil {
		show.end(result)
	} else if !c.Bool("json") {
		e.printAnswer(m, result)
	}
	if err != nil {
		return fmt.Errorf("%w after %d tokens", err, len(result.IDs))
	}
	if c.Bool("json") {
		a, err := describe(c.Context, m, prompt, result, opt, load)
		if err != nil {
			return err
		}
		return e.json(a)
	}
	fmt.Fprintf(e.stderr, "%d tokens, %d forwards (%.2f tokens per forward), %.1f s\n",
		len(result.IDs), result.Forwards.Denoise, result.TPF(), time.Since(start).Seconds())
	return nil
}

// promptIDs returns the ids of the prompt that the flags describe.
func (e *env) promptIDs(c *cli.Context, m *runtime.Model, from string) ([]int32, error) {
	if from == "ids" {
		if c.IsSet("system") || c.Bool("raw") {
			return nil, usagef("--system and --raw are for texts, not for --ids")
		}
		ids, err := parseIDs(c.String("ids"))
		if err != nil {
			return nil, err
		}
		if err := m.CheckIDs(ids); err != nil {
			return nil, usagef("--ids: %w", err)
		}
		return ids, nil
	}
	if m.Tokenizer == nil {
		return nil, fmt.Errorf("%s has no vocabulary, since it was converted from a checkpoint without tokenizer.json: use --ids", m.Paths()[0])
	}
	text := c.String("prompt")
	if from == "prompt-file" {
		var err error
		if text, err = e.readText(c.String("prompt-file")); err != nil {
			return nil, err
		}
	}
	if c.Bool("raw") {
		if c.IsSet("system") {
			return nil, usagef("--system needs the chat form, which --raw leaves out")
		}
		return m.Tokenizer.Encode(text), nil
	}
	var messages []tokenizer.Message
	if c.IsSet("system") {
		messages = append(messages, tokenizer.Message{Role: "system", Content: c.String("system")})
	}
	return m.Tokenizer.EncodeChat(append(messages, tokenizer.Message{Role: "user", Content: text}))
}

// printAnswer prints the text, or the ids of a model without a vocabulary.
func (e *env) printAnswer(m *runtime.Model, r *runtime.Result) {
	if m.Tokenizer == nil {
		fmt.Fprintln(e.stdout, joinIDs(r.IDs))
		return
	}
	fmt.Fprintln(e.stdout, strings.TrimSuffix(printable(e.stdout, m.Text(r.IDs)), "\n"))
}

func describe(ctx context.Context, m *runtime.Model, prompt []int32, r *runtime.Result, opt runtime.Options, load time.Duration) (*answer, error) {
	sum, err := m.SHA256(ctx)
	if err != nil {
		return nil, err
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return &answer{
		PromptIDs: prompt, IDs: r.IDs, Text: m.Text(r.IDs), Finish: r.Finish,
		Forwards: r.Forwards, StepsPerBlock: r.StepsPerBlock, TPF: r.TPF(),
		Timings: map[string]float64{
			"load": ms(load), "prefill": ms(r.Prefill), "denoise": ms(r.Denoise), "commit": ms(r.Commit),
			"total": ms(load + r.Prefill + r.Denoise + r.Commit),
		},
		Settings: opt,
		Model:    modelInfo{File: m.Paths()[0], SHA256: sum, Type: m.FileType()},
	}, nil
}
