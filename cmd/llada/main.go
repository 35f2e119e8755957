// Command llada converts, runs and examines LLaDA2 diffusion language models.
//
// Results go to standard output, progress and warnings to standard error.
// Exit codes: 0 done; 1 a check or gate failed, or an input is damaged; 2 usage;
// 3 something is missing in the environment; 4 interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"lladakit/eval/sandbox"
	"lladakit/kernels"
)

func main() {
	sandbox.Main() // returns at once, but in programs that eval starts
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	signal.Ignore(syscall.SIGPIPE) // a closed pipe is an error like others: what a command began, it clears away
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	err := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, syscall.EPIPE) { // whose reader wants no more
		stderr := newOutput(os.Stderr, nil)
		fmt.Fprintln(stderr, "llada:", stderr.printable(message(err)))
	}
	os.Exit(exitCode(err))
}

// run executes one command line; args[0] is the program's name.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e := &env{stdin: stdin, stdout: newOutput(stdout, cancel), stderr: newOutput(stderr, nil)}
	if err := kernels.EnvironmentError(); err != nil {
		fmt.Fprintln(e.stderr, "llada: warning:", err)
	}
	return e.execute(ctx, args)
}
