package main

import (
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"lladakit/eval"
)

func (e *env) kldCommand() *cli.Command {
	return &cli.Command{
		Name:  "kld",
		Usage: "measure how far a quantized model is from its reference at masked positions",
		UsageText: "llada kld --model FILE --reference FILE --data FILE\n\n" +
			"Example: llada kld --model mini-q4_0.gguf --reference mini-bf16.gguf --data gsm8k_test.jsonl --limit 50",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "GGUF `FILE` to measure"},
			&cli.StringFlag{Name: "reference", Usage: "GGUF `FILE` that it is measured against, which answers the prompts"},
			&cli.BoolFlag{Name: "json", Usage: "print the figures as JSON"},
		}, promptFlags()...),
		Action: e.kld,
	}
}

// distance is what kld --json prints.
type distance struct {
	Model     string        `json:"model"`
	Reference string        `json:"reference"`
	Prompts   int           `json:"prompts"`
	All       eval.Figures  `json:"all"`
	Buckets   []figuresUpTo `json:"by_mask_share"`
}

type figuresUpTo struct {
	UpTo float64 `json:"up_to"` // masked share of the block, above that of the entry before
	eval.Figures
}

func (e *env) kld(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	if err := needFlags(c, "model", "reference", "data"); err != nil {
		return err
	}
	model, err := e.load(c, c.String("model"))
	if err != nil {
		return err
	}
	defer model.Close()
	reference, err := e.load(c, c.String("reference"))
	if err != nil {
		return err
	}
	defer reference.Close()
	ids, opt, err := prompts(c, reference)
	if err != nil {
		return err
	}
	bar := newProgress(e.stderr, "comparing")
	bar.unit = "prompts"
	d, err := eval.Diverge(c.Context, model, reference, ids, opt, bar.items)
	bar.end()
	if err != nil {
		return err
	}
	out := distance{c.String("model"), c.String("reference"), len(ids), d.All, nil}
	for i, f := range d.Buckets {
		out.Buckets = append(out.Buckets, figuresUpTo{float64(i+1) / float64(len(d.Buckets)), f})
	}
	if c.Bool("json") {
		return e.json(out)
	}
	return e.printDistance(&out)
}

func (e *env) printDistance(d *distance) error {
	row := func(what string, f *eval.Figures) []string {
		if f.Positions == 0 {
			return []string{what, "0", "", "", "", ""}
		}
		return []string{
			what, strconv.Itoa(f.Positions),
			fmt.Sprintf("%.5f (%.5f to %.5f)", f.KLD.Mean, f.KLD.Low, f.KLD.High), fmt.Sprintf("%.4f", f.MaxKLD),
			fmt.Sprintf("%.2f %% (%.2f to %.2f)", 100*f.Agreement.Mean, 100*f.Agreement.Low, 100*f.Agreement.High),
			fmt.Sprintf("%.2f %% (%.2f to %.2f)", 100*f.ProbChange.Mean, 100*f.ProbChange.Low, 100*f.ProbChange.High),
		}
	}
	var rows [][]string
	for i := range d.Buckets {
		b := &d.Buckets[i]
		rows = append(rows, row(fmt.Sprintf("up to %.0f %%", 100*b.UpTo), &b.Figures))
	}
	rows = append(rows, row("all", &d.All))
	err := e.table([]string{"masked", "positions", "KLD, nats", "most", "same top token", "RMS change of its probability"}, rows, 1, 2, 3, 4, 5)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%d prompts; in brackets 95 %% intervals over prompts\n", d.Prompts)
	return err
}
