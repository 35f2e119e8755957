package reports_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

func comparisonOf(t testing.TB) *reports.Comparison {
	a, b := twoRuns()
	return compared(t, a, b, "accuracy>=-1")
}

// onTerminal returns a result as a terminal of so many columns shows it.
func onTerminal(t testing.TB, s reports.Sheet, columns int) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, reports.WriteText(&out, s, columns))
	return out.String()
}

// The tables of a result are no wider than a terminal, keep what matters most, and name
// what they leave out.
func TestWriteText(t *testing.T) {
	for name, k := range map[string]struct {
		result reports.Sheet
		kept   []string // headers in 90 columns
		left   []string // out of 90 columns
	}{
		"bench":        {fixture(), []string{"test", "t/s", "ms/forward"}, []string{"params", "backend", "GMAC/s"}},
		"sweep":        {sweep(), []string{"threshold", "t/s"}, []string{"forwards", "ms/forward"}},
		"eval":         {evaluation(), []string{"task", "n", "accuracy"}, []string{"any right"}},
		"compare":      {comparisonOf(t), []string{"task", "difference", "p"}, []string{"same text"}},
		"kld":          {keptDivergence(), []string{"masked", "KLD, nats", "same top token"}, []string{"RMS change of its probability"}},
		"verification": {verification(), []string{"tensor", "type", "relative RMS"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			whole := onTerminal(t, k.result, 0)
			assert.NotContains(t, whole, "left out: ")
			assert.NotContains(t, whole, "\x1b")
			for columns := 60; columns <= 200; columns += 20 {
				for line := range strings.Lines(onTerminal(t, k.result, columns)) {
					if strings.ContainsAny(line[:min(len(line), 3)], "┌│├└") {
						assert.LessOrEqual(t, runewidth.StringWidth(strings.TrimSuffix(line, "\n")), columns)
					}
				}
			}
			text := onTerminal(t, k.result, 90)
			_, text, found := strings.Cut(text, "\n│")
			require.True(t, found, "%s", text)
			header, _, _ := strings.Cut(text, "\n")
			for _, name := range k.kept {
				assert.Regexp(t, fmt.Sprintf(`(^|│) *%s *│`, name), header)
			}
			left := text[strings.Index(text+"left out: ", "left out: "):]
			for _, name := range k.left {
				assert.NotRegexp(t, fmt.Sprintf(`(^|│) *%s *│`, name), header)
				assert.Contains(t, left, name)
			}
			assert.Error(t, reports.WriteText(new(failing), k.result, 80))
		})
	}
	b := fixture()
	b.Tests[0].AvgTS = math.NaN()
	assert.ErrorContains(t, reports.WriteText(new(strings.Builder), b, 80), "tests[0].avg_ts")
}
