package reports

import "io"

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
	Table   *Table // nil for none
	Notes   []string
	Figures []*Figure
}

// NewReport arranges a collection.
func NewReport(c *Collection) *Report { return &Report{} }

// Markdown writes the report as GitHub's markdown. Figures are references to the files
// NAME.svg beside it.
func (r *Report) Markdown(w io.Writer) error { return nil }

// HTML writes the report as one page that needs nothing else.
func (r *Report) HTML(w io.Writer) error { return nil }
