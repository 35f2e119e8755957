package eval

import (
	"math/big"
	"regexp"
	"slices"
	"strings"
)

// Extractors of numbers. All of them read every answer; which one counts is the task's.
const (
	layered    = "layered"          // the first of boxed, hash, answer-is and last-number that finds something; of several marks the last
	boxed      = "boxed"            // the last balanced \boxed{…} with a number
	hash       = "hash"             // behind the first "#### "
	answerIs   = "answer-is"        // behind the last "answer is" or "answer:"
	lastOfAll  = "last-number"      // the last number of the text
	strictLM   = "strict-match"     // lm-eval's filter of this name, and its comparison of texts
	flexibleLM = "flexible-extract" // the same
)

var (
	answerMark = regexp.MustCompile(`(?i)\banswer\b(?:[*_\s]*:|[*_\s]*=|[*_\s]+is\b)`)
	goldMark   = regexp.MustCompile(`#### (-?[0-9.,]+)`)
	flexible   = regexp.MustCompile(`(-?[$0-9.,]{2,})|(-?[0-9]+)`)
	sentence   = regexp.MustCompile(`[.!?](?:\s|$)`)
)

// maxMarks is how many marks are tried, from the last on, for one with a number.
const maxMarks = 20

// judgeNumber reads an answer to a record of GSM8K's form with all extractors, those
// named in first before the others.
func judgeNumber(answer, text string, first ...string) Judgement {
	var gold *big.Rat
	goldText := ""
	// Of several marks the last, whose line is the one that package datasets has checked.
	if m := goldMark.FindStringSubmatch(answer[max(0, strings.LastIndex(answer, "#### ")):]); m != nil {
		goldText = m[1]
		gold = readNumber(strings.ReplaceAll(strings.TrimRight(m[1], ".,"), ",", ""))
	}
	j := Judgement{}
	if gold != nil {
		j.Gold = formatNumber(gold)
	}
	said := spoken(text)

	b, h, a, l := lastBoxed(said), lastHash(said), lastAnswer(said), lastNumber(said)
	all := []Extraction{
		inLayers(gold, layer{boxed, b}, layer{hash, h}, layer{answerIs, a}, layer{lastOfAll, l}),
		found(boxed, gold, b), found(hash, gold, firstHash(said)), found(answerIs, gold, a), found(lastOfAll, gold, l),
		asText(strictLM, goldText, firstMatch(goldMark, text)), asText(flexibleLM, goldText, lastMatch(flexible, text)),
	}
	for _, name := range first {
		for _, e := range all {
			if e.Extractor == name {
				j.Extractions = append(j.Extractions, e)
			}
		}
	}
	for _, e := range all {
		if !slices.Contains(first, e.Extractor) {
			j.Extractions = append(j.Extractions, e)
		}
	}
	return j
}

// spoken returns what a model says after it thought aloud: for all but lm-eval's
// extractors thoughts are no answer.
func spoken(text string) string {
	const end = "</think>"
	if i := strings.LastIndex(text, end); i >= 0 {
		return text[i+len(end):]
	}
	return text
}

// found is what one extractor makes of a number, nil if there is none.
func found(extractor string, gold, n *big.Rat) Extraction {
	e := Extraction{Extractor: extractor}
	if n != nil {
		e.Value = formatNumber(n)
		e.Correct = gold != nil && gold.Cmp(n) == 0
	}
	return e
}

// layer is a rule and the number that it found.
type layer struct {
	name   string
	number *big.Rat
}

func inLayers(gold *big.Rat, layers ...layer) Extraction {
	for _, l := range layers {
		if l.number != nil {
			e := found(layered, gold, l.number)
			e.Layer = l.name
			return e
		}
	}
	return Extraction{Extractor: layered}
}

// asText compares as lm-eval's exact_match does for gsm8k (version 3): commas and dollar
// signs are deleted on both sides, and a point at the end. So 18.00 is not 18, which
// readers of its figures expect of it.
func asText(extractor, gold, value string) Extraction {
	plain := strings.NewReplacer(",", "", "$", "")
	value = strings.TrimSuffix(plain.Replace(value), ".")
	gold = strings.TrimSuffix(plain.Replace(gold), ".")
	return Extraction{Extractor: extractor, Value: value, Correct: value != "" && value == gold}
}

func firstMatch(re *regexp.Regexp, text string) string {
	if m := re.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// lastMatch returns the last match. Its groups are alternatives, so it is the first of
// them that is not empty, which lm-eval takes.
func lastMatch(re *regexp.Regexp, text string) string {
	last := ""
	for {
		m := re.FindStringIndex(text)
		if m == nil {
			return last
		}
		last = text[m[0]:m[1]]
		text = text[m[1]:]
	}
}

// lastBoxed returns the number of the last \boxed or \fbox that has one. Braces must
// balance; of a box in a box the inner one counts.
func lastBoxed(text string) *big.Rat {
	boxes := balanced(text)
	for i := len(boxes) - 1; i >= 0 && i >= len(boxes)-maxMarks; i-- {
		if n := readNumber(boxes[i]); n != nil {
			return n
		}
	}
	return nil
}

// balanced returns what boxes of LaTeX hold, in the order of their starts, the last
// maxMarks of them. It passes over text once, however braces are nested.
func balanced(text string) []string {
	type box struct{ start, end int }
	var boxes []box
	var open []int // for every open brace the index of its box, or -1
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			if !strings.HasPrefix(text[i+1:], `\boxed`) { // \\boxed, from a text that was quoted twice
				i++ // what is behind the backslash is no brace of ours
			} else {
				i += 2
			}
			for _, name := range []string{"boxed", "fbox"} {
				if !strings.HasPrefix(text[i:], name) {
					continue
				}
				i += len(name)
				for i < len(text) && text[i] == ' ' {
					i++
				}
				switch {
				case i < len(text) && text[i] == '{':
					boxes = append(boxes, box{start: i + 1})
					open = append(open, len(boxes)-1)
				case digit(text, i): // \boxed 18
					_, end := digits(text, i)
					boxes = append(boxes, box{i, end})
					i = end - 1
				default:
					i--
				}
				break
			}
		case '{':
			open = append(open, -1)
		case '}':
			if len(open) == 0 {
				continue
			}
			if b := open[len(open)-1]; b >= 0 {
				boxes[b].end = i
			}
			open = open[:len(open)-1]
		}
	}
	var inside []string
	for i := len(boxes) - 1; i >= 0 && len(inside) < maxMarks; i-- {
		if b := boxes[i]; b.end > 0 {
			inside = append([]string{text[b.start:b.end]}, inside...)
		}
	}
	return inside
}

// lastHash returns the number of the last line part "#### x" that has one.
func lastHash(text string) *big.Rat {
	for range maxMarks {
		i := strings.LastIndex(text, "####")
		if i < 0 {
			return nil
		}
		if n := readHeading(line(text[i+len("####"):])); n != nil {
			return n
		}
		text = text[:i]
	}
	return nil
}

// firstHash returns the number that lm-eval's strict filter finds, as a number.
func firstHash(text string) *big.Rat {
	return readNumber(strings.TrimRight(firstMatch(goldMark, text), ".,"))
}

// lastAnswer returns the number behind the last "answer is" or "answer:" that has one
// in the same sentence, or in the next line that is not empty.
func lastAnswer(text string) *big.Rat {
	marks := answerMark.FindAllStringIndex(text, -1)
	for i := len(marks) - 1; i >= 0 && i >= len(marks)-maxMarks; i-- {
		rest := text[marks[i][1]:]
		rest = strings.TrimLeft(rest[:min(len(rest), maxNumberText)], " \t\r\n*_:$\\[(")
		said := line(rest)
		if end := sentence.FindStringIndex(said); end != nil {
			said = said[:end[0]]
		}
		if n := readSentence(said); n != nil {
			return n
		}
	}
	return nil
}

// line returns text up to the end of its first line.
func line(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}
