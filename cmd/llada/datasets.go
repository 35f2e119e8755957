package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/datasets"
)

// dataFolder is the environment variable with the folder of data sets.
const dataFolder = "LLADA_DATA"

func (e *env) datasetsCommand() *cli.Command {
	jsonFlag := func() cli.Flag { return &cli.BoolFlag{Name: "json", Usage: "print it as JSON"} }
	return &cli.Command{
		Name:  "datasets",
		Usage: "list, fetch and check the data sets that models are measured on",
		UsageText: "llada datasets list|pull|verify [flags]\n\nExample: llada datasets pull gsm8k humaneval\n\n" +
			"A data set is looked for in the folder that " + dataFolder + " names, then in the user's cache folder, into which it is fetched.\n" +
			"Proxies are taken from the environment (HTTPS_PROXY, NO_PROXY).",
		Subcommands: []*cli.Command{{
			Name:      "list",
			Usage:     "list the data sets, and where they are",
			UsageText: "llada datasets list [--json]\n\nExample: llada datasets list",
			Flags:     []cli.Flag{jsonFlag()},
			Action:    e.listDatasets,
		}, {
			Name:      "pull",
			Usage:     "fetch data sets, or the rest of them after an interruption",
			UsageText: "llada datasets pull [--to DIR] [--json] NAME…\n\nExample: llada datasets pull gsm8k humaneval",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "to", Usage: "`DIR` for the files", DefaultText: "the cache folder"},
				jsonFlag(),
			},
			Action: e.pullDatasets,
		}, {
			Name:      "verify",
			Usage:     "check the sha256 of data sets",
			UsageText: "llada datasets verify [--json] [NAME…]\n\nExample: llada datasets verify",
			Flags:     []cli.Flag{jsonFlag()},
			Action:    e.verifyDatasets,
		}},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usagef("there is no command %q; see llada datasets --help", c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

// dataOptions are where data sets are by the environment.
func dataOptions() datasets.Options {
	return datasets.Options{Folder: os.Getenv(dataFolder)}
}

func (e *env) listDatasets(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	all := datasets.Status(dataOptions())
	if c.Bool("json") {
		return e.json(all)
	}
	var rows [][]string
	for _, f := range all {
		where := f.Path
		if where == "" {
			where = string(f.State)
		} else if f.State == datasets.Damaged {
			where += ", " + string(f.State)
		}
		rows = append(rows, []string{f.Name, string(f.Form), strconv.Itoa(f.Records), size(uint64(f.Size)), f.License, f.SHA256[:12], where})
	}
	return e.table([]string{"name", "form", "records", "size", "license", "sha256", "where"}, rows, 2, 3)
}

func (e *env) pullDatasets(c *cli.Context) error {
	names, err := setNames(c)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return usagef("NAME is missing; see %s --help", c.Command.HelpName)
	}
	if c.IsSet("to") {
		if err := needFlags(c, "to"); err != nil {
			return err
		}
	}
	opt := datasets.Options{Cache: c.String("to")} // and not the folder: there the file is to be
	for _, name := range names {
		bar := newProgress(e.stderr, "fetching "+name)
		opt.Progress = bar.update
		data, err := datasets.Open(c.Context, name, opt)
		bar.end()
		if err != nil {
			return err
		}
		if c.Bool("json") {
			continue
		}
		where := data.Path
		if where == "" {
			where = "embedded, nothing to fetch"
		}
		fmt.Fprintf(e.stdout, "%s: %d records, %s\n", name, len(data.Records), e.stdout.printable(where))
	}
	if c.Bool("json") {
		return e.json(status(names, opt))
	}
	return nil
}

func (e *env) verifyDatasets(c *cli.Context) error {
	names, err := setNames(c)
	if err != nil {
		return err
	}
	all := status(names, dataOptions())
	if c.Bool("json") {
		err = e.json(all)
	} else {
		var rows [][]string
		for _, f := range all {
			rows = append(rows, []string{f.Name, string(f.State), f.Path})
		}
		err = e.table([]string{"name", "state", "file"}, rows)
	}
	if err != nil {
		return err
	}
	var damaged []string
	for _, f := range all {
		switch {
		case f.State == datasets.Damaged:
			damaged = append(damaged, f.Problem)
		case f.State == datasets.Missing && len(names) > 0:
			err = fmt.Errorf("%s: %w; llada datasets pull %s fetches it", f.Name, datasets.ErrMissing, f.Name)
		}
	}
	if len(damaged) > 0 {
		return fmt.Errorf("%d of %d data sets: %s", len(damaged), len(all), strings.Join(damaged, "; "))
	}
	return err
}

// setNames returns the positional arguments, which must be names of data sets.
func setNames(c *cli.Context) ([]string, error) {
	if err := flagsFirst(c); err != nil {
		return nil, err
	}
	for _, name := range c.Args().Slice() {
		if _, ok := datasets.Find(name); !ok {
			return nil, usagef("%.40q is no data set; see llada datasets list", name)
		}
	}
	return c.Args().Slice(), nil
}

// status returns where the named data sets are, of all if there is no name.
func status(names []string, opt datasets.Options) []datasets.Found {
	all := datasets.Status(opt)
	if len(names) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(f datasets.Found) bool { return !slices.Contains(names, f.Name) })
}
