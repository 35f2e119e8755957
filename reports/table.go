package reports

import (
	"io"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// Table is rows of text under a header. Cells may have any text: what could be taken
// for a part of the table, or for orders to a terminal, is escaped.
type Table struct {
	Header []string
	Rows   [][]string // as long as Header
	Right  []int      // columns aligned to the right

	// Width is how many columns of characters Text may use; 0 for any number. In a table
	// that is wider, text is shortened, and then columns are left out: those of the least
	// priority, and of equal ones the last. Priority has a number for each column; empty:
	// all are equal. The first column always stays.
	Width    int
	Priority []int
}

// Text draws the table with lines, for a terminal. A cell may have several lines. Under it
// stands which columns were left out.
func (t *Table) Text(w io.Writer) error {
	fitting, left := t.fit()
	if err := fitting.render(w, plainText); err != nil || len(left) == 0 {
		return err
	}
	_, err := io.WriteString(w, runewidth.Wrap("left out: "+strings.Join(left, ", "), t.Width)+"\n")
	return err
}

// Markdown writes the table as GitHub's markdown.
func (t *Table) Markdown(w io.Writer) error {
	return t.render(w, markdownText, tablewriter.WithRenderer(renderer.NewMarkdown()))
}

func (t *Table) render(w io.Writer, escape func(string) string, options ...tablewriter.Option) error {
	align := make(tw.Alignment, len(t.Header))
	for i := range align {
		align[i] = tw.AlignLeft
	}
	for _, i := range t.Right {
		align[i] = tw.AlignRight
	}
	table := tablewriter.NewTable(w, append(options,
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithAlignment(align),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
	)...)
	table.Header(escaped(t.Header, escape))
	for _, row := range t.Rows {
		if err := table.Append(escaped(row, escape)); err != nil {
			return err
		}
	}
	return table.Render()
}

func escaped(cells []string, escape func(string) string) []string {
	out := make([]string, len(cells))
	for i, cell := range cells {
		out[i] = escape(cell)
	}
	return out
}

// plainText shows control characters as dots, and those that reorder text.
func plainText(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			return '·'
		}
		return r
	}, text)
}

// markup is what would end a cell, or be no text of it. An underscore inside a word,
// as names of types have, is none.
var markup = strings.NewReplacer(
	`\`, `\\`, `|`, `\|`, "`", "\\`", `*`, `\*`, `[`, `\[`, `~`, `\~`, `<`, `&lt;`, `&`, `&amp;`,
	"\r\n", " ", "\n", " ", "\r", " ", "\t", " ", "\u2028", " ", "\u2029", " ",
)

// markdownText escapes text for a line of markdown.
func markdownText(text string) string { return plainText(markup.Replace(text)) }
