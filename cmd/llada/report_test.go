package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

func TestReportUsage(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		line, want string
		code       int
	}{
		{"report", "flag --in is missing", 2},
		{"report --in " + dir, "flag --out is missing", 2},
		{"report --in " + dir + " --out=", "flag --out is empty", 2},
		{"report --in " + dir + " --out x --format pdf", `--format: "pdf" is not one of`, 2},
		{"report --in " + dir + " --out x more", `"more" is one too many`, 2},
		{"report --in " + dir + " --out " + dir + "/out", dir + ": no results are in it", 1},
	} {
		o := llada(t, c.line)
		assert.Equal(t, c.code, o.code, c.line)
		assert.ErrorContains(t, o.err, c.want, c.line)
		assert.Empty(t, o.stdout)
	}
	assert.Empty(t, files(t, dir), "nothing is written where nothing is to be said")
}

// What a command keeps is what a report shows.
func TestReport(t *testing.T) {
	in, out := t.TempDir(), filepath.Join(t.TempDir(), "page")
	done(t, "bench --tests step -r 1 --model "+models.tiny+" --out "+filepath.Join(in, "bench.json"))
	require.NoError(t, os.WriteFile(filepath.Join(in, "newer.json"), []byte(`{"bench": 99}`), 0o666))
	o := llada(t, "report --in "+in+" --out "+out+" --title Steps")
	require.NoError(t, o.err)
	assert.Contains(t, o.stderr, "newer.json: ")
	assert.Equal(t, filepath.Join(out, "report.html"), strings.Split(o.stdout, "\n")[0])
	assert.Len(t, strings.Fields(o.stdout), len(files(t, out)))
	for _, name := range []string{"report.html", "report.md"} {
		text, err := os.ReadFile(filepath.Join(out, name))
		require.NoError(t, err)
		for _, want := range []string{"Steps", "tiny.gguf", "step32", "newer.json", "no sweep"} {
			assert.Contains(t, string(text), want)
		}
	}
	list := document[struct {
		Files    []string          `json:"files"`
		Problems []reports.Problem `json:"problems"`
	}](t, "report --json --in "+in+" --out "+out)
	assert.Equal(t, strings.Fields(o.stdout), list.Files)
	assert.Len(t, list.Problems, 1)
}

func TestWriteReport(t *testing.T) {
	c := &reports.Collection{Title: "A title", Benches: []reports.Result[reports.Bench]{{Path: "bench.json", Value: &reports.Bench{
		Tests: []reports.Test{{Model: "m.gguf", Type: "llada2 4M Q8_0", Name: "step32", Kind: "step", Forward: reports.Spread{N: 1, Median: 5e6}}},
	}}}}
	dir := filepath.Join(t.TempDir(), "new", "folder")
	written, err := writeReport(c, dir, []string{"html", "html"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(dir, "report.html")}, written)
	page, err := os.ReadFile(written[0])
	require.NoError(t, err)
	assert.Contains(t, string(page), "<h1>A title</h1>")

	// md has the figures that it refers to beside it.
	written, err = writeReport(c, dir, []string{"md"}, io.Discard)
	require.NoError(t, err)
	text, err := os.ReadFile(written[0])
	require.NoError(t, err)
	assert.Len(t, written, 1+strings.Count(string(text), ".svg)"))

	// A report that cannot be written leaves what was there.
	reports.ReportForms["failing"] = reports.ReportForm{File: "report.html", Write: func(_ *reports.Collection, w io.Writer) error {
		io.WriteString(w, "half a")
		return errors.New("no more")
	}}
	defer delete(reports.ReportForms, "failing")
	_, err = writeReport(c, dir, []string{"failing"}, io.Discard)
	assert.ErrorContains(t, err, "report.html: no more")
	after, err := os.ReadFile(filepath.Join(dir, "report.html"))
	require.NoError(t, err)
	assert.Equal(t, page, after)

	_, err = writeReport(c, filepath.Join(dir, "report.html"), []string{"md"}, io.Discard)
	assert.Error(t, err)
}
