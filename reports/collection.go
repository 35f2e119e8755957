package reports

import (
	"strings"
	"unicode"
)

// Collection is all results of a folder and the folders in it, each kind in the order of
// the paths.
type Collection struct {
	Title string // of its report; empty: NewReport's

	Benches       []Result[Bench]
	Sweeps        []Result[Sweep]
	Evals         []Result[Run]
	Divergences   []Result[Divergence]   // of kld
	Verifications []Result[Verification] // of verify
	Conversions   []Result[Conversion]   // of convert and quantize
	Traces        []Result[Trace]
	Comparisons   []Result[Comparison] // of compare

	History *History // nil for none: it is of other folders, see ReadHistory

	Problems []Problem
}

// Result is one result and where it is from.
type Result[T any] struct {
	Path  string // in the folder, with slashes
	Value *T
}

// Problem is a file that cannot be read as the result that it seems to be, or what is
// missing in one that can.
type Problem struct {
	Path string `json:"path"`
	Text string `json:"text"` // one line
}

// maxProblem bounds the text of a problem in characters.
const maxProblem = 300

// problem adds one. Whatever text is of a file, it becomes one short line without control
// characters, and without those that turn the direction of text.
func (c *Collection) problem(path, text string) {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return '·'
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > maxProblem {
		text = string(runes[:maxProblem]) + "…"
	}
	c.Problems = append(c.Problems, Problem{path, text})
}
