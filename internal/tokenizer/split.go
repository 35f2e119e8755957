package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// splitPattern is the pre-tokenizer of all LLaDA2 and Ling vocabularies, as their
// tokenizer.json has it. pieceLen is this expression by hand: Go's regexp has
// neither look-ahead nor possessive quantifiers, and a general backtracking
// engine would be the slowest part of the package.
const splitPattern = `'(?i:[sdmt]|ll|ve|re)` + // alternative 1: contraction
	`|[^\r\n\p{L}\p{N}]?+\p{L}+` + // 2: word
	`|\p{N}` + // 3: digit
	`| ?[^\s\p{L}\p{N}]++[\r\n]*` + // 4: punctuation
	`|\s*[\r\n]` + // 5: line ends
	`|\s+(?!\S)` + // 6: spaces, but not the one before a word
	`|\s+` // 7: the one before anything else

// pieceLen returns the length of the first piece of s, which must not be empty.
// Every character belongs to some alternative, so the pieces of a text are the
// text. A byte that is not UTF-8 counts as U+FFFD, that is as punctuation.
//
// Character classes are Unicode's: \s is White_Space, \p{L} letters, \p{N}
// numbers, by the tables of the Go release. Oniguruma, the engine behind
// Hugging Face's tokenizers, has tables of its own version; the two can differ on
// characters that are newer than the older of them.
func pieceLen(s string) int {
	r, n := utf8.DecodeRuneInString(s)

	if r == '\'' {
		if k := contractionLen(s[n:]); k > 0 {
			return n + k
		}
	}

	// A word may take one character before it, but not a line end. Nothing is
	// given back (?+), and it would not help: what is no letter starts no word.
	digit := unicode.IsNumber(r)
	switch {
	case unicode.IsLetter(r):
		return n + span(s[n:], unicode.IsLetter)
	case r != '\r' && r != '\n' && !digit:
		if k := span(s[n:], unicode.IsLetter); k > 0 {
			return n + k
		}
	}

	if digit {
		return n
	}

	i := 0
	if r == ' ' {
		i = 1
	}
	if k := span(s[i:], isPunct); k > 0 {
		i += k
		return i + span(s[i:], isLineEnd)
	}

	// r is white space. \s* takes the whole run and gives back until a line end
	// is last.
	run := span(s, unicode.IsSpace)
	if k := strings.LastIndexAny(s[:run], "\r\n"); k >= 0 {
		return k + 1
	}
	if run < len(s) {
		if _, last := utf8.DecodeLastRuneInString(s[:run]); last < run {
			return run - last
		}
	}
	return run
}

// contractionLen returns how much of s, the text after an apostrophe, is the rest
// of an English contraction, and 0 if it is none. U+017F, the long s, folds to
// s, so that (?i:s) matches it in Oniguruma; no other letter outside ASCII folds
// to one of these.
func contractionLen(s string) int {
	r, n := utf8.DecodeRuneInString(s)
	switch r {
	case 's', 'S', 'ſ', 'd', 'D', 'm', 'M', 't', 'T':
		return n
	case 'l', 'L':
		if len(s) > 1 && s[1]|0x20 == 'l' {
			return 2
		}
	case 'v', 'V', 'r', 'R':
		if len(s) > 1 && s[1]|0x20 == 'e' {
			return 2
		}
	}
	return 0
}

// isPunct is [^\s\p{L}\p{N}]: besides punctuation also symbols, combining marks,
// emoji and control characters.
func isPunct(r rune) bool {
	return !unicode.IsSpace(r) && !unicode.IsLetter(r) && !unicode.IsNumber(r)
}

func isLineEnd(r rune) bool { return r == '\r' || r == '\n' }

// span returns the length of the characters at the start of s that are in class.
func span(s string, class func(rune) bool) int {
	for i, r := range s {
		if !class(r) {
			return i
		}
	}
	return len(s)
}
