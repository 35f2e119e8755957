package reports_test

import (
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

func wide() *reports.Table {
	return &reports.Table{
		Header: []string{"name", "type", "milliseconds", "tokens", "remark"}, Right: []int{2, 3},
		Rows: [][]string{{"步步高升", "q4_0", "171.25", "4.00", strings.Repeat("long ", 20) + "end"}, {"short\nlines", "q8_0", "12345678.25", "7.00", "x"}},
	}
}

func drawn(t testing.TB, table *reports.Table) (lines []string) {
	t.Helper()
	var out strings.Builder
	require.NoError(t, table.Text(&out))
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestTableWidth(t *testing.T) {
	whole := drawn(t, wide())
	widest := runewidth.StringWidth(whole[0])
	for width := 18; width <= widest+1; width++ {
		table := wide()
		table.Width = width
		lines := drawn(t, table)
		for _, line := range lines {
			assert.LessOrEqual(t, runewidth.StringWidth(line), width)
		}
		if width >= widest {
			assert.Equal(t, whole, lines, "what fits is as it was")
		}
	}
	assert.Contains(t, whole[1], "remark")
}

func TestTablePriority(t *testing.T) {
	kept := func(width int, priority ...int) (header, left string) {
		table := wide()
		table.Width, table.Priority = width, priority
		lines := drawn(t, table)
		header = strings.Join(strings.FieldsFunc(lines[1], func(r rune) bool { return r == '│' || r == ' ' }), " ")
		for i, line := range lines {
			if strings.HasPrefix(line, "left out: ") {
				left = strings.Join(append([]string{strings.TrimPrefix(line, "left out: ")}, lines[i+1:]...), "")
			}
		}
		return header, left
	}
	header, left := kept(80)
	assert.Equal(t, "name type milliseconds tokens remark", header, "text is shortened first")
	assert.Empty(t, left)
	header, left = kept(60)
	assert.Equal(t, "name type milliseconds tokens", header, "then the last column goes")
	assert.Equal(t, "remark", left)
	header, left = kept(60, 0, 1, 0, 2, 3)
	assert.Equal(t, "name type tokens remark", header, "or that of the least priority")
	assert.Equal(t, "milliseconds", left)
	header, left = kept(60, -1, 0, 0, 0, 0)
	assert.Equal(t, "name type milliseconds tokens", header)
	assert.Equal(t, "remark", left)
	header, _ = kept(16)
	assert.Equal(t, "name", header, "the first stays")
}

func TestTableReordering(t *testing.T) {
	table := &reports.Table{Header: []string{"a"}, Rows: [][]string{{"x\u202ey\u2067z\u2028w"}}}
	assert.Contains(t, strings.Join(drawn(t, table), "\n"), "x·y·z·w")
}
