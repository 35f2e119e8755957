package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"lladakit/convert"
	"lladakit/eval/sandbox"
	"lladakit/internal/disk"
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// onUsageError replaces the library's: one line instead of the whole help text.
func onUsageError(c *cli.Context, err error, _ bool) error {
	if c.Command != nil && c.Command.Name != c.App.Name {
		return usagef("%w; see %s --help", err, c.Command.HelpName)
	}
	return usagef("%w; see llada --help", err)
}

// ofEnvironment are errors of the system that no other file or setting would be free of: a full
// disk or quota, a file system that is read-only, a file where a folder should be, an address
// that another program listens at.
var ofEnvironment = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.ENOTDIR, syscall.EADDRINUSE, syscall.EADDRNOTAVAIL}

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
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission),
		errors.Is(err, exec.ErrNotFound), errors.Is(err, sandbox.ErrUnavailable), errors.Is(err, convert.ErrSpace), errors.Is(err, disk.ErrLocked),
		slices.ContainsFunc(ofEnvironment, func(e syscall.Errno) bool { return errors.Is(err, e) }):
		return 3
	}
	return 1
}

// message returns what is said about an error, in one line.
func message(err error) string {
	if exitCode(err) == 4 {
		return "interrupted"
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// flagsFirst checks that no leftover looks like a flag: such a one stands behind a
// positional argument, and the library does not read it.
func flagsFirst(c *cli.Context) error {
	for _, a := range c.Args().Slice() {
		if strings.HasPrefix(a, "-") && a != "-" {
			return usagef("flag %s must stand before other arguments; see %s --help", a, c.Command.HelpName)
		}
	}
	return nil
}

// arguments checks that exactly n positional arguments are there.
func arguments(c *cli.Context, n int, what string) error {
	if err := flagsFirst(c); err != nil {
		return err
	}
	switch {
	case c.NArg() < n:
		return usagef("%s is missing; see %s --help", what, c.Command.HelpName)
	case c.NArg() > n:
		return usagef("argument %q is one too many; see %s --help", c.Args().Get(n), c.Command.HelpName)
	case n > 0 && c.Args().First() == "":
		return usagef("%s is empty; see %s --help", what, c.Command.HelpName)
	}
	return nil
}

// needFlags reports the first of the named flags that is not given, or empty.
func needFlags(c *cli.Context, flags ...string) error {
	for _, f := range flags {
		if !c.IsSet(f) {
			return usagef("flag --%s is missing; see %s --help", f, c.Command.HelpName)
		}
		if c.String(f) == "" {
			return usagef("flag --%s is empty; see %s --help", f, c.Command.HelpName)
		}
	}
	return nil
}

// exactlyOne returns which of the named flags is given. A name of a file must
// not be empty, though a text may.
func exactlyOne(c *cli.Context, flags ...string) (string, error) {
	var given []string
	for _, f := range flags {
		if c.IsSet(f) {
			given = append(given, f)
		}
	}
	if len(given) != 1 {
		return "", usagef("give exactly one of --%s; see %s --help", strings.Join(flags, ", --"), c.Command.HelpName)
	}
	if strings.HasSuffix(given[0], "-file") {
		return given[0], needFlags(c, given[0])
	}
	return given[0], nil
}
