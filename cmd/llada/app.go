package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

// execute runs one command line. It returns the first error of standard output
// before any other, which may be its consequence.
func (e *env) execute(ctx context.Context, args []string) error {
	e.args = args[1:]
	app := &cli.App{
		Name:            "llada",
		Usage:           "convert, run and examine LLaDA2 diffusion language models",
		UsageText:       "llada COMMAND [flags]\n\nExample: llada demo",
		Reader:          e.stdin,
		Writer:          e.stdout,
		ErrWriter:       e.stderr,
		HideVersion:     true,
		HideHelpCommand: true,
		Flags:           []cli.Flag{cli.HelpFlag},     // which the library leaves out beside a command help
		ExitErrHandler:  func(*cli.Context, error) {}, // main prints and exits
		OnUsageError:    onUsageError,

		// An expression may have commas: a repeatable flag is given again.
		DisableSliceFlagSeparator: true,

		Commands: []*cli.Command{
			e.demoCommand(), e.convertCommand(), e.quantizeCommand(), e.imatrixCommand(), e.inspectCommand(), e.verifyCommand(), e.kldCommand(), e.benchCommand(), e.sweepCommand(), e.evalCommand(), e.compareCommand(), e.reportCommand(), e.traceCommand(), e.synthCommand(),
			e.tokenizeCommand(), e.runCommand(), e.serveCommand(), e.logitsCommand(), e.doctorCommand(), e.planCommand(), e.datasetsCommand(), e.versionCommand(), helpCommand(),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return noCommand(c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
	}
	prepare(app.Commands)
	if len(args) > 2 && (args[1] == "compare" || args[1] == "trace") {
		args = append(args[:2:2], frontFlags(args[2:], app.Command(args[1]).Flags)...)
	}
	err := app.RunContext(ctx, args)
	if e.stdout.err != nil {
		return e.stdout.err
	}
	return err
}

// prepare sets what all commands share.
func prepare(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = onUsageError
		c.HideHelpCommand = true
		for _, f := range c.Flags {
			if b, ok := f.(*cli.BoolFlag); ok {
				b.DisableDefaultText = true // "(default: false)"
			}
		}
		prepare(c.Subcommands)
	}
}

// helpCommand takes the place of the library's, which passes over what it does
// not understand.
func helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "show the commands, or the flags of one",
		UsageText: "llada help [COMMAND]\n\nExample: llada help run",
		Action: func(c *cli.Context) error {
			switch name := c.Args().First(); {
			case c.NArg() == 0:
				return cli.ShowAppHelp(c)
			case c.NArg() > 1:
				return arguments(c, 1, "COMMAND")
			case c.App.Command(name) == nil:
				return noCommand(name)
			case len(c.App.Command(name).Subcommands) > 0: // which the library's function leaves out
				sub := cli.NewContext(c.App, nil, c.Lineage()[1])
				sub.Command = c.App.Command(name)
				return sub.Command.Run(sub, name, "--help")
			default:
				return cli.ShowCommandHelp(c.Lineage()[1], name)
			}
		},
	}
}

func noCommand(name string) error {
	return usagef("there is no command %q; see llada --help", name)
}
