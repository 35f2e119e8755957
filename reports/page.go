package reports

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"unicode/utf8"
)

// A page is a report as one HTML file: html/template escapes all texts, the style sheet
// is in it, and figures are elements. It has no script, and a policy that lets none run
// and nothing be fetched, should something slip through.

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// pageTemplate is a table: it is parsed once, and never changed.
var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// page is what the template is filled with.
type page struct {
	Title    string
	Style    template.CSS
	Sections []pageSection
	Missing  []string
}

// pageSection is a section with what its elements need.
type pageSection struct {
	ID, Title, Caption string
	Header             []pageCell
	Rows               [][]pageCell
	Notes              []string
	Figures            []template.HTML
	Parts              []pageSection
}

// pageCell is a cell.
type pageCell struct {
	Text, Class string
}

// longText is from how many characters on a cell has lines.
const longText = 36

// HTML writes the report as one page that needs nothing else.
func (r *Report) HTML(w io.Writer) error {
	p := page{Title: pageText(r.Title, mostCell), Style: template.CSS(pageCSS), Missing: pageTexts(r.Missing)}
	for i, s := range append([]Section{r.Summary}, r.Sections...) {
		p.Sections = append(p.Sections, s.page(fmt.Sprintf("s%d", i)))
	}
	return pageTemplate.Execute(w, &p)
}

// page prepares a section and those in it.
func (s *Section) page(id string) pageSection {
	p := pageSection{ID: id, Title: pageText(s.Title, mostCell), Caption: pageText(s.Caption, mostLine), Notes: pageTexts(s.Notes)}
	if t := s.Table; t != nil {
		p.Header = t.cells(t.Header)
		for _, row := range t.Rows {
			p.Rows = append(p.Rows, t.cells(row))
		}
	}
	for _, f := range s.Figures {
		p.Figures = append(p.Figures, template.HTML(f.Inline()))
	}
	for i := range s.Parts {
		p.Parts = append(p.Parts, s.Parts[i].page(fmt.Sprintf("%s-%d", id, i)))
	}
	return p
}

func (t *Table) cells(row []string) []pageCell {
	cells := make([]pageCell, len(row))
	for i, text := range row {
		cells[i].Text = pageText(text, mostCell)
		switch {
		case slices.Contains(t.Right, i):
			cells[i].Class = "right"
		case utf8.RuneCountInString(text) >= longText:
			cells[i].Class = "long"
		}
	}
	return cells
}

// pageText is text without what could reorder or hide what is beside it.
func pageText(text string, most int) string { return plainText(clip(text, most)) }

func pageTexts(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = pageText(text, mostLine)
	}
	return out
}
