// Command llada converts, runs and examines LLaDA2 diffusion language models.
//
// Results go to standard output, progress and warnings to standard error.
// Exit codes: 0 done; 1 a check or gate failed, or an input is damaged; 2 usage;
// 3 something is missing in the environment; 4 interrupted.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	err := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "llada:", err)
	}
	os.Exit(exitCode(err))
}

// run executes one command line; args[0] is the program's name.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr}
	app := &cli.App{
		Name:            "llada",
		Usage:           "convert, run and examine LLaDA2 diffusion language models",
		Reader:          stdin,
		Writer:          stdout,
		ErrWriter:       stderr,
		HideVersion:     true,
		HideHelpCommand: true,
		ExitErrHandler:  func(*cli.Context, error) {}, // main prints and exits
		OnUsageError:    onUsageError,
		Commands: []*cli.Command{
			e.demoCommand(), e.convertCommand(), e.inspectCommand(), e.tokenizeCommand(),
			e.runCommand(), e.logitsCommand(), e.versionCommand(),
		},
		Action: func(c *cli.Context) error {
			if name := c.Args().First(); name != "" {
				return usagef("there is no command %q; see llada --help", name)
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, c := range app.Commands {
		c.OnUsageError = onUsageError
		c.HideHelpCommand = true
	}
	return app.RunContext(ctx, args)
}
