package reports

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// footnotes are notes on rows of a table. Those that differ in numbers alone are one
// note, with ranges.
type footnotes struct {
	kinds map[string]int // by the text with # for numbers
	texts [][]string     // of each kind
}

// digits are a number in a text.
var digits = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// add takes the notes on a row, and returns the marks for it.
func (n *footnotes) add(texts []string) string {
	if n.kinds == nil {
		n.kinds = map[string]int{}
	}
	var marks strings.Builder
	last := -1
	for _, text := range texts {
		kind := digits.ReplaceAllLiteralString(text, "#")
		i, known := n.kinds[kind]
		if !known {
			i = len(n.texts)
			n.kinds[kind], n.texts = i, append(n.texts, nil)
		}
		n.texts[i] = append(n.texts[i], text)
		if i != last {
			fmt.Fprintf(&marks, " (%d)", i+1)
		}
		last = i
	}
	return marks.String()
}

// list returns the notes with their marks.
func (n *footnotes) list() []string {
	var all []string
	for i, texts := range n.texts {
		all = append(all, fmt.Sprintf("(%d) %s", i+1, ranges(texts)))
	}
	return all
}

// ranges returns what texts of one kind have in common, with the least and the greatest
// of numbers in which they differ.
func ranges(texts []string) string {
	least := digits.FindAllString(texts[0], -1)
	most := digits.FindAllString(texts[0], -1)
	for _, text := range texts[1:] {
		for i, x := range digits.FindAllString(text, -1) {
			if value(x) < value(least[i]) {
				least[i] = x
			}
			if value(x) > value(most[i]) {
				most[i] = x
			}
		}
	}
	i := -1
	return digits.ReplaceAllStringFunc(texts[0], func(string) string {
		if i++; value(least[i]) == value(most[i]) {
			return least[i]
		}
		return least[i] + " to " + most[i]
	})
}

func value(digits string) float64 {
	x, _ := strconv.ParseFloat(digits, 64) // of digits and a point; too large ones are +Inf
	return x
}
