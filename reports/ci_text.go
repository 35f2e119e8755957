package reports

import (
	"strings"
	"unicode"
)

// visible returns the first most runes of a text that others wrote. What is not text, or
// would change how text around it reads, is shown as U+FFFD: control characters but line
// feeds and tabs, those that change the direction, and bytes that are no UTF-8.
func visible(text string, most int) string {
	// Runes have at most four bytes: of a huge text no more is looked at.
	cut := len(text) > 4*most
	if cut {
		text = text[:4*most]
	}
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > most {
			cut = true
			break
		}
		b.WriteRune(visibleRune(r))
	}
	if cut {
		b.WriteString("…")
	}
	return b.String()
}

func visibleRune(r rune) rune {
	if r != '\n' && r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
		return unicode.ReplacementChar
	}
	return r
}

// visibleLine returns the first most runes of a text as one line.
func visibleLine(text string, most int) string {
	return strings.Join(strings.Fields(visible(text, most)), " ")
}
