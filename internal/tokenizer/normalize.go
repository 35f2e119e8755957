package tokenizer

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxSafeRun is the number of successive characters that join to the one before
// them up to which x/text's NFC is plain NFC. Beyond 30 of them, counted after
// decomposition, it inserts U+034F to keep to the Stream-Safe Text Format (UAX
// #15, section 13), which Hugging Face's normaliser does not know. A character
// decomposes to at most two of them, plus up to three from the character before.
const maxSafeRun = 13

// composeNFC returns s in Unicode Normalization Form C. Bytes that are not UTF-8
// stay.
func composeNFC(s string) string {
	if hasLongRun(s) {
		return composeSlowly(s)
	}
	return norm.NFC.String(s)
}

func hasLongRun(s string) bool {
	run := 0
	for i, r := range s {
		if r < 0x300 || norm.NFC.PropertiesString(s[i:]).BoundaryBefore() {
			run = 0
		} else if run++; run > maxSafeRun {
			return true
		}
	}
	return false
}

// composeSlowly is NFC without a limit on runs, as in the Unicode Standard,
// section 3.11: decompose, put marks in canonical order, compose. It takes the
// facts about single characters from x/text.
func composeSlowly(s string) string {
	type char struct {
		r     rune // or -1-b for a byte b that is not UTF-8
		class uint8
	}
	var chars []char
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				chars = append(chars, char{r: -1 - rune(s[i])})
				continue
			}
		}
		d := norm.NFD.String(string(r))
		for j, r := range d {
			chars = append(chars, char{r, norm.NFD.PropertiesString(d[j:]).CCC()})
		}
	}
	for i := 0; i < len(chars); {
		end := i
		for end < len(chars) && chars[end].class != 0 {
			end++
		}
		slices.SortStableFunc(chars[i:end], func(a, b char) int { return int(a.class) - int(b.class) })
		i = end + 1
	}

	out := chars[:0]
	starter := -1      // where in out the last character of class 0 is
	before := uint8(0) // the class of the last character of out, 0 if it is the starter
	for _, c := range chars {
		if starter >= 0 && (before == 0 || before < c.class) {
			if r, ok := composePair(out[starter].r, c.r); ok {
				out[starter].r = r
				continue
			}
		}
		if before = c.class; c.class == 0 {
			starter = len(out)
		}
		out = append(out, c)
	}

	b := make([]byte, 0, len(s))
	for _, c := range out {
		if c.r < 0 {
			b = append(b, byte(-1-c.r))
		} else {
			b = utf8.AppendRune(b, c.r)
		}
	}
	return string(b)
}

// composePair returns the one character that stands for a and b, if there is one.
func composePair(a, b rune) (rune, bool) {
	if a < 0 || b < 0 {
		return 0, false
	}
	s := norm.NFC.String(string(a) + string(b))
	r, n := utf8.DecodeRuneInString(s)
	return r, n == len(s)
}
