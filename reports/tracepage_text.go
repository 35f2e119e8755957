package reports

import (
	"fmt"
	"strings"
	"unicode"
)

// maxCombining is how many marks may stand on one character: more of them would cover the
// lines around.
const maxCombining = 4

// visibleText returns a text with everything that would be invisible, or would change how
// its surroundings look, as something to be seen: control characters as their pictures,
// and directions, joiners and private ones by number. A line that ends has a sign of it.
// What is shown is cut off at most characters.
func visibleText(text string, most int) string {
	var b strings.Builder
	n, marks := 0, 0
	for _, r := range text {
		if n >= most {
			b.WriteString("…")
			break
		}
		if !unicode.Is(unicode.M, r) {
			marks = 0
		} else if marks++; n == 0 {
			b.WriteRune('◌')
		}
		n++
		switch {
		case r == '\n':
			b.WriteString("⏎\n")
		case r == '\t':
			b.WriteRune('→')
		case r < ' ':
			b.WriteRune('␀' + r)
		case r == 0x7f:
			b.WriteRune('␡')
		case !unicode.IsGraphic(r) || marks > maxCombining:
			n += len("<U+0000>") - 1
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// shownLine is visibleText without lines.
func shownLine(text string, most int) string {
	return strings.ReplaceAll(visibleText(text, most), "\n", "")
}
