package reports

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// nothing stands in cells for what is not known, or does not exist for a row.
const nothing = "-"

// column is a column of a table of results. Cells that are "" have no value.
type column[T any] struct {
	name  string
	right bool
	cell  func(*T) string
	show  func(values []string) bool // given the different values there are; nil: always
}

// unless shows a column like llama-bench: if rows differ in it, or if it is not what it
// usually is.
func unless(usual ...string) func([]string) bool {
	return func(values []string) bool {
		return len(values) > 1 || len(values) == 1 && !slices.Contains(usual, values[0])
	}
}

// differing shows a column if rows differ in it.
func differing(values []string) bool { return len(values) > 1 }

// known shows a column if it has any value.
func known(values []string) bool { return len(values) > 0 }

// columnsTable makes the table of all columns that are to be shown.
func columnsTable[T any](columns []column[T], rows []T) *Table {
	table := &Table{Rows: make([][]string, len(rows))}
	for _, c := range columns {
		cells, values := make([]string, len(rows)), []string(nil)
		for i := range rows {
			if cells[i] = c.cell(&rows[i]); cells[i] == "" {
				cells[i] = nothing
			} else if !slices.Contains(values, cells[i]) {
				values = append(values, cells[i])
			}
		}
		if c.show != nil && !c.show(values) {
			continue
		}
		if c.right {
			table.Right = append(table.Right, len(table.Header))
		}
		table.Header = append(table.Header, c.name)
		for i, cell := range cells {
			table.Rows[i] = append(table.Rows[i], cell)
		}
	}
	return table
}

// prefer gives the columns with these headers priority over others, the first the most.
func (t *Table) prefer(headers ...string) *Table {
	t.Priority = make([]int, len(t.Header))
	for i, header := range t.Header {
		if at := slices.Index(headers, header); at >= 0 {
			t.Priority[i] = len(headers) - at
		}
	}
	return t
}

// fileName is the last part of a path of any system.
func fileName(name string) string {
	if name == "" {
		return ""
	}
	return path.Base(strings.ReplaceAll(name, `\`, "/"))
}

// list joins what is not empty.
func list(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	if len(parts) == 0 {
		return "unknown"
	}
	return strings.Join(parts, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// significant formats a number with four digits, or all of a whole part.
func significant(x float64) string {
	if x == 0 || math.Abs(x) >= 1000 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	digits := 3 - int(math.Floor(math.Log10(math.Abs(x))))
	return strconv.FormatFloat(x, 'f', min(max(digits, 0), 6), 64)
}

// The following are empty for 0, which stands for what is not known.

func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func number(x float64) string {
	if x == 0 {
		return ""
	}
	return strconv.FormatFloat(x, 'g', 6, 64)
}

func decimals(x float64) string {
	if x == 0 {
		return ""
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

// gibibytes formats a size as llama-bench does.
func gibibytes(n uint64) string {
	switch {
	case n == 0:
		return ""
	case n < 1<<30:
		return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

// billions formats a number of weights as llama-bench does.
func billions(n uint64) string {
	switch {
	case n == 0:
		return ""
	case n < 1e9:
		return fmt.Sprintf("%.2f M", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f B", float64(n)/1e9)
}
