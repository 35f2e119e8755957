package reports_test

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

func reportIn(t testing.TB, c *reports.Collection, form string) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, reports.ReportForms[form].Write(c, &out))
	return out.String()
}

// row returns the cells of a table's row by the header.
func row(t testing.TB, table *reports.Table, first string) map[string]string {
	t.Helper()
	i := slices.IndexFunc(table.Rows, func(cells []string) bool { return cells[0] == first })
	require.GreaterOrEqual(t, i, 0, "%s", first)
	cells := map[string]string{}
	for j, name := range table.Header {
		cells[name] = table.Rows[i][j]
	}
	return cells
}

func TestReportMarkdown(t *testing.T) {
	golden(t, "report.md", reportIn(t, collection(), "md"))
}

// Results of a model are in one row, whichever of them know its digest.
func TestReportSummary(t *testing.T) {
	r := reports.NewReport(collection())
	require.Len(t, r.Summary.Table.Rows, 3)
	mini := row(t, r.Summary.Table, "mini-q4_0.gguf")
	assert.Equal(t, "q4_0", mini["type"])
	assert.Equal(t, "4.55", mini["bits per weight"])
	assert.Regexp(t, `^171\.0 \(169\.0 to 173\.0\) \(\d\)$`, mini["ms/step"], "of the step with logits of all rows")
	assert.Regexp(t, `^20\.00 \(19\.00 to 21\.00\) \(\d\)$`, mini["tokens/s"], "of the sweep, and not of forced steps")
	assert.Regexp(t, `^100\.00 % \(43\.85 to 100\.00\) of 3 \(\d\)$`, mini["GSM8K"], "of the whole set, and not of the larger part")
	assert.Regexp(t, `^0\.01230 \(0\.01000 to 0\.01500\) \(\d\)$`, mini["KLD, nats"])
	assert.Equal(t, "1.50 × with exact: 70.0 % right, there 90.0 %", mini["fastest settings"])
	server := row(t, r.Summary.Table, "mini-q4_0.gguf at http://localhost:1/v1")
	assert.Equal(t, "-", server["ms/step"], "an endpoint's name is no file's")
	notes := strings.Join(r.Summary.Notes, "\n")
	assert.Contains(t, notes, "whole, the most complete of 2 results of mini-q4_0.gguf")
	assert.Contains(t, notes, "not the recommended settings: profile=turbo threshold=0.5")
}

// Equal names are one model only if nothing tells them apart.
func TestReportModels(t *testing.T) {
	bench := func(path string, models ...string) reports.Result[reports.Bench] {
		b := &reports.Bench{}
		for _, name := range models {
			b.Tests = append(b.Tests, reports.Test{Model: name, Type: "llada2 16B Q4_0", Size: 100, Kind: "step", Class: "exact", Forward: reports.Spread{N: 1, Median: 1e6}})
		}
		return reports.Result[reports.Bench]{Path: path, Value: b}
	}
	run := func(name, digest string, size uint64) reports.Result[reports.Run] {
		e := &reports.Eval{Model: reports.EvalModel{Name: name, SHA256: digest, Size: size}, Tasks: []reports.EvalTask{{Task: "gsm8k", N: 10, Asked: 10, Correct: 5}}}
		return reports.Result[reports.Run]{Path: "eval-" + digest, Value: &reports.Run{Eval: e}}
	}
	for _, c := range []struct {
		name  string
		c     reports.Collection
		rows  []string
		notes string
	}{
		{"other folder", reports.Collection{Benches: []reports.Result[reports.Bench]{bench("a", "x/m.gguf"), bench("b", `y\m.gguf`)}, Evals: []reports.Result[reports.Run]{run("m.gguf", "1111", 100)}}, []string{"m.gguf"}, ""},
		{"other size", reports.Collection{Benches: []reports.Result[reports.Bench]{bench("a", "m.gguf")}, Evals: []reports.Result[reports.Run]{run("m.gguf", "1111", 99)}}, []string{"m.gguf (sha256 1111)", "m.gguf (m.gguf of a)"}, ""},
		{"two in a benchmark", reports.Collection{Benches: []reports.Result[reports.Bench]{bench("a", "x/m.gguf", "y/m.gguf", "x/m.gguf")}}, []string{"m.gguf (x/m.gguf of a)", "m.gguf (y/m.gguf of a)"}, ""},
		{"two digests", reports.Collection{Benches: []reports.Result[reports.Bench]{bench("a", "m.gguf", "m.gguf")}, Evals: []reports.Result[reports.Run]{run("m.gguf", "1111", 100), run("m.gguf", "2222", 100), run("n.gguf", "2222", 100)}}, []string{"m.gguf (sha256 1111)", "m.gguf (sha256 2222)", "m.gguf (m.gguf of a)"}, "a: m.gguf could be any of 2 models"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := reports.NewReport(&c.c)
			var rows []string
			for _, cells := range r.Summary.Table.Rows {
				rows = append(rows, cells[0])
			}
			assert.Equal(t, c.rows, rows)
			if missing := strings.Join(r.Missing, "\n"); c.notes != "" {
				assert.Equal(t, 1, strings.Count(missing, c.notes), missing)
			} else {
				assert.NotContains(t, missing, "could be any")
			}
		})
	}
}

func TestReportMissing(t *testing.T) {
	missing := reports.NewReport(collection()).Missing
	for _, want := range []string{
		"old.json: it has version 9, and this program reads up to 1",
		"bench.json: interrupted: 5 of 8 tests",
		"bench.json: cmd'1' failed: it ended with 3",
		"part: interrupted: gsm8k has 10 of 12 answers",
		"t.jsonl: interrupted: the recording has no end",
		"no result of HumanEval, which llada eval --task humaneval makes",
	} {
		assert.Contains(t, missing, want)
	}
	assert.Equal(t, 1, strings.Count(strings.Join(missing, "\n"), "sweep.json"), "a problem that is known is not said again")

	// What there is stays right when parts are missing.
	all := collection()
	speed := row(t, reports.NewReport(&reports.Collection{Benches: all.Benches}).Summary.Table, "mini-q4_0.gguf")
	assert.Regexp(t, `^171\.0 `, speed["ms/step"])
	assert.NotContains(t, speed, "GSM8K")
	accuracy := reports.NewReport(&reports.Collection{Evals: all.Evals[1:2]})
	assert.Regexp(t, `^100\.00 %`, row(t, accuracy.Summary.Table, "mini-q4_0.gguf")["GSM8K"])
	assert.Contains(t, strings.Join(accuracy.Missing, "\n"), "no benchmark")
	for _, form := range []string{"md", "html"} {
		text := reportIn(t, &reports.Collection{Title: "Of nothing"}, form)
		assert.Contains(t, text, "Of nothing")
		assert.Contains(t, text, "There is no result of any model.")
		assert.Contains(t, text, "no benchmark")
	}
	assert.True(t, new(reports.Collection).Empty())
	assert.False(t, all.Empty())
}

var (
	anyTag    = regexp.MustCompile(`</?[a-zA-Z!][^>]*>`)
	drawings  = regexp.MustCompile(`(?s)<figure .*?</figure>`) // which have tests of their own
	pageTag   = regexp.MustCompile(`^</?(!doctype html|html|head|meta|link|title|style|body|header|h[123]|nav|ul|li|a|main|section|div|table|caption|span|thead|tbody|tr|th|td)\b`)
	blockMark = regexp.MustCompile(`^(#+|- +#|- +>|- +-|- +\d+[.)]) `)
)

// Nothing of a text is markup, whatever it has.
func TestReportEscapes(t *testing.T) {
	for _, evil := range []string{
		hostile, "</script><script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</style><b>", "# x", "1. x", "- x", "> x", "![x](http://x)", "<!--", "\u202etext\u2066", "\xff\xfe", "{{.}}",
	} {
		c := collection()
		c.Title = evil
		c.Evals[0].Value.Eval.Model = reports.EvalModel{Name: evil, Endpoint: evil}
		c.Evals[0].Value.Eval.Warnings = []string{evil}
		c.Benches[0].Value.Tests[0].Name, c.Benches[0].Value.Tests[0].Model = evil, evil
		c.Sweeps[0].Value.Axes[0] = evil
		c.Problems[0] = reports.Problem{Path: evil, Text: evil}
		html := reportIn(t, c, "html")
		for _, tag := range anyTag.FindAllString(drawings.ReplaceAllString(html, ""), -1) {
			assert.Regexp(t, pageTag, tag)
			assert.NotContains(t, tag, "onerror")
		}
		md := reportIn(t, c, "md")
		for line := range strings.SplitSeq(md, "\n") {
			if blockMark.MatchString(line) {
				assert.Regexp(t, `^#{1,3} `, line)
			}
		}
		assert.NotRegexp(t, `(^|[^\\])\[[^\]]*\]\(http`, md)
		assert.NotRegexp(t, `<[a-zA-Z/!]`, md)
		for _, text := range []string{html, md} {
			assert.False(t, strings.ContainsFunc(text, func(r rune) bool {
				return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
			}))
			assert.Equal(t, strings.ToValidUTF8(text, "?"), text)
		}
	}
}

// Huge results have pages that can be read.
func TestReportBounds(t *testing.T) {
	c := collection()
	b := c.Benches[0].Value
	b.Tests[0].Name = strings.Repeat("x", 1<<20)
	for len(b.Tests) < 3000 {
		b.Tests = append(b.Tests, b.Tests[1])
	}
	for len(c.Benches) < 300 {
		c.Benches = append(c.Benches, reports.Result[reports.Bench]{Path: "more.json", Value: &reports.Bench{Tests: b.Tests[1:2]}})
	}
	for _, form := range []string{"md", "html"} {
		text := reportIn(t, c, form)
		assert.Less(t, len(text), 2<<20)
		assert.Contains(t, text, "the last 2500 of 3000 rows are left out")
		assert.Contains(t, text, "Speed: the last")
	}
}

func TestPage(t *testing.T) {
	page := reportIn(t, collection(), "html")
	for _, want := range []string{
		`<html lang="en">`, `<meta http-equiv="Content-Security-Policy" content="default-src 'none';`, `name="viewport"`, "prefers-color-scheme: dark", "@media print",
		`<caption><span>One row for each model`, `<th scope="col">model</th>`, `<th scope="row">mini-q4_0.gguf</th>`, `<h2 id="missing">`,
	} {
		assert.Contains(t, page, want)
	}
	assert.NotContains(t, page, "<script")
	assert.NotRegexp(t, `(src|href)="[^#d]`, page, "nothing is fetched")
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		assert.False(t, ids[m[1]], m[1])
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?:href="#|labelledby=")([^" ]*)`).FindAllStringSubmatch(page, -1) {
		assert.True(t, ids[m[1]], m[1])
	}
	assert.Equal(t, page, reportIn(t, collection(), "html"), "the same results have the same page")
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestReportFails(t *testing.T) {
	for name, form := range reports.ReportForms {
		if form.File == "report.md" || form.File == "report.html" {
			assert.ErrorIs(t, form.Write(collection(), failing{}), io.ErrClosedPipe, name)
		}
	}
}
