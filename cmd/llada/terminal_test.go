package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// atTerminal runs a command line whose standard output is a terminal of so many columns.
func atTerminal(t testing.TB, columns int, line string, more ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	e := &env{stdin: strings.NewReader(""), stdout: newOutput(&stdout, nil), stderr: newOutput(&stderr, nil)}
	e.stdout.columns, e.stdout.rows = columns, 24
	require.NoError(t, e.execute(t.Context(), append(append([]string{"llada"}, strings.Fields(line)...), more...)), "%s", stderr.String())
	return stdout.String()
}

// tableLines returns the lines of the tables in a text.
func tableLines(text string) (all []string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "┌") || strings.HasPrefix(line, "│") {
			all = append(all, strings.TrimSuffix(line, "\n"))
		}
	}
	return all
}

// On a terminal results are tables as wide as it; files, pipes and who asks for md get
// markdown, of which nothing is left out.
func TestResultsAtTerminal(t *testing.T) {
	a, b := evalRun(t, "a", "RRRRRRRRww"), evalRun(t, "b", "RRRRRRRwwR")
	prompts := filepath.Join(t.TempDir(), "prompts.txt")
	require.NoError(t, os.WriteFile(prompts, []byte("What is 2 + 3?\n"), 0o666))
	for name, c := range map[string]struct {
		line string
		more []string
		kept []string
		left string
	}{
		"compare": {"compare", []string{a, b}, []string{"task", "pairs", "difference"}, "same text"},
		"bench":   {"bench --synthetic tiny --layers 2 --type q8_0 -r 1 --tests step,gen32", nil, []string{"model", "test", "ms/forward"}, "backend"}, // t/s: where the intervals leave room
		"sweep":   {"sweep --gen-length 32 -r 1 --grid threshold=0.5,0.9 --model " + models.tiny, []string{"--data", prompts}, []string{"threshold", "t/s", "same tokens"}, "forwards"},
	} {
		t.Run(name, func(t *testing.T) {
			text := atTerminal(t, 76, c.line, c.more...)
			lines := tableLines(text)
			require.NotEmpty(t, lines, "%s", text)
			for _, line := range lines {
				assert.LessOrEqual(t, runewidth.StringWidth(line), 76, "%s", line)
			}
			for _, header := range c.kept {
				assert.Contains(t, lines[1], " "+header+" ")
			}
			assert.NotContains(t, lines[1], " "+c.left+" ")
			assert.Regexp(t, `left out: .*`+c.left, text)

			markdown := atTerminal(t, 76, c.line+" -o md", c.more...)
			assert.Empty(t, tableLines(markdown))
			assert.Contains(t, markdown, " "+c.left+" ")
			assert.NotContains(t, markdown, "left out")
			assert.Contains(t, done(t, c.line, c.more...), " "+c.left+" ", "a pipe gets all")
		})
	}
}

func TestEvalAtTerminal(t *testing.T) {
	line := "eval --task tiny-gsm8k --limit 2 --gen-length 32 --offline --model " + models.tiny
	text := atTerminal(t, 60, line)
	lines := tableLines(text)
	require.NotEmpty(t, lines)
	assert.Contains(t, lines[1], " accuracy ")
	for _, line := range lines {
		assert.LessOrEqual(t, runewidth.StringWidth(line), 60)
	}
	assert.Contains(t, text, "left out: ")
}
