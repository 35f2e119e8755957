package reports_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

// A report tells of gates and of how figures went, and draws the latter.
func TestReportOverTime(t *testing.T) {
	dir := t.TempDir()
	for _, day := range []string{"1", "2"} {
		file, err := os.ReadFile(filepath.Join("testdata", "versions", "bench-1.json"))
		require.NoError(t, err)
		require.NoError(t, os.Mkdir(filepath.Join(dir, day), 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(dir, day, "bench.json"), file, 0o666))
	}
	h, err := reports.ReadHistory(dir)
	require.NoError(t, err)
	value := -1.5
	c := &reports.Collection{History: h, Comparisons: []reports.Result[reports.Comparison]{{Path: "c.json", Value: &reports.Comparison{
		Tasks: []reports.ComparedTask{{Task: "gsm8k", Verdict: "B is worse"}},
		Gates: []reports.GateResult{{Gate: "accuracy>=-1", Task: "gsm8k", Value: &value}, {Gate: "tpf>=-5%", Task: "gsm8k", Passed: true}},
	}}}}
	var b strings.Builder
	require.NoError(t, reports.NewReport(c).Markdown(&b))
	for _, want := range []string{"## Comparisons", "gate accuracy>=-1 on gsm8k FAILED, with -1.5", "gate tpf>=-5% on gsm8k passed\n", "B is worse", "## Over time", "### 2 results", "](history-"} {
		assert.Contains(t, b.String(), want)
	}
	drawn := 0
	for _, f := range c.Figures() {
		if strings.HasPrefix(f.Name, "history-") {
			drawn++
		}
	}
	assert.Positive(t, drawn)
}
