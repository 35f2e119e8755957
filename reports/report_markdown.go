package reports

import (
	"bufio"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"
)

const (
	mostCell = 400  // characters of a cell that are shown
	mostLine = 2000 // of a note
)

// Markdown writes the report as GitHub's markdown. Figures are references to the files
// NAME.svg beside it.
func (r *Report) Markdown(w io.Writer) error {
	out := bufio.NewWriter(w)
	out.WriteString("# " + markdownLine(r.Title, mostCell) + "\n\n")
	for _, s := range append([]Section{r.Summary}, r.Sections...) {
		if err := s.markdown(out, "##"); err != nil {
			return err
		}
	}
	out.WriteString("## What is missing\n\n")
	if len(r.Missing) == 0 {
		out.WriteString("Nothing.\n")
	}
	markdownList(out, r.Missing)
	return out.Flush()
}

func (s *Section) markdown(out *bufio.Writer, level string) error {
	out.WriteString(level + " " + markdownLine(s.Title, mostCell) + "\n\n")
	if s.Table != nil {
		if s.Caption != "" {
			out.WriteString(markdownLine(s.Caption, mostLine) + "\n\n")
		}
		if err := s.Table.clipped().Markdown(out); err != nil {
			return err
		}
		out.WriteString("\n")
	}
	markdownList(out, s.Notes)
	if len(s.Notes) > 0 {
		out.WriteString("\n")
	}
	for _, f := range s.Figures {
		out.WriteString("![" + markdownLine(f.Title, mostCell) + "](" + url.PathEscape(f.Name) + ".svg)\n\n")
		if f.Note != "" {
			out.WriteString(markdownLine(f.Note, mostLine) + "\n\n")
		}
	}
	for i := range s.Parts {
		if err := s.Parts[i].markdown(out, level+"#"); err != nil {
			return err
		}
	}
	return nil
}

func markdownList(out *bufio.Writer, items []string) {
	for _, item := range items {
		out.WriteString("- " + markdownLine(item, mostLine) + "\n")
	}
}

// markdownLine escapes text that begins a line or the item of a list, where more can be
// meant than inside of one.
func markdownLine(text string, most int) string {
	text = strings.TrimSpace(markdownText(clip(text, most)))
	end := strings.TrimLeft(text, "0123456789")
	switch {
	case text == "":
	case strings.ContainsRune("#>+-=_:", rune(text[0])):
		return `\` + text
	case end != text && end != "" && (end[0] == '.' || end[0] == ')'):
		return text[:len(text)-len(end)] + `\` + end
	}
	return text
}

// clipped returns the table with cells of a length that can be shown.
func (t *Table) clipped() *Table {
	c := *t
	c.Header, c.Rows = clippedCells(t.Header), make([][]string, len(t.Rows))
	for i, row := range t.Rows {
		c.Rows[i] = clippedCells(row)
	}
	return &c
}

func clippedCells(cells []string) []string {
	out := make([]string, len(cells))
	for i, cell := range cells {
		out[i] = clip(cell, mostCell)
	}
	return out
}

// clip leaves the first characters of text.
func clip(text string, most int) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if len(text) <= most || utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
