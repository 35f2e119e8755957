package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"lladakit/convert/hub"
)

func (e *env) pullCommand() *cli.Command {
	return &cli.Command{
		Name:  "pull",
		Usage: "fetch a checkpoint from the Hugging Face hub, or the rest of it after an interruption",
		UsageText: "llada pull REPO [--to DIR] [flags]\n\n" +
			"Example: llada pull inclusionAI/LLaDA2.0-mini --to LLaDA2.0-mini\n" +
			"         llada pull --include '*.json' inclusionAI/LLaDA2.0-mini\n\n" +
			"Every file has its name only when its digest is the one that the hub lists. A pull that was stopped, by whatever, goes on\n" +
			"where it was when it is started again; files that are there and right are not fetched. Flags may follow REPO.\n" +
			"A GLOB without / is for the names in every folder, one with / for the whole path; without --include the files are\n" +
			strings.Join(hub.DefaultFiles(), " ") + ".\n" +
			"The environment is that of the hub's own programs: HF_TOKEN, HF_TOKEN_PATH and HF_HOME for the token, HF_ENDPOINT for a mirror;\n" +
			"proxies are HTTPS_PROXY and NO_PROXY.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "`DIR` for the files", DefaultText: "REPO's last name, here"},
			&cli.StringFlag{Name: "revision", Value: "main", Usage: "branch, tag or commit `R`"},
			&cli.StringSliceFlag{Name: "include", Usage: "fetch files like `GLOB` instead of those of a checkpoint; repeatable"},
			&cli.StringSliceFlag{Name: "exclude", Usage: "leave out files like `GLOB`; repeatable"},
			&cli.IntFlag{Name: "parallel", Value: hub.DefaultParallel, Usage: fmt.Sprintf("`N` connections, at most %d", hub.MaxParallel)},
			&cli.BoolFlag{Name: "verify", Usage: "hash the files that are there, also if that was done before"},
			&cli.BoolFlag{Name: "replace", Usage: "replace files that are there though no pull of REPO brought them, or they were changed since"},
			&cli.BoolFlag{Name: "json", Usage: "print the commit and the files as JSON"},
		},
		Action: e.pull,
	}
}

func (e *env) pull(c *cli.Context) error {
	if err := arguments(c, 1, "REPO"); err != nil {
		return err
	}
	o := hub.Options{
		Repo: c.Args().First(), Revision: c.String("revision"), Folder: hub.FolderOf(c.Args().First()),
		Include: c.StringSlice("include"), Exclude: c.StringSlice("exclude"), Parallel: c.Int("parallel"), Verify: c.Bool("verify"), Replace: c.Bool("replace"),
	}
	if c.IsSet("to") {
		if err := needFlags(c, "to"); err != nil {
			return err
		}
		o.Folder = c.String("to")
	}
	if o.Parallel == 0 {
		return usagef("--parallel: 0 is not between 1 and %d", hub.MaxParallel)
	}
	var err error
	if o.Endpoint, o.Token, err = hub.Environment(); errors.Is(err, hub.ErrOption) {
		return usageError{err}
	} else if err != nil {
		return err
	}
	var mu sync.Mutex // of the terminal, to which connections write at any time
	var bar *progress
	var stage hub.Stage
	var told time.Time
	o.Progress = func(now hub.Stage, done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if bar == nil || now != stage {
			bar, stage = newProgress(e.stderr, string(now)+" "+o.Repo), now
		}
		bar.update(done, total)
	}
	// A connection that breaks for a moment is not worth a line; a wait that seems to hang is.
	o.Waiting = func(why error, d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		if d < 2*time.Second || time.Since(told) < 10*time.Second {
			return
		}
		told = time.Now()
		if bar != nil {
			bar.end()
		}
		fmt.Fprintf(e.stderr, "llada: %s; again in %v\n", e.stderr.printable(why.Error()), d.Round(time.Second))
	}
	result, err := hub.Pull(c.Context, o)
	if bar != nil {
		bar.end()
	}
	switch {
	case errors.Is(err, hub.ErrOption):
		return usageError{err}
	case err != nil:
		return err
	}
	for _, name := range result.Stale {
		fmt.Fprintf(e.stderr, "llada: warning: %s\n", e.stderr.printable(fmt.Sprintf(
			"%s in %s is of another commit than what was pulled; pull it too, or remove it", name, result.Folder)))
	}
	if c.Bool("json") {
		return e.json(result)
	}
	var all, fetched int64
	var n int
	for _, f := range result.Files {
		if all += f.Size; f.State == hub.Fetched {
			fetched += f.Size
			n++
		}
	}
	fmt.Fprintf(e.stdout, "%s: %d files, %s, of %s at %s; %d fetched, %s\n", e.stdout.printable(result.Folder), len(result.Files), size(uint64(all)),
		result.Repo, result.Commit, n, size(uint64(fetched)))
	return nil
}
