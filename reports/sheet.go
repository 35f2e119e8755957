package reports

import (
	"fmt"
	"io"
	"strings"
)

// sheet is a result for people to read: tables, and what is to be known about them.
type sheet struct {
	head   []string // lines above the tables
	tables []*Table // of which only the first is shown without rows
	build  string   // a line of its own under them, as llama-bench has it
	notes  []string
}

// Sheet is a result that has a form for people: a *Bench, *Sweep, *Eval, *Comparison,
// *Divergence or *Verification.
type Sheet interface {
	Write(w io.Writer, form string) error
	check() error
	sheet() *sheet
}

// WriteText writes for a terminal what Write writes in the form md: tables with lines, that
// are no wider than so many columns of characters, and name the columns that they leave
// out; 0 columns are any number.
func WriteText(w io.Writer, s Sheet, columns int) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.sheet().text(w, columns)
}

// writeSheet writes a result in the form md, or as JSON. One that cannot be is refused by
// its name.
func writeSheet(w io.Writer, s Sheet, form, name string) error {
	if err := s.check(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	switch form {
	case "md":
		return s.sheet().markdown(w)
	case "json":
		return writeDocument(w, s)
	}
	return fmt.Errorf("form %.40q is not one of md, json", form)
}

// shown are the tables that have something to show.
func (s *sheet) shown() (all []*Table) {
	for i, t := range s.tables {
		if i == 0 || len(t.Rows) > 0 {
			all = append(all, t)
		}
	}
	return all
}

func (s *sheet) markdown(w io.Writer) error {
	var out strings.Builder
	for _, line := range s.head {
		out.WriteString(markdownText(line) + "\n\n")
	}
	for i, t := range s.shown() {
		if i > 0 {
			out.WriteString("\n")
		}
		if err := t.Markdown(&out); err != nil {
			return err
		}
	}
	out.WriteString("\n" + markdownText(s.build) + "\n\n")
	for _, note := range s.notes {
		out.WriteString("- " + markdownText(note) + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (s *sheet) text(w io.Writer, columns int) error {
	var out strings.Builder
	for _, line := range s.head {
		fmt.Fprintln(&out, visibleLine(line, mostLine))
	}
	for _, t := range s.shown() {
		fitted := *t
		fitted.Width = columns
		if err := fitted.Text(&out); err != nil {
			return err
		}
	}
	for _, line := range append([]string{s.build}, s.notes...) {
		fmt.Fprintln(&out, visibleLine(line, mostLine))
	}
	_, err := io.WriteString(w, out.String())
	return err
}
