package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"
)

// screen is a small terminal: it interprets what the program draws, and fails
// the test on everything that it does not know. Its driver turns \n into \r\n.
type screen struct {
	t       testing.TB
	columns int
	rows    int
	lines   []line // all rows there ever were; the last rows of them are visible
	row     int    // of the cursor, in lines
	column  int    // of the cursor; columns: behind a character in the last column
}

// line is one row.
type line struct {
	cells   []string // "" is the right half of a wide character
	wrapped bool     // the text goes on in the next row
}

func newScreen(t testing.TB, columns, rows int) *screen {
	return &screen{t: t, columns: columns, rows: rows, lines: make([]line, 1)}
}

// Write interprets whole escape sequences and characters.
func (s *screen) Write(p []byte) (int, error) {
	for text := string(p); text != ""; {
		n := s.step(text)
		text = text[n:]
	}
	return len(p), nil
}

// step interprets the beginning of text and returns its length.
func (s *screen) step(text string) int {
	r, n := utf8.DecodeRuneInString(text)
	switch {
	case r == '\x1b':
		return s.escape(text)
	case r == '\r':
		s.column = 0
	case r == '\n':
		s.down(false)
	default:
		require.NotEqual(s.t, utf8.RuneError, r, "%q", text)
		require.False(s.t, r < ' ' || r >= 0x7f && r < 0xa0, "control character %q", r)
		s.put(r)
	}
	return n
}

func (s *screen) down(wrapped bool) {
	s.lines[s.row].wrapped = wrapped
	s.row, s.column = s.row+1, 0
	if s.row == len(s.lines) {
		s.lines = append(s.lines, line{})
	}
}

// top returns the first visible row.
func (s *screen) top() int { return max(0, len(s.lines)-s.rows) }

func (s *screen) put(r rune) {
	w := runewidth.RuneWidth(r)
	if s.column+w > s.columns {
		s.down(true)
	}
	l := &s.lines[s.row]
	if w == 0 {
		require.Positive(s.t, s.column)
		at := s.column - 1
		for l.cells[at] == "" {
			at--
		}
		l.cells[at] += string(r)
		return
	}
	for len(l.cells) < s.column+w {
		l.cells = append(l.cells, " ")
	}
	l.cells[s.column] = string(r)
	if w == 2 {
		l.cells[s.column+1] = ""
	}
	s.column += w
}

// escape interprets ESC [ number letter.
func (s *screen) escape(text string) int {
	require.True(s.t, strings.HasPrefix(text, "\x1b["), "%q", text)
	n, at := 0, 2
	for at < len(text) && text[at] >= '0' && text[at] <= '9' {
		n, at = 10*n+int(text[at]-'0'), at+1
	}
	require.Less(s.t, at, len(text), "%q", text)
	column := min(s.column, s.columns-1)
	switch text[at] {
	case 'A':
		s.row, s.column = max(s.top(), s.row-max(n, 1)), column
	case 'C':
		s.column = min(s.columns-1, s.column+max(n, 1))
	case 'J':
		require.Zero(s.t, n)
		for i := s.row + 1; i < len(s.lines); i++ {
			s.lines[i] = line{}
		}
		s.erase(column)
	case 'K':
		require.Zero(s.t, n)
		s.erase(column)
	case 'm':
	default:
		require.Fail(s.t, "unknown sequence", "%q", text[:at+1])
	}
	return at + 1
}

// erase empties the cursor's row from column on.
func (s *screen) erase(column int) {
	l := &s.lines[s.row]
	l.cells, l.wrapped = l.cells[:min(column, len(l.cells))], false
}

// text returns all that was shown, rows that scrolled away included, without
// the terminal's own line breaks and without blanks at the end.
func (s *screen) text() string {
	var b strings.Builder
	for _, l := range s.lines {
		b.WriteString(strings.Join(l.cells, ""))
		if !l.wrapped {
			b.WriteByte('\n')
		}
	}
	return strings.TrimRight(b.String(), "\n")
}
