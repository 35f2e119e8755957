package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
	"golang.org/x/term"
)

// env is what a command talks to.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// terminal reports whether w is one, and how many columns it has.
func terminal(w io.Writer) (columns int, ok bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns < 20 {
		columns = 80
	}
	return columns, true
}

// printable returns text for w: on a terminal, control characters of a model's
// text could do more than be shown.
func printable(w io.Writer, text string) string {
	if _, ok := terminal(w); !ok {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return '·'
		}
		return r
	}, text)
}

// width returns how many columns text takes.
func width(text string) int { return runewidth.StringWidth(text) }

// json prints one document.
func (e *env) json(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	return enc.Encode(v)
}

// table prints rows under a header; columns named in right are aligned there.
func (e *env) table(header []string, rows [][]string, right ...int) error {
	align := make(tw.Alignment, len(header))
	for i := range align {
		align[i] = tw.AlignLeft
	}
	for _, i := range right {
		align[i] = tw.AlignRight
	}
	t := tablewriter.NewTable(e.stdout,
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithAlignment(align),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
	)
	t.Header(header)
	if err := t.Bulk(rows); err != nil {
		return err
	}
	return t.Render()
}

// readText returns the contents of a file, or of standard input for "-".
func (e *env) readText(path string) (string, error) {
	if path == "-" {
		b, err := io.ReadAll(e.stdin)
		return string(b), err
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

// parseIDs reads token ids separated by commas; nothing gives none.
func parseIDs(s string) ([]int32, error) {
	ids := []int32{}
	if strings.TrimSpace(s) == "" {
		return ids, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(part), 10, 32)
		if err != nil {
			return nil, usagef("--ids: %q is not a token id", part)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}

// parseSize reads a number of bytes such as 40GiB, 500MB or 1048576.
func parseSize(s string) (uint64, error) {
	number := strings.TrimRight(s, "KMGTiBkb ")
	scale := map[string]float64{
		"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	}[strings.TrimSpace(s[len(number):])]
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || scale == 0 || !(v > 0) || v*scale >= 1<<62 {
		return 0, usagef("%q is not a size such as 40GiB", s)
	}
	return uint64(v * scale), nil
}

// size formats a number of bytes.
func size(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
