package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/bench"
	"lladakit/reports"
)

// figureForm is the form of figures, which are files of their own.
const figureForm = "svg"

// reportForms lists the forms of a report.
func reportForms() []string {
	return append(slices.Sorted(maps.Keys(reports.ReportForms)), figureForm)
}

func (e *env) reportCommand() *cli.Command {
	return &cli.Command{
		Name:  "report",
		Usage: "make pages and files for CI from the results in a folder",
		UsageText: "llada report (--in DIR | --history DIR) --out DIR [--format LIST] [--title TEXT]\n\n" +
			"Example: llada report --in results --out page\n" +
			"         llada report --in results --out page --format html --title 'LLaDA2.0-mini on two cores'\n\n" +
			"Results are what bench, sweep, eval, kld, verify, convert and quantize keep, and traces of run, in DIR and in the folders in it.\n" +
			"What is damaged, interrupted or not there is named in the report. md refers to the figures, so svg comes with it.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "in", Usage: "`DIR` with results"},
			&cli.StringFlag{Name: "history", Usage: "`DIR` of folders of results, each of one commit or day: how figures went over them"},
			&cli.StringFlag{Name: "out", Usage: "write to `DIR`, which is made if it is not there"},
			&cli.StringSliceFlag{Name: "format", Usage: "`LIST` of " + strings.Join(reportForms(), ", "), DefaultText: "md,html,svg"},
			&cli.StringFlag{Name: "title", Usage: "`TEXT` above the report", DefaultText: "what was measured"},
			&cli.BoolFlag{Name: "json", Usage: "list what was written as JSON"},
		},
		Action: e.report,
	}
}

func (e *env) report(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	if !c.IsSet("history") || c.IsSet("in") {
		if err := needFlags(c, "in"); err != nil {
			return err
		}
	}
	if err := needFlags(c, "out"); err != nil {
		return err
	}
	forms := []string{"md", "html", figureForm}
	if c.IsSet("format") {
		var err error
		if forms, err = bench.Names(c.StringSlice("format")...); err != nil {
			return usagef("--format: %w", err)
		}
	}
	for _, form := range forms {
		if !slices.Contains(reportForms(), form) {
			return usagef("--format: %.40q is not one of %s", form, strings.Join(reportForms(), ", "))
		}
	}
	collection, err := collect(c)
	if err != nil {
		return err
	}
	collection.Title = c.String("title")
	messages := io.Writer(e.stdout)
	if c.Bool("json") { // CI reads what is meant for it from either
		messages = e.stderr
	}
	written, err := writeReport(collection, c.String("out"), forms, messages)
	if err != nil {
		return err
	}
	for _, p := range collection.Problems {
		fmt.Fprintln(e.stderr, "llada: warning:", e.stderr.printable(oneLine(p.Path+": "+p.Text)))
	}
	if c.Bool("json") {
		return e.json(struct {
			Files    []string          `json:"files"`
			Problems []reports.Problem `json:"problems"`
		}{written, append([]reports.Problem{}, collection.Problems...)})
	}
	for _, path := range written {
		fmt.Fprintln(e.stdout, path)
	}
	return nil
}

// collect reads the results that the flags name.
func collect(c *cli.Context) (*reports.Collection, error) {
	collection := new(reports.Collection)
	if dir := c.String("in"); dir != "" {
		var err error
		if collection, err = reports.Collect(dir); err != nil {
			return nil, err
		}
		if collection.Empty() {
			return nil, fmt.Errorf("%s: no results are in it", dir)
		}
	}
	if c.IsSet("history") {
		if err := needFlags(c, "history"); err != nil {
			return nil, err
		}
		h, err := reports.ReadHistory(c.String("history"))
		if err != nil {
			return nil, err
		}
		if len(h.Points) == 0 {
			return nil, fmt.Errorf("%s: no folder in it has results", c.String("history"))
		}
		collection.History = h
	}
	return collection, nil
}

// writeReport writes a collection in some forms into dir, each file when it is complete.
// It returns their paths. What is meant for a program that started this one goes to
// messages.
func writeReport(c *reports.Collection, dir string, forms []string, messages io.Writer) (written []string, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	write := func(name string, what func(w io.Writer) error) error {
		path := filepath.Join(dir, name)
		f, err := createFile(path)
		if err != nil {
			return err
		}
		if err := what(f); err != nil {
			f.discard()
			return fmt.Errorf("%s: %w", path, err)
		}
		written = append(written, path)
		return f.commit()
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(forms))) {
		form, ok := reports.ReportForms[name]
		switch {
		case !ok:
			continue
		case form.File == "":
			err = form.Write(c, messages)
		default:
			err = write(form.File, func(w io.Writer) error { return form.Write(c, w) })
		}
		if err != nil {
			return nil, err
		}
	}
	if slices.Contains(forms, figureForm) || slices.Contains(forms, "md") {
		for _, figure := range c.Figures() {
			if err := write(figure.Name+".svg", figure.WriteSVG); err != nil {
				return nil, err
			}
		}
	}
	return written, nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
