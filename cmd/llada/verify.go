package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"lladakit/bench"
	"lladakit/convert"
	"lladakit/internal/gguf"
	"lladakit/quant"
	"lladakit/reports"
)

func (e *env) verifyCommand() *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "prove a GGUF file against its checkpoint, tensor by tensor and expert by expert",
		UsageText: "llada verify --source DIR --gguf FILE [--imatrix FILE] [--manifest FILE] [--tensors] [--json] [--out FILE]\n\n" +
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
			&cli.StringSliceFlag{Name: "output", Aliases: []string{"o"}, Usage: "`LIST` of forms to print: md, json", DefaultText: "findings, a line each"},
			&cli.BoolFlag{Name: "json", Usage: "print findings, errors and digests as JSON, as -o json does"},
			&cli.StringFlag{Name: "out", Usage: "`FILE` for the result as JSON"},
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
	out, err := newResultOutput(c, reports.VerificationForms(), verifyInputs(c, file)...)
	if err != nil {
		return err
	}
	defer out.close()
	text := !c.IsSet("output") && !c.Bool("json")
	if text {
		out.forms = nil
	}
	result := &reports.Verification{
		Version: reports.VerificationVersion, Program: thisProgram(), Machine: bench.ThisMachine(), Command: e.args, Started: now(),
		Source: c.String("source"),
	}
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
	takeVerification(result, v)
	if result.File, err = describeFile(c.Context, file, out.whole()); err != nil {
		return err
	}
	err = out.write(e.stdout, result)
	if text {
		err = errors.Join(err, e.printVerification(result, c.Bool("tensors")))
	}
	if err == nil && v.Faults > 0 {
		err = fmt.Errorf("%s is not what %s says: %d faults", c.String("gguf"), c.String("source"), v.Faults)
	}
	return err
}

// verifyInputs are the files that --out must not replace.
func verifyInputs(c *cli.Context, file *gguf.File) []string {
	all := append([]string{c.String("imatrix")}, file.Paths...)
	entries, _ := os.ReadDir(c.String("source")) // which was opened
	for _, entry := range entries {
		all = append(all, filepath.Join(c.String("source"), entry.Name()))
	}
	return all
}

// takeVerification puts into a result what was found.
func takeVerification(r *reports.Verification, v *convert.Verification) {
	r.Files, r.SHA256, r.Experts, r.Faults, r.RelRMS = v.Files, v.SHA256, v.Experts, v.Faults, v.RelRMS
	r.Found, r.Checks = []reports.Finding{}, []reports.TensorCheck{}
	for _, f := range v.Findings {
		r.Found = append(r.Found, reports.Finding{
			Severity: string(f.Severity), Tensor: f.Tensor, Layer: f.Layer, Expert: f.Expert, Kind: string(f.Kind), Text: f.Text,
		})
	}
	for i := range v.Tensors {
		t := &v.Tensors[i]
		check := reports.TensorCheck{
			Name: t.Name, Type: t.Type, Dims: t.Dims, Elements: t.Elements, Compared: t.Compared,
			MaxAbs: t.MaxAbs, RelRMS: t.RelRMS, Reachable: t.Reachable, SHA256: t.SHA256,
		}
		for _, x := range t.Experts {
			check.Experts = append(check.Experts, reports.ExpertCheck{Expert: x.Expert, MaxAbs: x.MaxAbs, RelRMS: x.RelRMS, Reachable: x.Reachable})
		}
		r.Checks = append(r.Checks, check)
	}
	r.Sum()
}

func (e *env) printVerification(v *reports.Verification, tensors bool) error {
	if tensors {
		table := v.Table()
		table.Width = e.stdout.columns
		if err := table.Text(e.stdout); err != nil {
			return err
		}
	}
	for _, line := range v.Findings {
		fmt.Fprintln(e.stdout, e.stdout.printable(line))
	}
	_, err := fmt.Fprintf(e.stdout, "%d tensors, %d expert matrices, %d faults, sha256 %s\n", v.Tensors, v.Experts, v.Faults, v.SHA256)
	return err
}
