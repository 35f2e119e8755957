package eval_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/datasets"
	"lladakit/eval"
)

// nasty is a line of testdata/nasty.jsonl: an answer, and what each extractor makes of it.
type nasty struct {
	Task, Text, Why, Layer string

	Gold, Value, Strict, Flexible string // of numbers
	Correct                       bool

	Fenced, Sanitized, Raw bool // of code: whether the program passes
}

func nastyAnswers(t *testing.T, task string) []nasty {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "nasty.jsonl"))
	require.NoError(t, err)
	var list []nasty
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		var n nasty
		require.NoError(t, json.Unmarshal(lines.Bytes(), &n))
		if n.Task == task {
			list = append(list, n)
		}
	}
	require.NoError(t, lines.Err())
	return list
}

func findTask(t testing.TB, name string) *eval.Task {
	t.Helper()
	task, err := eval.Find(name)
	require.NoError(t, err)
	return task
}

// extraction returns what an extractor found.
func extraction(t testing.TB, j eval.Judgement, extractor string) eval.Extraction {
	t.Helper()
	for _, e := range j.Extractions {
		if e.Extractor == extractor {
			return e
		}
	}
	require.Fail(t, "no extractor "+extractor)
	return eval.Extraction{}
}

func TestNastyNumbers(t *testing.T) {
	task := findTask(t, "gsm8k")
	list := nastyAnswers(t, "gsm8k")
	require.Greater(t, len(list), 50)
	for i, n := range list {
		j := task.Judge(&datasets.Record{Answer: "#### " + n.Gold}, n.Text)
		what := fmt.Sprintf("line %d: %s", i+1, n.Why)
		require.Equal(t, n.Gold, j.Gold, what)
		e := j.Extractions[0]
		assert.Equal(t, eval.Extraction{Extractor: "layered", Value: n.Value, Layer: n.Layer, Correct: n.Correct}, e, what)
		assert.Equal(t, n.Strict, extraction(t, j, "strict-match").Value, what)
		assert.Equal(t, strings.TrimSuffix(strings.NewReplacer("$", "", ",", "").Replace(n.Flexible), "."), extraction(t, j, "flexible-extract").Value, what)
	}
}

// The gold answers of GSM8K are found in ten phrasings, by the extractor that counts and
// by the one that is made for the phrasing.
func TestPhrasings(t *testing.T) {
	records := gsm8kRecords(t, "gsm8k_test.jsonl")
	require.Len(t, records, 1319)
	commas := func(n string) string {
		sign, digits := "", n
		if strings.HasPrefix(n, "-") {
			sign, digits = "-", n[1:]
		}
		for i := len(digits) - 3; i > 0; i -= 3 {
			digits = digits[:i] + "," + digits[i:]
		}
		return sign + digits
	}
	minus := func(n string) string { return strings.Replace(n, "-", "−", 1) }
	phrasings := []struct {
		name, extractor string
		write           func(n string) string
	}{
		{"boxed", "boxed", func(n string) string { return "So 7 and 9.\n\\[\n\\boxed{" + n + "}\n\\]" }},
		{"hash", "hash", func(n string) string { return "3 + 4 = <<3+4=7>>7\n#### " + n }},
		{"answer is", "answer-is", func(n string) string { return "As 3 + 4 = 7, the answer is " + n + "." }},
		{"units", "answer-is", func(n string) string { return "The final answer is: " + n + " eggs in 2 days." }},
		{"commas", "boxed", func(n string) string { return "\\boxed{" + commas(n) + "} of 12" }},
		{"dollars", "boxed", func(n string) string {
			return "$$\\boxed{" + strings.Replace("\\$"+commas(n), "\\$-", "-\\$", 1) + "}$$"
		}},
		{"LaTeX", "boxed", func(n string) string {
			return "\\boxed{\\text{Total} = \\mathbf{" + strings.ReplaceAll(commas(n), ",", "{,}") + "}\\ \\text{miles}}"
		}},
		{"decimals", "answer-is", func(n string) string { return "Answer: $" + n + ".00" }},
		{"fraction", "boxed", func(n string) string { return "\\boxed{\\dfrac{" + n + "0}{10}}" }},
		{"minus", "last-number", func(n string) string { return "After 3 steps she has " + minus(n) }},
		{"bold", "answer-is", func(n string) string { return "**Final Answer:** **" + commas(n) + "**" }},
	}
	task := findTask(t, "gsm8k")
	for _, p := range phrasings {
		for i, r := range records {
			gold := strings.ReplaceAll(strings.TrimSpace(r.Answer[strings.LastIndex(r.Answer, "####")+4:]), ",", "")
			j := task.Judge(&r, p.write(gold))
			require.Equal(t, gold, j.Gold, "%d", i)
			require.True(t, j.Extractions[0].Correct, "%s, record %d, gold %s: %+v", p.name, i, gold, j.Extractions[0])
			require.True(t, extraction(t, j, p.extractor).Correct, "%s, record %d, gold %s", p.name, i, gold)
		}
	}
	t.Logf("%d phrasings of %d records", len(phrasings), len(records))
}

// The answers of the data set itself are right by lm-eval's filters.
func TestFewShotGold(t *testing.T) {
	task := findTask(t, "gsm8k-5shot")
	for _, r := range gsm8kRecords(t, "gsm8k_test.jsonl") {
		j := task.Judge(&r, " "+r.Answer)
		require.Equal(t, "strict-match", j.Extractions[0].Extractor)
		require.Equal(t, "flexible-extract", j.Extractions[1].Extractor)
		require.True(t, j.Extractions[0].Correct && j.Extractions[1].Correct, "%q", r.Answer)
	}
}

// What lm-eval's filters do, by hand from their regular expressions.
// TestGoldIsLast: steps of an answer may have a mark of their own.
func TestGoldIsLast(t *testing.T) {
	r := &datasets.Record{Answer: "#### 1. Add: 2 + 3 = 5\n#### 7 is not it\n#### 1,005"}
	assert.Equal(t, "1005", findTask(t, "gsm8k").Judge(r, "").Gold)
	strict := findTask(t, "gsm8k-5shot").Judge(r, "#### 1005")
	assert.True(t, strict.Extractions[0].Correct)
}

func TestLMEvalFilters(t *testing.T) {
	task := findTask(t, "gsm8k-5shot")
	for _, c := range []struct {
		text, strict, flexible string
		strictOK, flexibleOK   bool
	}{
		{" 9 * 2 = 18\n#### 18", "18", "18", true, true},
		{"#### 18.", "18", "18", true, true},
		{"#### 18.00", "18.00", "18.00", false, false},
		{"#### $18", "", "18", false, true},
		{"#### 1,8", "18", "18", true, true}, // commas are deleted wherever they are
		{"####  18", "", "18", false, true},  // two spaces
		{"#### -18", "-18", "-18", false, false},
		{"#### 18\n#### 19", "18", "19", true, false},
		{"18 in total...", "", "..", false, false}, // points are matched without digits
		{"She has 18", "", "18", false, true},
		{"8", "", "8", false, false},
		{"nothing", "", "", false, false},
	} {
		j := task.Judge(&datasets.Record{Answer: "9 * 2 = <<9*2=18>>18\n#### 18"}, c.text)
		s, f := j.Extractions[0], j.Extractions[1]
		assert.Equal(t, []any{c.strict, c.flexible, c.strictOK, c.flexibleOK}, []any{s.Value, f.Value, s.Correct, f.Correct}, c.text)
	}
}

func TestAllExtractorsRun(t *testing.T) {
	for _, name := range []string{"gsm8k", "gsm8k-5shot", "tiny-gsm8k"} {
		j := findTask(t, name).Judge(&datasets.Record{Answer: "no gold"}, "\\boxed{18}")
		assert.Empty(t, j.Gold)
		var names []string
		for _, e := range j.Extractions {
			names = append(names, e.Extractor)
			assert.False(t, e.Correct, "without a gold answer")
		}
		assert.ElementsMatch(t, []string{"layered", "boxed", "hash", "answer-is", "last-number", "strict-match", "flexible-extract"}, names)
	}
}

// FuzzNumbers looks for texts that upset extractors, and for values not in normal form.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{
		"\\boxed{\\frac{1}{2}}", "#### 1,234.50", "The answer is -3 1/2 \\%", "1e999999999", "{{{{\\boxed{", "−$½⁄٣",
		strings.Repeat("9", 2000), strings.Repeat("\\boxed{", 50), strings.Repeat("#### ", 50), strings.Repeat("answer is ", 50), "00/00 1/00",
	} {
		f.Add(s)
	}
	task := findTask(f, "gsm8k")
	normal := regexp.MustCompile(`^-?[0-9]+(\.[0-9]*[1-9])?(/[1-9][0-9]*)?$`)
	f.Fuzz(func(t *testing.T, text string) {
		j := task.Judge(&datasets.Record{Answer: "#### " + text}, text)
		for _, e := range j.Extractions[:5] {
			if e.Value != "" {
				require.Regexp(t, normal, e.Value)
			}
		}
	})
}

// Long hostile answers are read in passes over them, not in one for each mark or brace:
// that would take minutes.
func TestHostileNumbers(t *testing.T) {
	task := findTask(t, "gsm8k")
	const n = 300_000
	for _, unit := range []string{"9", "1,", "\\boxed{", "{", "}", "\\frac{1}{", "#### ", "answer is ", "1/", "1 ", "-", ".", "$", "\\boxed{1}", "####1\n", "1e9", "**", "\\"} {
		j := task.Judge(&datasets.Record{Answer: "#### 18"}, strings.Repeat(unit, n/len(unit)))
		require.False(t, j.Extractions[0].Correct, unit)
	}
}
