package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/eval"
	"lladakit/quant"
	"lladakit/runtime"
)

func (e *env) imatrixCommand() *cli.Command {
	return &cli.Command{
		Name:  "imatrix",
		Usage: "measure the importance of weight columns, expert by expert, while a model answers prompts",
		UsageText: "llada imatrix --model FILE --data FILE --out FILE\n\n" +
			"Example: llada imatrix --model mini-bf16.gguf --data gsm8k_train.jsonl --limit 100 --out mini.imatrix",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "GGUF `FILE`, as exact as there is"},
			&cli.StringFlag{Name: "out", Usage: "importance `FILE` to write, in llama.cpp's form"},
			&cli.IntFlag{Name: "sensitivity", Value: 8, Usage: "measure what errors of each tensor do to `N` of the answers; 0 leaves that out"},
			&cli.BoolFlag{Name: "json", Usage: "print what was measured as JSON"},
		}, promptFlags()...),
		Action: e.imatrix,
	}
}

// measured is what imatrix --json prints.
type measured struct {
	File     string        `json:"file"`
	Prompts  int           `json:"prompts"`
	Entries  int           `json:"entries"`
	Rows     []uint64      `json:"rows_by_mask_share"` // blocks without masks, then up to each quarter
	Coverage eval.Coverage `json:"coverage"`
}

func (e *env) imatrix(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	if err := needFlags(c, "model", "data", "out"); err != nil {
		return err
	}
	m, err := e.load(c, c.String("model"))
	if err != nil {
		return err
	}
	defer m.Close()
	ids, opt, err := prompts(c, m)
	if err != nil {
		return err
	}
	bar := newProgress(e.stderr, "answering")
	bar.unit = "prompts"
	importance, err := eval.Importance(c.Context, m, ids, opt, bar.items)
	bar.end()
	if err != nil {
		return err
	}
	if err := e.sensitivity(c, m, importance, ids, opt); err != nil {
		return err
	}
	importance.Datasets = []string{filepath.Base(c.String("data"))}
	if err := writeImportance(c.String("out"), importance); err != nil {
		return err
	}
	coverage := eval.Cover(m, importance)
	if c.Bool("json") {
		return e.json(measured{c.String("out"), len(ids), len(importance.Entries), importance.Rows, coverage})
	}
	e.warnCoverage(coverage)
	_, err = fmt.Fprintln(e.stdout, c.String("out"))
	return err
}

// sensitivity measures on a few of the prompts, evenly spread.
func (e *env) sensitivity(c *cli.Context, m *runtime.Model, importance *quant.Importance, ids [][]int32, opt runtime.Options) error {
	n := min(c.Int("sensitivity"), len(ids))
	if n < 0 {
		return usagef("--sensitivity: %d is negative", n)
	}
	if n == 0 {
		return nil
	}
	var some [][]int32
	for i := range n {
		some = append(some, ids[i*len(ids)/n])
	}
	bar := newProgress(e.stderr, "measuring sensitivity")
	bar.unit = "tensors"
	defer bar.end()
	return eval.MeasureSensitivity(c.Context, m, importance, some, opt, bar.items)
}

func writeImportance(path string, m *quant.Importance) error {
	f, err := createFile(path)
	if err != nil {
		return err
	}
	if err := m.Write(f); err != nil {
		f.discard()
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.commit()
}

// warnCoverage says which experts the prompts did not reach.
func (e *env) warnCoverage(c eval.Coverage) {
	for _, part := range []struct {
		what    string
		experts []string
	}{
		{"were never reached and will be quantized as if all columns mattered alike", c.Never},
		{fmt.Sprintf("were reached by fewer than %d tokens", eval.RareRows), c.Rarely},
	} {
		if n := len(part.experts); n > 0 {
			fmt.Fprintf(e.stderr, "llada: warning: %d of %d experts %s: %s\n", n, c.Experts, part.what, strings.Join(part.experts, ", "))
		}
	}
}
