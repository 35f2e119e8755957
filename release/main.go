// Command release makes the files of a release from the commit that is checked out:
//
//	go run ./release -out dist
//
//	llada_VERSION_OS_ARCH.tar.gz   (.zip for Windows) the program, its manual page, completions,
//	                               README, docs, and the licenses of all that is in it
//	llada_VERSION_OS_ARCH.cdx.json what is in the program, as CycloneDX 1.6
//	SHA256SUMS                     of all of these
//
// The version is the commit's tag, or without one its time and the beginning of its name.
// Programs are static (CGO_ENABLED=0), without symbols and without paths of the machine
// that built them; times are the commit's. So a second release of the same commit by the
// same Go has the same bytes, wherever it is made.
//
// Note: a release is not what tests run with. Without paths of the source (-trimpath),
// tests do not find the programs of the oracle.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "release:", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
		os.Exit(1)
	}
}

// run makes what the arguments say.
func run(ctx context.Context, args []string) error {
	opt := options{}
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	targets := flags.String("targets", strings.Join(allTargets, ","), "`LIST` of OS/ARCH")
	flags.StringVar(&opt.Out, "out", "dist", "`DIR` for the files; one that is there must be empty")
	flags.BoolVar(&opt.Dirty, "dirty", false, "build though the checkout has changes; the version says so")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is one argument too many; see -help", flags.Arg(0))
	}
	opt.Targets = strings.Split(*targets, ",")
	return release(ctx, &opt)
}

// options of a release.
type options struct {
	Out     string   // folder for the files
	Targets []string // "linux/amd64"
	Dirty   bool     // changes that are not committed are no reason to stop
}

// release makes all files in a folder of their own, and then moves them.
func release(ctx context.Context, opt *options) error {
	for _, t := range opt.Targets {
		if !slices.Contains(allTargets, t) {
			return fmt.Errorf("%q is not one of %s", t, strings.Join(allTargets, ", "))
		}
	}
	if entries, err := os.ReadDir(opt.Out); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: remove it, or name another folder with -out", opt.Out)
	}
	source, err := openSource(ctx, opt.Dirty)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "llada-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	var built []program
	for _, target := range opt.Targets {
		fmt.Fprintln(os.Stderr, "building", target)
		p, err := source.build(ctx, target, work)
		if err != nil {
			return err
		}
		built = append(built, p)
	}
	common, err := source.commonFiles(ctx, work, built)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(opt.Out, 0o777); err != nil {
		return err
	}
	var names []string
	for _, p := range built {
		archive, err := p.archive(opt.Out, common, source.time)
		if err != nil {
			return err
		}
		bom := p.name() + ".cdx.json"
		data, err := p.sbom(source.time)
		if err == nil {
			err = os.WriteFile(filepath.Join(opt.Out, bom), data, 0o666)
		}
		if err != nil {
			return err
		}
		names = append(names, archive, bom)
	}
	if err := writeSums(opt.Out, names); err != nil {
		return err
	}
	for _, name := range append(names, sumsFile) {
		fmt.Println(filepath.Join(opt.Out, name))
	}
	return nil
}

var errDirty = errors.New("the checkout has changes that are not committed: commit them, or give -dirty")
