package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// region is the part of a terminal below the finished text that is drawn again
// and again. To remove it, the cursor goes up to the last row of the finished
// text, and that row is printed once more: this alone puts the cursor exactly
// where it was, also behind a character in the last column, where it waits
// between two rows.
type region struct {
	w       io.Writer
	columns int
	rows    int
	tail    string // the last row of the finished text
	column  int    // where tail ends
	drawn   int    // rows of the region that are on the screen, below tail
}

// span is a piece of the region's text, which has no control characters.
type span struct {
	style string // an SGR parameter; "" for plain text
	text  string
}

// print adds finished text and removes the region. The text has no control
// characters but newlines and tabs.
func (r *region) print(text string) {
	var b strings.Builder
	b.WriteString(r.clear())
	for _, c := range text {
		switch c {
		case '\n':
			b.WriteByte('\n')
			r.tail, r.column = "", 0
		case '\t': // as spaces: terminals disagree about tabs in the last column
			for r.put(&b, ' '); r.column%8 != 0 && r.column < r.columns; {
				r.put(&b, ' ')
			}
		default:
			r.put(&b, c)
		}
	}
	io.WriteString(r.w, b.String())
}

// put writes one character of the finished text.
func (r *region) put(b *strings.Builder, c rune) {
	b.WriteRune(c)
	w := runewidth.RuneWidth(c)
	if r.column+w > r.columns {
		r.tail, r.column = "", 0
	}
	r.tail += string(c)
	r.column += w
}

// draw shows the spans in place of what the region showed.
func (r *region) draw(spans []span) {
	text := r.clear()
	rows := r.layout(spans)
	if most := r.rows - 1; len(rows) > most { // what scrolls away cannot be removed
		rows = rows[:max(0, most)]
		if len(rows) > 0 {
			rows[len(rows)-1] = "…"
		}
	}
	for _, row := range rows {
		text += "\n" + row
	}
	r.drawn = len(rows)
	io.WriteString(r.w, text)
}

// layout breaks the spans into rows, so that their number does not depend on
// how a terminal wraps.
func (r *region) layout(spans []span) []string {
	var rows []string
	var row strings.Builder
	column := 0
	for _, s := range spans {
		on, off := "", ""
		if s.style != "" {
			on, off = "\x1b["+s.style+"m", "\x1b[0m"
		}
		row.WriteString(on)
		for _, c := range s.text {
			w := runewidth.RuneWidth(c)
			if column+w > r.columns && column > 0 {
				rows = append(rows, row.String()+off)
				row.Reset()
				row.WriteString(on)
				column = 0
			}
			row.WriteRune(c)
			column += w
		}
		row.WriteString(off)
	}
	return append(rows, row.String())
}

// clear returns what removes the region and puts the cursor behind the finished
// text.
func (r *region) clear() string {
	if r.drawn == 0 {
		return ""
	}
	up := fmt.Sprintf("\r\x1b[%dA\x1b[J", r.drawn)
	r.drawn = 0
	return up + r.tail
}
