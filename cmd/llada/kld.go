package main

import (
	"encoding/json"
	"slices"

	"github.com/urfave/cli/v2"

	"lladakit/bench"
	"lladakit/eval"
	"lladakit/reports"
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
		}, slices.Concat(promptFlags(), resultFlags(reports.DivergenceForms()))...),
		Action: e.kld,
	}
}

func (e *env) kld(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	if err := needFlags(c, "model", "reference", "data"); err != nil {
		return err
	}
	// Before models are loaded, which may take long.
	out, err := newResultOutput(c, reports.DivergenceForms(), c.String("model"), c.String("reference"), c.String("data"))
	if err != nil {
		return err
	}
	defer out.close()
	result := &reports.Divergence{
		Version: reports.DivergenceVersion, Program: thisProgram(), Machine: bench.ThisMachine(), Command: e.args, Started: now(),
		ModelPath: c.String("model"), ReferencePath: c.String("reference"), Data: c.String("data"),
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
	takeDivergence(result, d, len(ids))
	if result.Settings, err = json.Marshal(opt); err != nil {
		return err
	}
	if result.Model, err = modelFile(c.Context, model.Paths()[0], out.whole()); err != nil {
		return err
	}
	if result.Reference, err = modelFile(c.Context, reference.Paths()[0], out.whole()); err != nil {
		return err
	}
	if out.whole() {
		if result.DataHash, err = fileDigest(c.Context, result.Data); err != nil {
			return err
		}
	}
	return out.write(e.stdout, result)
}

// takeDivergence puts into a result what was measured with so many prompts.
func takeDivergence(r *reports.Divergence, d *eval.Divergence, prompts int) {
	r.Prompts, r.All = prompts, divergenceFigures(&d.All, 1)
	for i := range d.Buckets {
		r.Buckets = append(r.Buckets, divergenceFigures(&d.Buckets[i], float64(i+1)/float64(len(d.Buckets))))
	}
}

func divergenceFigures(f *eval.Figures, upTo float64) reports.DivergenceFigures {
	// Of equal models the sum over a vocabulary may be below zero by rounding.
	least := func(x eval.Interval) reports.Interval {
		return reports.Interval{Mean: max(0, x.Mean), Low: max(0, x.Low), High: max(0, x.High)}
	}
	return reports.DivergenceFigures{
		UpTo: upTo, Positions: f.Positions, KLD: least(f.KLD), Agreement: reports.Interval(f.Agreement), ProbChange: reports.Interval(f.ProbChange),
		MaxKLD: max(0, f.MaxKLD),
	}
}
