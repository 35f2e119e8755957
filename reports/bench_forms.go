package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// benchForms are the forms of Write.
var benchForms = map[string]func(b *Bench, w io.Writer) error{
	"md": (*Bench).markdown, "json": (*Bench).json, "jsonl": (*Bench).jsonl,
	"csv": (*Bench).csv, "sql": (*Bench).sql, "benchstat": (*Bench).benchstat,
}

// BenchForms lists what Write can write.
func BenchForms() []string { return []string{"md", "json", "jsonl", "csv", "sql", "benchstat"} }

// Write writes the result in one of the forms of BenchForms:
//
//   - md is a table for people with notes under it;
//   - json is the whole document, which ReadBench reads;
//   - jsonl has an object for each test, csv a line and sql an INSERT into the table
//     llada_bench, all with the same fields: llama-bench's first, then diffusion's, then
//     those of machine and program, so that a line stands alone;
//   - benchstat is the format of Go's benchmarks with a line for each repetition.
//
// A result with numbers that are negative, infinite or none is refused.
func (b *Bench) Write(w io.Writer, form string) error {
	write := benchForms[form]
	if write == nil {
		return fmt.Errorf("form %.40q is not one of %s", form, strings.Join(BenchForms(), ", "))
	}
	if err := b.check(); err != nil {
		return fmt.Errorf("bench result: %w", err)
	}
	return write(b, w)
}

// json writes the document.
func (b *Bench) json(w io.Writer) error { return writeDocument(w, b) }

// benchLine is a test with what it was measured on.
type benchLine struct {
	Test
	Version     int      `json:"bench"`
	Source      string   `json:"source"` // file that it was imported from; empty for our own
	Program     Program  `json:"program"`
	Machine     Machine  `json:"machine"`
	Limits      Limits   `json:"limits"`
	Command     []string `json:"command"`
	Started     string   `json:"started"`
	Interleave  bool     `json:"interleave"`
	Interrupted bool     `json:"interrupted"`
}

// lines returns all tests. Of imported ones, program and machine are not known.
func (b *Bench) lines() []benchLine {
	var all []benchLine
	for _, t := range b.Tests {
		line := benchLine{
			Test: t, Version: b.Version, Program: b.Program, Machine: b.Machine, Command: b.Command,
			Started: b.Started.UTC().Format("2006-01-02T15:04:05Z"), Interleave: b.Interleave, Interrupted: b.Interrupted,
		}
		if i := slices.IndexFunc(b.Limits, func(l Limits) bool { return l.Threads == t.Threads }); i >= 0 {
			line.Limits = b.Limits[i]
		}
		all = append(all, line)
	}
	for _, other := range b.Imported {
		for _, t := range other.Tests {
			t.Warnings = slices.Concat(t.Warnings, other.Notes)
			all = append(all, benchLine{Test: t, Version: b.Version, Source: other.Source})
		}
	}
	return all
}

func (b *Bench) jsonl(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, line := range b.lines() {
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return nil
}
