package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/reports"
)

func (e *env) compareCommand() *cli.Command {
	return &cli.Command{
		Name:  "compare",
		Usage: "set an evaluation beside another, pair by pair, with a verdict and gates",
		UsageText: "llada compare A B [--gate 'METRIC>=NUMBER …'] [flags]\n\n" +
			"Example: llada compare results/q8_0 results/q4_0\n" +
			"         llada compare --gate 'accuracy>=-1.0 tpf>=-5% gsm8k:truncated<=+2' main/results.json branch/results.json\n\n" +
			"A and B are folders of llada eval, or the results.json in them. Flags may follow them.\n" +
			"A gate is [TASK:]METRIC, one of >= <= > <, and a number: a bound for the change from A to B, in points for accuracies, or with %\n" +
			"relative to A. b.METRIC bounds what B has, whatever A has. Metrics are " + strings.Join(reports.GateMetrics(), ", ") + ";\n" +
			"low and high are the ends of the 95 % interval. Without a task a gate is for all tasks that A has. What is missing or not known fails.\n" +
			"Exit code 1 says that a gate failed.",
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "gate", Usage: "`CONDITIONS` to check, as accuracy>=-1.0 b.accuracy>=90 tpf>=-5%; repeatable"},
		}, resultFlags(reports.ComparisonForms())...),
		Action: e.compare,
	}
}

// errGates says that a gate failed.
var errGates = errors.New("a gate failed")

func (e *env) compare(c *cli.Context) error {
	runs, gates, err := compareArguments(c)
	if err != nil {
		return err
	}
	var opened [2]*reports.Run
	var inputs []string
	for i, path := range runs {
		results, samples, err := reports.RunFiles(path)
		if err != nil {
			return err
		}
		inputs = append(inputs, results, samples)
		if opened[i], err = reports.OpenRun(path); err != nil {
			return err
		}
	}
	out, err := newResultOutput(c, reports.ComparisonForms(), inputs...)
	if err != nil {
		return err
	}
	defer out.close()
	comparison, err := reports.Compare(opened[0], opened[1], gates)
	if err != nil {
		return err
	}
	for _, warning := range comparison.Warnings {
		fmt.Fprintln(e.stderr, "llada: warning:", e.stderr.printable(warning))
	}
	return errors.Join(out.write(e.stdout, comparison), failedGates(comparison))
}

// compareArguments reads the two runs and the gates. Words behind --gate without quotes
// belong to it: a name of a run has no < or >.
func compareArguments(c *cli.Context) (runs []string, gates []reports.Gate, err error) {
	var words []string
	for _, text := range c.StringSlice("gate") {
		fields := strings.Fields(text)
		if len(fields) == 0 {
			return nil, nil, usagef("--gate: there is no condition; see llada compare --help")
		}
		words = append(words, fields...)
	}
	for _, word := range c.Args().Slice() {
		if len(words) > 0 && strings.ContainsAny(word, "<>") {
			words = append(words, word)
		} else {
			runs = append(runs, word)
		}
	}
	switch {
	case len(runs) < 2:
		return nil, nil, usagef("%s is missing; see llada compare --help", []string{"A", "B"}[len(runs)])
	case len(runs) > 2:
		return nil, nil, usagef("argument %q is one too many; see llada compare --help", runs[2])
	case runs[0] == "" || runs[1] == "":
		return nil, nil, usagef("a run's path is empty; see llada compare --help")
	}
	for _, word := range words {
		g, err := reports.ParseGate(word)
		if err != nil {
			return nil, nil, usagef("--gate: %w", err)
		}
		gates = append(gates, g)
	}
	return runs, gates, nil
}

// failedGates returns an error that names the gates that failed.
func failedGates(c *reports.Comparison) error {
	var failed []string
	for _, g := range c.Gates {
		switch {
		case g.Passed:
		case g.Value != nil:
			failed = append(failed, fmt.Sprintf("%s: %s is %.4g", g.Task, g.Gate, *g.Value))
		default:
			failed = append(failed, fmt.Sprintf("%s: %s: %s", g.Task, g.Gate, g.Reason))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", errGates, strings.Join(failed, "; "))
}

// frontFlags puts flags before other words, as the library reads them. Behind a word --
// there are none.
func frontFlags(words []string, flags []cli.Flag) []string {
	alone := map[string]bool{} // names of flags without a value
	for _, f := range append([]cli.Flag{cli.HelpFlag}, flags...) {
		_, ok := f.(*cli.BoolFlag)
		for _, name := range f.Names() {
			alone[name] = ok
		}
	}
	var first, rest []string
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "--" {
			rest = append(rest, words[i+1:]...)
			break
		}
		if !strings.HasPrefix(word, "-") || word == "-" {
			rest = append(rest, word)
			continue
		}
		first = append(first, word)
		if name := strings.TrimLeft(word, "-"); strings.Contains(name, "=") || alone[name] {
			continue
		}
		if i++; i == len(words) {
			return first // for the library to say that the value is missing
		}
		first = append(first, words[i])
	}
	return append(append(first, "--"), rest...)
}
