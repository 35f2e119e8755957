package reports_test

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

// junitFile is what programs read of JUnit's XML.
type junitFile struct {
	XMLName xml.Name `xml:"testsuites"`
	junitNumbers
	Suites []struct {
		Name string `xml:"name,attr"`
		junitNumbers
		Timestamp string `xml:"timestamp,attr"`
		Cases     []struct {
			Name    string        `xml:"name,attr"`
			Class   string        `xml:"classname,attr"`
			Failure *junitProblem `xml:"failure"`
			Error   *junitProblem `xml:"error"`
			Skipped *junitProblem `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

type junitNumbers struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Skipped  int `xml:"skipped,attr"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

func readJUnit(t *testing.T, text string) *junitFile {
	t.Helper()
	f := new(junitFile)
	dec := xml.NewDecoder(strings.NewReader(text))
	require.NoError(t, dec.Decode(f))
	_, err := dec.Token() // the line feed
	require.NoError(t, err)
	_, err = dec.Token()
	require.ErrorIs(t, err, io.EOF)
	for _, r := range text {
		valid := r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd || r >= 0x10000
		require.True(t, valid, "%U is no character of XML", r)
	}
	// What suites say of themselves is what they have.
	var all junitNumbers
	for _, s := range f.Suites {
		n := junitNumbers{Tests: len(s.Cases)}
		for _, c := range s.Cases {
			assert.NotEmpty(t, c.Class)
			n.Failures += junitPresent(c.Failure)
			n.Errors += junitPresent(c.Error)
			n.Skipped += junitPresent(c.Skipped)
		}
		assert.Equal(t, n, s.junitNumbers, s.Name)
		all.Tests, all.Failures = all.Tests+n.Tests, all.Failures+n.Failures
		all.Errors, all.Skipped = all.Errors+n.Errors, all.Skipped+n.Skipped
	}
	assert.Equal(t, all, f.junitNumbers)
	return f
}

func junitPresent(p *junitProblem) int {
	if p == nil {
		return 0
	}
	return 1
}

func TestJUnit(t *testing.T) {
	text := textOf(t, ciCollection(t).JUnit)
	golden(t, "ci.junit.xml", text)
	f := readJUnit(t, text)
	require.Len(t, f.Suites, 6)
	gsm8k := f.Suites[0]
	assert.Equal(t, junitNumbers{Tests: 11, Failures: 4, Errors: 1, Skipped: 1}, gsm8k.junitNumbers)
	assert.Equal(t, "2026-01-02T03:04:05", gsm8k.Timestamp)
	assert.Equal(t, "gsm8k/3", gsm8k.Cases[3].Name)
	assert.Equal(t, "wrong: extracted 41, gold 42", gsm8k.Cases[3].Failure.Message)
	assert.Equal(t, "wrong: extracted 41, gold 42: truncated", gsm8k.Cases[5].Failure.Message)
	assert.Contains(t, gsm8k.Cases[3].Failure.Text, "last number: 42\ngold: 42\nfinish: eos\nanswer: the answer\n")
	assert.Equal(t, &junitProblem{Type: "generation", Message: "connection refused"}, gsm8k.Cases[7].Error)
	assert.Equal(t, "2 of 12 answers are missing", gsm8k.Cases[10].Skipped.Message)
	assert.Equal(t, "tiny/1 #1", f.Suites[1].Cases[3].Name)
	gates := f.Suites[3]
	assert.Equal(t, junitNumbers{Tests: 3, Failures: 2}, gates.junitNumbers)
	assert.Equal(t, "truncated<=+2: it is 3", gates.Cases[1].Failure.Message)
	assert.Equal(t, "2 faults", f.Suites[4].Cases[0].Failure.Message)
	assert.Equal(t, "no bench result: it has version 2", f.Suites[5].Cases[0].Skipped.Message)
}

// TestJUnitHostile: answers may have anything in them.
func TestJUnitHostile(t *testing.T) {
	run := wholeRun()
	s := &run.Samples[3]
	s.Text = "]]></failure><!--\x00\x1b[2J\u202e\ufffe\uffff \xff\xfe \ud7ff 😀 " + strings.Repeat("é", 1<<20)
	s.Gold, s.DocID, s.Message = hostile, hostile, hostile
	s.Extractions[0].Value = hostile + strings.Repeat("x", 1<<20)
	c := &reports.Collection{Evals: []reports.Result[reports.Run]{{Path: hostile, Value: run}}}
	text := textOf(t, c.JUnit)
	f := readJUnit(t, text)
	require.Len(t, f.Suites, 1)
	require.Len(t, f.Suites[0].Cases, 4)
	got := f.Suites[0].Cases[3].Failure.Text
	assert.Contains(t, got, "]]></failure><!--\ufffd\ufffd[2J\ufffd\ufffd\ufffd \ufffd\ufffd \ud7ff 😀 é")
	assert.Contains(t, got, "é…\n")
	assert.NotContains(t, text, "\u202e")
	assert.Less(t, len(text), 20_000, "long answers are cut")
	assert.True(t, utf8.ValidString(text))
}

// TestJUnitParts: there may be results without samples, and samples without results.
func TestJUnitParts(t *testing.T) {
	none := wholeRun()
	none.Samples = nil
	more := wholeRun()
	more.Eval.Tasks = nil
	c := &reports.Collection{Evals: []reports.Result[reports.Run]{{Path: "a", Value: none}, {Path: "b", Value: more}, {Path: "c", Value: new(reports.Run)}}}
	f := readJUnit(t, textOf(t, c.JUnit))
	require.Len(t, f.Suites, 2)
	assert.Equal(t, junitNumbers{Tests: 1, Skipped: 1}, f.Suites[0].junitNumbers)
	assert.Equal(t, "4 of 4 answers are missing", f.Suites[0].Cases[0].Skipped.Message)
	assert.Equal(t, junitNumbers{Tests: 4, Failures: 1}, f.Suites[1].junitNumbers)
	assert.Empty(t, readJUnit(t, textOf(t, new(reports.Collection).JUnit)).Suites)
}
