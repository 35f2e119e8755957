package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
)

// env is what a command talks to.
type env struct {
	stdin          io.Reader
	stdout, stderr *output
}

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

// readText returns the text in a file, or on standard input for "-".
func (e *env) readText(path string) (string, error) {
	var data []byte
	var err error
	if path == "-" {
		path = "standard input"
		if data, err = io.ReadAll(e.stdin); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
	} else if data, err = os.ReadFile(path); err != nil {
		return "", err
	}
	if !utf8.Valid(data) {
		return "", fmt.Errorf("%s is not text in UTF-8", path)
	}
	return string(data), nil
}
