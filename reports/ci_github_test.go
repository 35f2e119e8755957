package reports_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

func TestGitHub(t *testing.T) {
	c := ciCollection(t)
	t.Setenv("GITHUB_STEP_SUMMARY", "")
	text := textOf(t, c.GitHub)
	golden(t, "ci.gha.md", text)
	assert.Equal(t, textOf(t, c.GitHubSummary)+textOf(t, c.GitHubAnnotations), text)

	path := filepath.Join(t.TempDir(), "summary")
	t.Setenv("GITHUB_STEP_SUMMARY", path)
	assert.Equal(t, textOf(t, c.GitHubAnnotations), textOf(t, c.GitHub))
	textOf(t, c.GitHub)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat(textOf(t, c.GitHubSummary), 2), string(data), "it is appended to what is there")

	t.Setenv("GITHUB_STEP_SUMMARY", t.TempDir())
	assert.ErrorContains(t, c.GitHub(new(strings.Builder)), "GITHUB_STEP_SUMMARY: ")
}

// workflowCommands are the lines of a text that a runner takes for commands.
func workflowCommands(text string) (all []string) {
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") {
			all = append(all, line)
		}
	}
	return all
}

func TestGitHubAnnotations(t *testing.T) {
	c := ciCollection(t)
	bad := "50%,\r\n::error::x ##[error]y: z"
	c.Comparisons[0].Value.Gates = c.Comparisons[0].Value.Gates[:2]
	c.Comparisons[0].Value.Gates[1].Task, c.Comparisons[0].Value.Gates[1].Gate = bad, bad
	c.Problems = nil
	for i := range 12 {
		c.Problems = append(c.Problems, reports.Problem{Path: fmt.Sprint(i), Text: bad})
	}
	lines := strings.Split(strings.TrimSuffix(textOf(t, c.GitHubAnnotations), "\n"), "\n")
	count := map[string]int{}
	for _, line := range lines {
		require.Regexp(t, `^::(error|warning|notice) title=[^:,]+::[^\r]+$`, line)
		assert.NotContains(t, line, "##[")
		level, _, _ := strings.Cut(line[2:], " ")
		count[level]++
	}
	assert.Equal(t, map[string]int{"error": 2, "warning": 10, "notice": 3}, count)
	assert.Equal(t, "::error title=gate failed%3A 50%25%2C� %3A%3Aerror%3A%3Ax # #[error]y%3A z::50%25,� ::error::x # #[error]y: z: it is 3", lines[0])
	assert.Equal(t, "::warning title=more::6 more: see the report", lines[11])
	assert.Empty(t, textOf(t, new(reports.Collection).GitHubAnnotations))
}

// TestGitHubSummaryHostile: on standard output no line of it may be a command, and no
// name may be markup.
func TestGitHubSummaryHostile(t *testing.T) {
	c := ciCollection(t)
	bad := "\u202e::error::x\n::add-mask::y ##[error]z </details><script>|`" + strings.Repeat("w", 1<<16)
	e := c.Evals[0].Value.Eval
	e.Model.Name, e.Tasks[0].Task, e.Subset, e.Warnings, e.Program.Commit = bad, bad, bad, []string{bad}, bad
	c.Problems[0].Path, c.Problems[0].Text = bad, bad
	c.Comparisons[0].Value.Gates[2].Task, c.Comparisons[0].Value.Gates[2].Reason = bad, bad
	c.Comparisons[0].Path, c.Comparisons[0].Value.Warnings = bad, []string{bad}
	text := textOf(t, c.GitHubSummary)
	assert.Empty(t, workflowCommands(text))
	assert.Equal(t, 5, strings.Count(text, "<details>"))
	assert.Equal(t, 5, strings.Count(text, "</details>"))
	assert.NotContains(t, text, "<script")
	assert.NotContains(t, text, "\u202e")
}

func TestGitHubSummaryLimit(t *testing.T) {
	const most = 900 << 10
	c := ciCollection(t)
	b := c.Benches[0].Value
	for range 10_000 {
		b.Tests = append(b.Tests, b.Tests[1])
	}
	c.Benches = append(c.Benches, c.Benches[0])
	text := textOf(t, c.GitHubSummary)
	assert.LessOrEqual(t, len(text), most)
	assert.Greater(t, len(text), most-2000, "there is no reason to leave out more")
	assert.True(t, strings.HasPrefix(text, "### llada\n"))
	assert.Contains(t, text, "\nand 19960 more\n")
	assert.Equal(t, strings.Count(text, "<details>"), strings.Count(text, "</details>"))
	assert.True(t, strings.HasSuffix(text, "\nCut here: the report has the rest.\n\n</details>\n\n2 parts cut or left out, since a summary has a limit.\n"), "…%s", text[len(text)-300:])

	// A step may have written nearly all that it may, or more.
	path := filepath.Join(t.TempDir(), "summary")
	t.Setenv("GITHUB_STEP_SUMMARY", path)
	for _, before := range []int{most - 1_000, most - 100, most + 100} {
		require.NoError(t, os.WriteFile(path, make([]byte, before), 0o600))
		textOf(t, c.GitHub)
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.LessOrEqual(t, info.Size(), int64(max(most, before)))
	}
	assert.Contains(t, textOf(t, new(reports.Collection).GitHubSummary), "There are no results.")
}
