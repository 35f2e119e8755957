package main

import (
	"bufio"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"
)

func (e *env) manCommand() *cli.Command {
	return &cli.Command{
		Name:      "man",
		Usage:     "print the manual page, with every command and flag",
		UsageText: "llada man\n\nExample: llada man | man -l -\n         llada man > ~/.local/share/man/man1/llada.1",
		Action:    e.man,
	}
}

// man prints the page for roff with the macros of man(7), which every system's man
// reads. Its date is the commit's: equal programs print equal pages.
func (e *env) man(c *cli.Context) error {
	if err := arguments(c, 0, ""); err != nil {
		return err
	}
	version, _ := build()
	root := commandTree(c.App)
	w := bufio.NewWriter(e.stdout)
	fmt.Fprintf(w, ".TH LLADA 1 %q \"llada %s\" \"User Commands\"\n", commitDate(), roff(version))
	fmt.Fprintf(w, ".SH NAME\nllada \\- %s\n.SH SYNOPSIS\n.B llada\n.I command\n.RI [ flags ]\n.SH DESCRIPTION\n", roff(root.Usage))
	fmt.Fprintf(w, "%s\n.SH COMMANDS\n", roff("Results go to standard output, progress and warnings to standard error. "+
		"Flags stand before other arguments. A first run is llada demo, which needs no files and no network."))
	for _, n := range root.All()[1:] {
		manCommand(w, n)
	}
	fmt.Fprint(w, ".SH EXIT STATUS\n")
	for i, what := range exitMeanings() {
		fmt.Fprintf(w, ".TP\n.B %d\n%s\n", i, roff(what))
	}
	return w.Flush()
}

// commitDate returns the day of the commit that the program was built from, "" where
// that is not known.
func commitDate() string {
	if releaseDate != "" {
		return releaseDate
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			day, _, _ := strings.Cut(s.Value, "T")
			return day
		}
	}
	return ""
}

// exitMeanings says what exit codes mean, by their numbers.
func exitMeanings() []string {
	return []string{
		"done",
		"a check or a gate failed, or an input is damaged",
		"usage: something about the command line is wrong",
		"something is missing in the environment: a file, a permission, room on a disk, a sandbox",
		"interrupted; where a command can resume, the same command goes on",
	}
}

func manCommand(w *bufio.Writer, n node) {
	fmt.Fprintf(w, ".SS %s\n%s.\n", roff(strings.TrimPrefix(strings.ReplaceAll(n.Path, "/", " "), " ")), roff(upperFirst(n.Usage)))
	// Lines stay as they are: they are calls, examples and short remarks.
	fmt.Fprintf(w, ".PP\n.nf\n%s\n.fi\n", roff(n.Text))
	for _, f := range n.Flags {
		fmt.Fprintf(w, ".TP\n\\fB%s\\fR", roff(strings.Join(f.Names, ", ")))
		if f.Value != "" {
			fmt.Fprintf(w, " \\fI%s\\fR", roff(f.Value))
		}
		fmt.Fprintf(w, "\n%s", roff(f.Usage))
		if f.Default != "" && f.Default != `""` {
			fmt.Fprintf(w, " (default: %s)", roff(f.Default))
		}
		fmt.Fprintln(w)
	}
}

// roff escapes a text: backslashes, dashes, which would else be typeset as hyphens,
// what is not ASCII, and what would be a request at the beginning of a line. An empty
// line becomes a small space.
func roff(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r >= 0x80:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	lines := strings.Split(b.String(), "\n")
	for i, line := range lines {
		switch {
		case line == "":
			lines[i] = ".sp"
		case line[0] == '.' || line[0] == '\'':
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func upperFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
