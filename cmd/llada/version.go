package main

import (
	"fmt"
	"runtime/debug"

	goruntime "runtime"

	"github.com/urfave/cli/v2"
)

func (e *env) versionCommand() *cli.Command {
	return &cli.Command{
		Name:      "version",
		Usage:     "print the version of the program",
		UsageText: "llada version [--json]\n\nExample: llada version",
		Flags:     []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print it as JSON"}},
		Action:    e.version,
	}
}

func (e *env) version(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	version, commit := build()
	platform := goruntime.GOOS + "/" + goruntime.GOARCH
	if c.Bool("json") {
		return e.json(map[string]string{"version": version, "commit": commit, "go": goruntime.Version(), "platform": platform})
	}
	if commit != "" {
		version += " " + commit
	}
	_, err := fmt.Fprintf(e.stdout, "llada %s %s %s\n", version, goruntime.Version(), platform)
	return err
}

// What the linker writes into a release, see release/build.go. Without it, the
// toolchain's own record stands, which depends on where and how the source was checked
// out.
var releaseVersion, releaseCommit, releaseDate string

// build returns the program's version and the commit that it was built from, "" where
// that is not known.
func build() (version, commit string) {
	if releaseVersion != "" {
		return releaseVersion, releaseCommit
	}
	version = "devel"
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	return version, commit
}
