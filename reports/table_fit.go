package reports

import (
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
)

// leastText is to how many characters a column of text may be shortened before columns
// are left out. Columns to the right are numbers, which are never shortened.
const leastText = 24

// fit returns a table as wide as Width allows, and the headers of columns that are left
// out of it. A first column alone may still be wider, if it is to the right.
func (t *Table) fit() (*Table, []string) {
	if t.Width <= 0 || len(t.Header) == 0 {
		return t, nil
	}
	widths := t.widths()
	kept := make([]int, len(t.Header))
	for i := range kept {
		kept[i] = i
	}
	var left []int
	for t.excess(kept, widths, leastText) > 0 && len(kept) > 1 {
		drop := 1
		for i := range kept {
			if i > 0 && t.priority(kept[i]) <= t.priority(kept[drop]) {
				drop = i
			}
		}
		left = append(left, kept[drop])
		kept = slices.Delete(kept, drop, drop+1)
	}
	for i := range widths {
		if !slices.Contains(t.Right, i) {
			widths[i] = min(widths[i], t.Width)
		}
	}
	for excess := t.excess(kept, widths, 0); excess > 0; excess = t.excess(kept, widths, 0) {
		widest := -1
		for _, i := range kept {
			if !slices.Contains(t.Right, i) && widths[i] > 1 && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	fitting := &Table{Header: t.part(t.Header, kept, widths)}
	for _, row := range t.Rows {
		fitting.Rows = append(fitting.Rows, t.part(row, kept, widths))
	}
	for at, i := range kept {
		if slices.Contains(t.Right, i) {
			fitting.Right = append(fitting.Right, at)
		}
	}
	slices.Sort(left)
	var names []string
	for _, i := range left {
		names = append(names, plainText(t.Header[i]))
	}
	return fitting, names
}

// widths are how wide the columns are.
func (t *Table) widths() []int {
	widths := make([]int, len(t.Header))
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		for i := range min(len(row), len(widths)) {
			for line := range strings.SplitSeq(plainText(row[i]), "\n") {
				widths[i] = max(widths[i], runewidth.StringWidth(line))
			}
		}
	}
	return widths
}

// excess is how much wider than Width the columns are that are kept, if those of text are
// shortened to a width; 0 does not shorten them.
func (t *Table) excess(kept, widths []int, shortened int) int {
	all := 1
	for _, i := range kept {
		width := widths[i]
		if shortened > 0 && !slices.Contains(t.Right, i) {
			width = min(width, shortened)
		}
		all += width + 3 // a space on both sides, and a line
	}
	return all - t.Width
}

func (t *Table) priority(column int) int {
	if column < len(t.Priority) {
		return t.Priority[column]
	}
	return 0
}

// part returns the cells that are kept, as wide as their columns.
func (t *Table) part(row []string, kept, widths []int) []string {
	var cells []string
	for _, i := range kept {
		if i >= len(row) {
			continue
		}
		lines := strings.Split(plainText(row[i]), "\n")
		for j, line := range lines {
			lines[j] = runewidth.Truncate(line, widths[i], "…")
		}
		cells = append(cells, strings.Join(lines, "\n"))
	}
	return cells
}
