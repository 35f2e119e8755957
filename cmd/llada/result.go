package main

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/bench"
	"lladakit/reports"
)

// resultFlags say in which forms a result is printed, and where it is kept.
func resultFlags(forms []string) []cli.Flag {
	return append(formFlags(forms), &cli.StringFlag{Name: "out", Usage: "`FILE` for the result as JSON"})
}

// formFlags say in which forms a result is printed.
func formFlags(forms []string) []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "output", Aliases: []string{"o"}, Usage: "`LIST` of forms to print: " + strings.Join(forms, ", "), DefaultText: "md; on a terminal, tables as wide as it"},
		&cli.BoolFlag{Name: "json", Usage: "print the result as JSON, as -o json does"},
	}
}

// resultOutput is where a result goes.
type resultOutput struct {
	forms []string // of which resultText is for a terminal
	file  *newFile // nil without --out
}

// newResultOutput reads the flags, and creates the file, which must be none of the
// inputs. The caller closes what it returns.
func newResultOutput(c *cli.Context, forms []string, inputs ...string) (*resultOutput, error) {
	o := new(resultOutput)
	var err error
	if o.forms, err = resultForms(c, forms); err != nil {
		return nil, err
	}
	o.file, err = resultFile(c, "out", inputs...)
	return o, err
}

// resultFile creates the file that a flag names, which must be none of the inputs. It
// returns nil without the flag.
func resultFile(c *cli.Context, flag string, inputs ...string) (*newFile, error) {
	if !c.IsSet(flag) {
		return nil, nil
	}
	path := c.String(flag)
	if path == "" {
		return nil, usagef("--%s is empty; see llada %s --help", flag, c.Command.Name)
	}
	if to, err := os.Stat(path); err == nil {
		if !to.Mode().IsRegular() {
			return nil, usagef("--%s: %s is there and not a regular file", flag, path)
		}
		for _, input := range inputs {
			if from, err := os.Stat(input); err == nil && os.SameFile(from, to) {
				return nil, usagef("--%s: %s is read, and would be overwritten", flag, path)
			}
		}
	}
	return createFile(path)
}

// resultText is the form of results where no flag names one: md, or on a terminal the same
// with tables that are no wider than it.
const resultText = ""

// resultForms reads the flags for the forms in which a result is printed.
func resultForms(c *cli.Context, forms []string) (chosen []string, err error) {
	chosen = []string{resultText}
	switch {
	case c.Bool("json") && c.IsSet("output"):
		return nil, usagef("--json is -o json: give one of them")
	case c.Bool("json"):
		chosen = []string{"json"}
	case c.IsSet("output"):
		if chosen, err = bench.Names(c.StringSlice("output")...); err != nil {
			return nil, usagef("--output: %w", err)
		}
	}
	for _, form := range chosen {
		if form != resultText && !slices.Contains(forms, form) {
			return nil, usagef("--output: %.40q is not one of %s", form, strings.Join(forms, ", "))
		}
	}
	return chosen, nil
}

// whole reports whether all of the result is kept or printed.
func (o *resultOutput) whole() bool { return o.file != nil || slices.Contains(o.forms, "json") }

// write writes a result, to the file first. If that fails, it is printed all the same:
// measuring took long.
func (o *resultOutput) write(w *output, result reports.Sheet) error {
	var failed error
	if o.file != nil {
		if failed = result.Write(o.file, "json"); failed == nil {
			failed = o.file.commit()
			o.file = nil
		}
	}
	return errors.Join(failed, printResult(w, result, o.forms))
}

// printResult prints a result in some forms.
func printResult(w *output, result reports.Sheet, forms []string) error {
	for _, form := range forms {
		var err error
		switch {
		case form == resultText && w.terminal():
			err = reports.WriteText(w, result, w.columns)
		case form == resultText:
			err = result.Write(w, "md")
		default:
			err = result.Write(w, form)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// close removes the file if there was no result.
func (o *resultOutput) close() {
	if o.file != nil {
		o.file.discard()
	}
}
