package main

import (
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/quant"
)

func (e *env) verifyCommand() *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "prove a GGUF file against its checkpoint, tensor by tensor and expert by expert",
		UsageText: "llada verify --source DIR --gguf FILE [--imatrix FILE] [--manifest FILE] [--tensors] [--json]\n\n" +
			"Example: llada verify --source LLaDA2.0-mini --gguf mini-q8_0.gguf --manifest mini-q8_0.json",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "source", Usage: "checkpoint `DIR` that the file was made from"},
			&cli.StringFlag{Name: "gguf", Usage: "`FILE` to check; of a split one, any part"},
			&cli.StringFlag{Name: "imatrix", Usage: "importance `FILE` that the file was made with: its blocks are then compared bit by bit"},
			&cli.StringFlag{Name: "manifest", Usage: "write the sha256 of every tensor to `FILE`, as JSON, if there is no fault"},
			&cli.BoolFlag{Name: "tensors", Usage: "list the errors of every tensor"},
			threadsFlag(),
			&cli.IntFlag{Name: "mask-id", Usage: "`ID` of the mask token, for a checkpoint without tokenizer", DefaultText: "config.json's"},
			&cli.IntFlag{Name: "eos-id", Usage: "`ID` of the end token, for a checkpoint without tokenizer", DefaultText: "config.json's"},
			&cli.BoolFlag{Name: "json", Usage: "print findings, errors and digests as JSON"},
		},
		Action: e.verify,
	}
}

func (e *env) verify(c *cli.Context) (err error) {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	if err := needFlags(c, "source", "gguf"); err != nil {
		return err
	}
	for _, flag := range []string{"imatrix", "manifest"} {
		if c.IsSet(flag) {
			if err := needFlags(c, flag); err != nil {
				return err
			}
		}
	}
	bar := newProgress(e.stderr, "verifying")
	opt := convert.VerifyOptions{Progress: bar.update, MaskID: idFlag(c, "mask-id"), EOSID: idFlag(c, "eos-id")}
	if opt.Threads, err = threads(c); err != nil {
		return err
	}
	if c.IsSet("imatrix") {
		if opt.Importance, err = quant.OpenImportance(c.String("imatrix")); err != nil {
			return err
		}
	}
	checkpoint, err := convert.Open(c.String("source"))
	if err != nil {
		return err
	}
	defer checkpoint.Close()
	file, err := gguf.Open(c.String("gguf"))
	if err != nil {
		return err
	}
	defer file.Close()
	v, err := checkpoint.Verify(c.Context, file, opt)
	bar.end()
	if err != nil {
		return err
	}
	if c.IsSet("manifest") && v.Faults == 0 {
		if err := v.WriteManifest(c.String("manifest")); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		err = e.json(v)
	} else {
		err = e.printVerification(v, c.Bool("tensors"))
	}
	if err == nil && v.Faults > 0 {
		err = fmt.Errorf("%s is not what %s says: %d faults", c.String("gguf"), c.String("source"), v.Faults)
	}
	return err
}

func (e *env) printVerification(v *convert.Verification, tensors bool) error {
	if tensors {
		var rows [][]string
		for i := range v.Tensors {
			rows = append(rows, errorRow(&v.Tensors[i]))
		}
		header := []string{"tensor", "type", "max error", "relative RMS", "reachable", "worst expert"}
		if err := e.table(header, rows, 2, 3, 4, 5); err != nil {
			return err
		}
	}
	for _, f := range v.Findings {
		fmt.Fprintln(e.stdout, e.stdout.printable(f.String()))
	}
	_, err := fmt.Fprintf(e.stdout, "%d tensors, %d expert matrices, %d faults, sha256 %s\n", len(v.Tensors), v.Experts, v.Faults, v.SHA256)
	return err
}

// errorRow is a line of the table: of a stack of experts, with the one whose
// relative error is the greatest.
func errorRow(t *convert.TensorCheck) []string {
	if !t.Compared {
		return []string{shorten(t.Name), t.Type, "", "", "", ""}
	}
	worst := ""
	most := -1.0
	for _, x := range t.Experts {
		if x.RelRMS > most {
			most, worst = x.RelRMS, fmt.Sprintf("%d: %.4f", x.Expert, x.RelRMS)
		}
	}
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }
	return []string{shorten(t.Name), t.Type, number(t.MaxAbs), number(t.RelRMS), number(t.Reachable), worst}
}
