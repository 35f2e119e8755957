package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"lladakit/convert"
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// onUsageError replaces the library's: one line instead of the whole help text.
func onUsageError(c *cli.Context, err error, _ bool) error {
	if c.Command != nil && c.Command.Name != "" {
		return usagef("%w; see llada %s --help", err, c.Command.Name)
	}
	return usagef("%w; see llada --help", err)
}

// exitCode returns the program's exit code for what run returned.
func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return 2
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return 4
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, convert.ErrSpace):
		return 3
	}
	return 1
}

// arguments checks that exactly n positional arguments are there. A leftover
// that looks like a flag stands behind one: the library does not read it.
func arguments(c *cli.Context, n int, what string) error {
	for _, a := range c.Args().Slice() {
		if strings.HasPrefix(a, "-") && a != "-" {
			return usagef("flag %s must stand before %s; see llada %s --help", a, c.Args().First(), c.Command.Name)
		}
	}
	switch {
	case c.NArg() < n:
		return usagef("%s is missing; see llada %s --help", what, c.Command.Name)
	case c.NArg() > n:
		return usagef("argument %q is one too many; see llada %s --help", c.Args().Get(n), c.Command.Name)
	}
	return nil
}

// require reports the first of the named flags that is not given.
func require(c *cli.Context, flags ...string) error {
	for _, f := range flags {
		if !c.IsSet(f) {
			return usagef("flag --%s is missing; see llada %s --help", f, c.Command.Name)
		}
	}
	return nil
}

// exactlyOne returns which of the named flags is given.
func exactlyOne(c *cli.Context, flags ...string) (string, error) {
	var given []string
	for _, f := range flags {
		if c.IsSet(f) {
			given = append(given, f)
		}
	}
	if len(given) != 1 {
		return "", usagef("give one of --%s; see llada %s --help", strings.Join(flags, ", --"), c.Command.Name)
	}
	return given[0], nil
}
