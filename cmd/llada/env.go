package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"lladakit/reports"
)

// env is what a command talks to.
type env struct {
	args           []string // of the command line, without the program
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

// table prints rows under a header; columns named in right are aligned there. It is no
// wider than the terminal.
func (e *env) table(header []string, rows [][]string, right ...int) error {
	return (&reports.Table{Header: header, Rows: rows, Right: right, Width: e.stdout.columns}).Text(e.stdout)
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
