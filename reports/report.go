package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// Report is what a collection says: the summary first, then the details.
type Report struct {
	Title    string
	Summary  Section
	Sections []Section
	Missing  []string // what could not be shown, and why
}

// Section is a part of a report.
type Section struct {
	Title   string
	Caption string // of the table: what its figures are
	Table   *Table // nil for none
	Notes   []string
	Figures []*Figure
	Parts   []Section // below it
}

// ReportForm is a form in which a collection can be written.
type ReportForm struct {
	File  string // its name; empty if Write does not write a file, but what a program that started this one reads
	Write func(c *Collection, w io.Writer) error
}

// ReportForms are the forms of llada report by their names. Beside them there are the
// figures, which are files of their own. md refers to those.
var ReportForms = map[string]ReportForm{
	"md":   {"report.md", func(c *Collection, w io.Writer) error { return NewReport(c).Markdown(w) }},
	"html": {"report.html", func(c *Collection, w io.Writer) error { return NewReport(c).HTML(w) }},

	// For CI, see docs/ci.md.
	"junit":     {"junit.xml", (*Collection).JUnit},
	"csv":       {"report.csv", (*Collection).CSV},
	"benchstat": {"report.benchstat", (*Collection).Benchstat},
	"bigger":    {"bench.bigger.json", (*Collection).BiggerIsBetter},
	"smaller":   {"bench.smaller.json", (*Collection).SmallerIsBetter},
	"gha":       {"", (*Collection).GitHub},
	"modelcard": {"model-index.yaml", (*Collection).ModelCard},
}

const (
	reportRows  = 500 // of a table that are shown
	reportParts = 200 // results of a kind that are shown
)

// NewReport arranges a collection. Parts that it does not have are named in Missing.
func NewReport(c *Collection) *Report {
	r := &Report{Title: cmp.Or(c.Title, "What was measured")}
	models, apart := c.models()
	r.Summary = summary(models)
	if figures := c.Figures(); len(figures) > 0 {
		r.Sections = append(r.Sections, Section{Title: "Figures", Figures: figures})
	}
	for _, s := range []struct {
		title string
		parts []Section
	}{
		{"Speed", sections(c.Benches, benchSections)},
		{"Accuracy", sections(c.Evals, evalSections)},
		{"Comparisons", sections(c.Comparisons, comparisonSections)},
		{"Over time", historySections(c.History)},
		{"Settings", sections(c.Sweeps, sweepSections)},
		{"Divergence from a reference", sections(c.Divergences, divergenceSections)},
		{"Files that were made", sections(c.Conversions, conversionSections)},
		{"Files that were verified", sections(c.Verifications, verificationSections)},
		{"Recorded generations", traceSections(c.Traces)},
	} {
		if len(s.parts) > 0 {
			r.Sections = append(r.Sections, Section{Title: s.title, Parts: s.parts})
		}
	}
	r.Missing = append(c.missing(models), apart...)
	for i := range r.Sections {
		r.bound(&r.Sections[i])
	}
	r.bound(&r.Summary)
	return r
}

// Empty reports whether a collection has no result, and no file that seems to be one.
func (c *Collection) Empty() bool {
	return len(c.Benches)+len(c.Sweeps)+len(c.Evals)+len(c.Divergences)+len(c.Verifications)+len(c.Conversions)+len(c.Traces)+len(c.Comparisons)+len(c.Problems) == 0
}

// sections has every result of a kind described.
func sections[T any](results []Result[T], describe func(*Result[T]) []Section) (all []Section) {
	for i := range results {
		if results[i].Value != nil {
			all = append(all, describe(&results[i])...)
		}
	}
	return all
}

// bound leaves out what no one would read and no browser could show, and says so.
func (r *Report) bound(s *Section) {
	if n := len(s.Parts); n > reportParts {
		r.Missing = append(r.Missing, fmt.Sprintf("%s: the last %d of %d tables are left out", s.Title, n-reportParts, n))
		s.Parts = s.Parts[:reportParts]
	}
	if s.Table != nil && len(s.Table.Rows) > reportRows {
		n := len(s.Table.Rows)
		s.Table.Rows = s.Table.Rows[:reportRows]
		s.Notes = append(s.Notes, fmt.Sprintf("the last %d of %d rows are left out", n-reportRows, n))
	}
	for i := range s.Parts {
		r.bound(&s.Parts[i])
	}
}

// marks are notes on cells. Equal ones are one.
type marks []string

// add returns the marks for notes; empty ones have none.
func (m *marks) add(notes ...string) string {
	text := ""
	for _, note := range notes {
		if note == "" {
			continue
		}
		i := slices.Index(*m, note)
		if i < 0 {
			i = len(*m)
			*m = append(*m, note)
		}
		text += fmt.Sprintf(" (%d)", i+1)
	}
	return text
}

// list returns the notes with their marks.
func (m marks) list() []string {
	all := make([]string, len(m))
	for i, note := range m {
		all[i] = fmt.Sprintf("(%d) %s", i+1, note)
	}
	return all
}
