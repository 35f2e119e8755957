package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// alphabet has narrow and wide characters, a combining accent and line ends.
var alphabet = []rune("abcdefgh    éß世界語🙂\u0301\n")

func randomText(random *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		r := alphabet[random.IntN(len(alphabet))]
		if r == '\u0301' {
			b.WriteRune('a') // which carries the accent
		}
		b.WriteRune(r)
	}
	return b.String()
}

func randomSpans(random *rand.Rand) []span {
	var spans []span
	for range random.IntN(40) {
		text := strings.ReplaceAll(randomText(random, random.IntN(8)), "\n", "⏎")
		spans = append(spans, span{[]string{"", "1", "2"}[random.IntN(3)], text})
	}
	return spans
}

// Whatever is drawn in between, the finished text is all that is left, and the
// cursor stands behind it.
func TestRegion(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {40, 24}, {40, 5}, {7, 8}, {3, 4}, {80, 1}} {
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, 0))
			s, plain := newScreen(t, size[0], size[1]), newScreen(t, size[0], size[1])
			r := &region{w: s, columns: size[0], rows: size[1]}
			for range 20 {
				text := randomText(random, random.IntN(2*size[0]))
				r.print(text)
				fmt.Fprint(plain, text)
				require.Equal(t, plain.text(), s.text(), "%v %d", size, seed)
				require.Equal(t, [2]int{plain.row, plain.column}, [2]int{s.row, s.column}, "%v %d", size, seed)
				for range random.IntN(4) {
					r.draw(randomSpans(random))
				}
			}
			r.print("end\n")
			fmt.Fprint(plain, "end\n")
			require.Equal(t, plain.text(), s.text(), "%v %d", size, seed)
		}
	}
}

// The finished text fills its last row exactly: the cursor waits behind it.
func TestRegionFullRow(t *testing.T) {
	for _, next := range []string{"more", "\nmore", "世", ""} {
		s := newScreen(t, 10, 5)
		r := &region{w: s, columns: 10, rows: 5}
		r.print("0123456789")
		r.draw([]span{{"", "live"}})
		assert.Equal(t, "0123456789\nlive", s.text())
		r.print(next)
		assert.Equal(t, "0123456789"+next, s.text())
	}
}

func TestRegionDraw(t *testing.T) {
	s := newScreen(t, 6, 4)
	r := &region{w: s, columns: 6, rows: 4}
	r.print("text")
	r.draw([]span{{"2", "[1] "}, {"1", "世界"}, {"", "ab"}})
	assert.Equal(t, "text\n[1] 世\n界ab", s.text())
	r.draw([]span{{"", strings.Repeat("abcdef", 9)}})
	assert.Equal(t, "text\nabcdef\nabcdef\n…", s.text(), "cut to what the screen holds")
	r.draw(nil)
	assert.Equal(t, "text", s.text())
}

func TestRegionTabs(t *testing.T) {
	s := newScreen(t, 20, 4)
	r := &region{w: s, columns: 20, rows: 4}
	r.print("a\tb\t\tc")
	assert.Equal(t, "a       b           c", s.text(), "stops at the last column")
}

func TestPrintable(t *testing.T) {
	const text = "a\x1b[31m\tb\r\n\x00\u009b\x7f世\xff"
	assert.Equal(t, text, newOutput(&strings.Builder{}, nil).printable(text))
	assert.Equal(t, "a·[31m\tb·\n···世\ufffd", (&output{columns: 80}).printable(text))
}

func TestProgress(t *testing.T) {
	for _, columns := range []int{80, 40, 10, 1} {
		s := newScreen(t, columns, 4)
		p := newProgress(&output{w: s, columns: columns, rows: 4}, "converting")
		p.started = time.Now().Add(-10 * time.Second)
		for _, done := range []int64{0, 1, 5 << 30, 10 << 30} {
			p.drawn = time.Time{}
			p.update(done, 10<<30)
			assert.Len(t, s.lines, 1, "one row")
			assert.Less(t, s.column, columns)
			if columns == 80 {
				assert.Contains(t, s.text(), fmt.Sprintf("converting %5.1f %%", 10*float64(done)/(1<<30)))
			}
		}
		before := s.text()
		p.update(1, 10<<30)
		assert.Equal(t, before, s.text(), "not drawn again so soon")
		p.end()
		assert.Empty(t, s.text())
		assert.Zero(t, s.column)
	}
	var b strings.Builder
	p := newProgress(newOutput(&b, nil), "converting")
	p.drawn = time.Time{}
	p.update(1, 2)
	p.end()
	assert.Empty(t, b.String(), "not a terminal")
}
