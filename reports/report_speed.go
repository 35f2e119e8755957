package reports

import (
	"fmt"
	"slices"
	"strings"
)

// benchSections describe a benchmark: its tests, and where the time of their forwards
// went.
func benchSections(r *Result[Bench]) []Section {
	b := r.Value
	tests := slices.Clone(b.Tests)
	for _, other := range b.Imported {
		tests = append(tests, other.Tests...)
	}
	var notes footnotes
	marks := map[*Test]string{}
	for i := range tests {
		warnings := tests[i].Warnings
		if tests[i].Error != "" {
			warnings = append([]string{"failed: " + tests[i].Error}, warnings...)
		}
		marks[&tests[i]] = notes.add(warnings)
	}
	speed := Section{
		Title:   "Tests of " + r.Path,
		Caption: "Tokens a second (t/s), milliseconds of a forward and of a run, and shares of the limits of the machine.",
		Table:   columnsTable(benchColumns(marks, ambiguous(tests)), tests),
		Notes:   slices.Concat(notes.list(), b.remarks(), b.provenance()),
	}
	for _, other := range b.Imported {
		for _, note := range other.Notes {
			speed.Notes = append(speed.Notes, fileName(other.Source)+": "+note)
		}
	}
	all := []Section{speed}
	if phases := b.phases(); phases != nil {
		all = append(all, Section{
			Title:   "Where the time went: " + r.Path,
			Caption: "Milliseconds of an average forward, by phase, with shares of their sum.",
			Table:   phases,
			Notes:   []string{"explained: the sum of the phases as a share of the time from outside", "other: embeddings, norms, rotation, sums, acceptance"},
		})
	}
	return all
}

// provenance says how a benchmark was measured.
func (b *Bench) provenance() []string {
	least, most := 0, 0
	var classes []string
	for i := range b.Tests {
		t := &b.Tests[i]
		n := max(len(t.SamplesNS), len(t.SamplesTS))
		if i == 0 || n < least {
			least = n
		}
		most = max(most, n)
		if t.Class != "" && !slices.Contains(classes, t.Class) {
			classes = append(classes, t.Class)
		}
	}
	repetitions := plural(most, "repetition")
	if least != most {
		repetitions = fmt.Sprintf("%d to %d repetitions", least, most)
	}
	return append([]string{repetitions + "; exactness: " + list(classes...)}, made(&b.Program, b.Command, b.Started)...)
}

// phases is the table of where time went; nil if no test knows.
func (b *Bench) phases() *Table {
	tests := slices.DeleteFunc(slices.Clone(b.Tests), func(t Test) bool { return t.Phases.sum() == 0 })
	if len(tests) == 0 {
		return nil
	}
	part := func(of func(p *Phases) float64) func(t *Test) string {
		return func(t *Test) string {
			return fmt.Sprintf("%s (%.0f %%)", significant(of(&t.Phases)/1e6), 100*of(&t.Phases)/t.Phases.sum())
		}
	}
	return columnsTable([]column[Test]{
		{"test", false, func(t *Test) string { return t.Name }, nil},
		{"model", false, func(t *Test) string { return fileName(t.Model) }, differing},
		{"type", false, func(t *Test) string { return t.Type }, differing},
		{"threads", true, func(t *Test) string { return count(t.Threads) }, differing},
		{"projections", true, part(func(p *Phases) float64 { return p.Projections }), nil},
		{"attention", true, part(func(p *Phases) float64 { return p.Attention }), nil},
		{"FFN", true, part(func(p *Phases) float64 { return p.FFN }), nil},
		{"head", true, part(func(p *Phases) float64 { return p.Head }), nil},
		{"other", true, part(func(p *Phases) float64 { return p.Other }), nil},
		{"explained", true, func(t *Test) string {
			if t.Phases.Explained == 0 {
				return ""
			}
			return percent(t.Phases.Explained)
		}, known},
	}, tests)
}

func (p *Phases) sum() float64 { return p.Projections + p.Attention + p.FFN + p.Head + p.Other }

// sweepSections describe a sweep.
func sweepSections(r *Result[Sweep]) []Section {
	s := *r.Value
	s.Cells = slices.Clone(s.Cells)
	for i := range s.Cells { // a damaged one may have others
		values := slices.Clone(s.Cells[i].Values)
		for len(values) < len(s.Axes) {
			values = append(values, "")
		}
		s.Cells[i].Values = values
	}
	return []Section{{
		Title:   "Sweep of " + r.Path,
		Caption: "Settings and models beside the first row, which has the recommended settings.",
		Table:   columnsTable(s.sweepColumns(), s.Cells),
		Notes:   append(s.notes(), made(&s.Program, s.Command, s.Started)...),
	}}
}

// commandLine is a command as it would be typed, one word of the program's name before it.
func commandLine(words []string) string {
	if len(words) == 0 {
		return "unknown"
	}
	var quoted []string
	if words[0] != "llada" {
		quoted = append(quoted, "llada")
	}
	for _, word := range words {
		if word == "" || strings.ContainsFunc(word, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=,:+@%", r))
		}) {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		quoted = append(quoted, word)
	}
	return strings.Join(quoted, " ")
}
