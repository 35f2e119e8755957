package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"lladakit/internal/blockstore"
	"lladakit/internal/tokenizer"
	"lladakit/runtime"
)

func (e *env) runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "answer one prompt",
		UsageText: "llada run --model FILE (--prompt TEXT | --prompt-file FILE | --ids 1,2,3)\n\n" +
			"Example: llada run --model mini-q8_0.gguf --prompt 'Why is the sky blue?' --show",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "GGUF `FILE`"},
			&cli.StringFlag{Name: "prompt", Usage: "`TEXT` of the user's message"},
			&cli.StringFlag{Name: "prompt-file", Usage: "`FILE` with the text, - for standard input"},
			&cli.StringFlag{Name: "ids", Usage: "token ids `1,2,3` instead of a text"},
			&cli.StringFlag{Name: "system", Usage: "`TEXT` of a system message"},
			&cli.BoolFlag{Name: "raw", Usage: "take the text as it is, without the chat form"},
			&cli.StringFlag{Name: "template", Usage: "`FILE` with the answer's text where it is known, and <|mask|> or <|mask:12|> for 1 or 12 tokens to be found"},
			&cli.StringFlag{Name: "prompt-cache", Usage: "`FOLDER` for what is computed of prompts, so that equal beginnings are computed once"},
			&cli.BoolFlag{Name: "show", Usage: "watch the blocks denoise; without a terminal, print block by block"},
			&cli.StringFlag{Name: "trace", Usage: "`FILE` to write every decision to, one JSON object a line for each step; compressed if it ends in .gz"},
			&cli.BoolFlag{Name: "json", Usage: "print ids, text, forwards and timings as one JSON document"},
		}, loadFlags(), settingFlags()),
		Action: e.run,
	}
}

// answer is what run --json prints.
type answer struct {
	PromptIDs     []int32            `json:"prompt_ids"`
	IDs           []int32            `json:"ids"`
	Text          string             `json:"text"`
	Finish        string             `json:"finish"` // eos, length, or interrupted
	Forwards      runtime.Forwards   `json:"forwards"`
	StepsPerBlock []int              `json:"steps_per_block"`
	TPF           float64            `json:"tpf"`
	Counters      counters           `json:"counters"`
	Class         runtime.Class      `json:"class"`
	Audit         *runtime.Audit     `json:"audit,omitempty"`
	Timings       map[string]float64 `json:"timings_ms"`
	Settings      runtime.Options    `json:"settings"`
	Model         modelInfo          `json:"model"`
}

// counters say what the answer took.
type counters struct {
	TPFWithCommits float64          `json:"tpf_with_commits"`
	StepsHistogram map[int]int      `json:"steps_histogram"` // blocks by how many steps they took
	FallbackShare  float64          `json:"fallback_share"`  // of the steps: too few tokens passed the threshold
	Rows           runtime.Forwards `json:"rows"`            // positions that the forwards computed
	CachedRows     int              `json:"cached_rows"`     // positions that the prompt cache had
	BytesPerToken  float64          `json:"bytes_per_token"` // of weights, keys and values read
}

func count(r *runtime.Result) counters {
	c := counters{TPFWithCommits: r.TPFWithCommits(), StepsHistogram: map[int]int{}, Rows: r.Rows, CachedRows: r.Cached}
	for _, steps := range r.StepsPerBlock {
		c.StepsHistogram[steps]++
	}
	if r.Forwards.Denoise > 0 {
		c.FallbackShare = float64(r.Fallbacks) / float64(r.Forwards.Denoise)
	}
	if len(r.IDs) > 0 {
		c.BytesPerToken = float64(r.Bytes) / float64(len(r.IDs))
	}
	return c
}

type modelInfo struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"` // of all its files; empty after an interrupt
	Type   string `json:"type"`
}

func (e *env) run(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	if err := needFlags(c, "model"); err != nil {
		return err
	}
	from, err := exactlyOne(c, "prompt", "prompt-file", "ids")
	if err != nil {
		return err
	}
	ids, err := parseIDs(c.String("ids"))
	if err != nil {
		return err
	}
	if err := checkRun(c, from, ids); err != nil {
		return err
	}
	start := time.Now()
	m, err := e.load(c, c.String("model"))
	if err != nil {
		return err
	}
	defer m.Close()
	load := time.Since(start)
	prompt, err := e.promptIDs(c, m, from, ids)
	if err != nil {
		return err
	}
	template, err := e.template(c, m)
	if err != nil {
		return err
	}
	opt, err := settings(c, m, len(prompt), template)
	if err != nil {
		return err
	}
	if dir := c.String("prompt-cache"); dir != "" && opt.Profile != runtime.Reference {
		cache, err := m.NewPromptCache(blockstore.Options{Dir: dir})
		if err != nil {
			return err
		}
		defer func() {
			if err := cache.Stats().Err; err != nil {
				fmt.Fprintf(e.stderr, "llada: the prompt cache is not used: %v\n", err)
			}
			cache.Close()
		}()
		opt.PromptCache = cache
	}
	show := newShow(e.stdout, m)
	result, err := generate(c, m, prompt, opt, show)
	if result == nil {
		return err
	}
	// Of an interrupted answer, what there is.
	if c.Bool("json") {
		a := describe(m, prompt, result, opt, load)
		if err == nil {
			a.Model.SHA256, err = m.SHA256(c.Context)
		}
		return errors.Join(err, e.json(a))
	}
	show.end(result)
	fmt.Fprintf(e.stderr, "%d tokens, %d forwards (%.2f tokens per forward), %.1f s\n",
		len(result.IDs), result.Forwards.Denoise, result.TPF(), time.Since(start).Seconds())
	return err
}

// generate answers the prompt under the eyes of --show and --trace.
func generate(c *cli.Context, m *runtime.Model, prompt []int32, opt runtime.Options, show *show) (*runtime.Result, error) {
	if c.Bool("show") {
		opt.OnStep = show.step
	}
	if !c.IsSet("trace") {
		return m.Generate(c.Context, prompt, opt)
	}
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	trace, err := createTrace(c.String("trace"), slices.Concat(m.Paths(), []string{c.String("prompt-file"), c.String("template")}), m, prompt, &opt, cancel)
	if err != nil {
		return nil, err
	}
	opt.OnStep = func(step runtime.Step) {
		if c.Bool("show") {
			show.step(step)
		}
		trace.step(step)
	}
	result, err := m.Generate(ctx, prompt, opt)
	if failed := trace.end(result, err); failed != nil {
		err = failed // which cancelled ctx
	}
	return result, err
}

// checkRun reports flags that contradict each other.
func checkRun(c *cli.Context, from string, ids []int32) error {
	switch {
	case from == "ids" && len(ids) == 0:
		return usagef("--ids: there is no id")
	case from == "ids" && (c.IsSet("system") || c.Bool("raw")):
		return usagef("--system and --raw are for texts, not for --ids")
	case c.IsSet("system") && c.Bool("raw"):
		return usagef("--system needs the chat form, which --raw leaves out")
	case c.Bool("show") && c.Bool("json"):
		return usagef("--show is for people and --json for programs: give one of them")
	case c.IsSet("trace") && c.String("trace") == "":
		return usagef("--trace is empty; see llada run --help")
	}
	return checkPolicy(c)
}

// promptIDs returns the ids of the prompt that the flags describe, which are
// the given ones for --ids.
func (e *env) promptIDs(c *cli.Context, m *runtime.Model, from string, ids []int32) ([]int32, error) {
	if from == "ids" {
		if err := m.CheckIDs(ids); err != nil {
			return nil, usagef("--ids: %w", err)
		}
		return ids, nil
	}
	if m.Tokenizer == nil {
		return nil, usagef("%s has no vocabulary, since it was converted from a checkpoint without tokenizer.json: use --ids", m.Paths()[0])
	}
	text := c.String("prompt")
	if from == "prompt-file" {
		var err error
		if text, err = e.readText(c.String("prompt-file")); err != nil {
			return nil, err
		}
	}
	if c.Bool("raw") {
		return m.Tokenizer.Encode(text), nil
	}
	var messages []tokenizer.Message
	if c.IsSet("system") {
		messages = append(messages, tokenizer.Message{Role: "system", Content: c.String("system")})
	}
	return m.Tokenizer.EncodeChat(append(messages, tokenizer.Message{Role: "user", Content: text}))
}

// template returns the tokens of --template, nil without it.
func (e *env) template(c *cli.Context, m *runtime.Model) ([]int32, error) {
	path := c.String("template")
	if path == "" {
		return nil, nil
	}
	if m.Tokenizer == nil {
		return nil, usagef("%s has no vocabulary, which --template needs", m.Paths()[0])
	}
	text, err := e.readText(path)
	if err != nil {
		return nil, err
	}
	ids, err := parseTemplate(text, m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ids, nil
}

// describe leaves out the model's digest, which takes reading all of it.
func describe(m *runtime.Model, prompt []int32, r *runtime.Result, opt runtime.Options, load time.Duration) *answer {
	return &answer{
		PromptIDs: prompt, IDs: r.IDs, Text: m.Text(r.IDs), Finish: r.Finish,
		Forwards: r.Forwards, StepsPerBlock: r.StepsPerBlock, TPF: r.TPF(),
		Counters: count(r), Class: r.Class, Audit: r.Audit,
		Timings: map[string]float64{
			"load": milliseconds(load), "prefill": milliseconds(r.Prefill), "denoise": milliseconds(r.Denoise), "commit": milliseconds(r.Commit),
			"total": milliseconds(load + r.Prefill + r.Denoise + r.Commit),
		},
		Settings: opt,
		Model:    modelInfo{File: m.Paths()[0], Type: m.FileType()},
	}
}
