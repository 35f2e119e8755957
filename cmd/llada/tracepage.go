package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"lladakit/reports"
)

func (e *env) traceCommand() *cli.Command {
	return &cli.Command{
		Name:  "trace",
		Usage: "make a page of a recorded generation, to look at it step by step",
		UsageText: "llada trace FILE --out PAGE.html\n\n" +
			"Example: llada trace answer.jsonl.gz --out answer.html\n\n" +
			"FILE is what llada run --trace FILE wrote; of one that was interrupted, or is still written, the page has what there is.\n" +
			"The page is one file that needs no network. Flags may follow FILE.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "`FILE` for the page"},
			&cli.BoolFlag{Name: "json", Usage: "print what the page has as JSON"},
		},
		Action: e.tracePage,
	}
}

func (e *env) tracePage(c *cli.Context) error {
	if err := arguments(c, 1, "FILE"); err != nil {
		return err
	}
	if err := needFlags(c, "out"); err != nil {
		return err
	}
	path := c.Args().First()
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := newResultOutput(c, []string{"md", "json"}, path)
	if err != nil {
		return err
	}
	defer out.close()
	trace, err := reports.ReadTrace(in)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	page, err := trace.WritePage(out.file)
	if err != nil {
		return err
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	file := out.file
	out.file = nil
	if err := file.commit(); err != nil {
		return err
	}
	for _, notice := range page.Notices {
		fmt.Fprintln(e.stderr, "llada:", e.stderr.printable(notice))
	}
	if c.Bool("json") {
		return json.NewEncoder(e.stdout).Encode(struct {
			File string `json:"file"`
			*reports.TracePage
		}{c.String("out"), page})
	}
	fmt.Fprintf(e.stdout, "%s: %d steps, %d tokens, %.1f kB\n", c.String("out"), page.Steps, page.Tokens, float64(page.Bytes)/1000)
	return nil
}
