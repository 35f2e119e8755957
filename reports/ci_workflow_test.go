package reports_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"lladakit/reports"
)

// workflow is what of the example in docs/ci.md runs.
type workflow struct {
	Jobs map[string]struct {
		Env   map[string]string
		Steps []struct{ ID, Run, Uses string }
	}
}

// fencedBlock returns the first block of a page in a language.
func fencedBlock(t *testing.T, page, language string) string {
	_, rest, ok := strings.Cut(page, "\n```"+language+"\n")
	require.True(t, ok, "there is no block of %s", language)
	block, _, ok := strings.Cut(rest, "\n```\n")
	require.True(t, ok)
	return block
}

// TestWorkflow runs the example's commands, one step after the other, if
// LLADA_TEST_FULL is set, and else checks what can be without.
func TestWorkflow(t *testing.T) {
	data, err := os.ReadFile("../docs/ci.md")
	require.NoError(t, err)
	var w workflow
	require.NoError(t, yaml.Unmarshal([]byte(fencedBlock(t, string(data), "yaml")), &w))
	job := w.Jobs["quality"]
	var ids []string
	for _, step := range job.Steps {
		assert.NotEqual(t, step.Run == "", step.Uses == "", "a step runs or uses something")
		if step.Run == "" {
			continue
		}
		ids = append(ids, step.ID)
		if parts := regexp.MustCompile(`--gate '([^']*)'`).FindStringSubmatch(step.Run); parts != nil {
			for _, gate := range strings.Fields(parts[1]) {
				_, err := reports.ParseGate(gate)
				assert.NoError(t, err)
			}
		}
		if parts := regexp.MustCompile(`--format (\S+)`).FindStringSubmatch(step.Run); parts != nil {
			for _, form := range strings.Split(parts[1], ",") {
				assert.True(t, form == "svg" || reports.ReportForms[form].Write != nil, form)
			}
		}
	}
	require.Equal(t, []string{"build", "convert", "evaluate", "compare", "report"}, ids)
	for form, f := range reports.ReportForms {
		if form != "md" && form != "html" {
			assert.Contains(t, string(data), "`"+form+"`", "the page does not tell of it")
			assert.Contains(t, string(data), f.File)
		}
	}
	if os.Getenv("LLADA_TEST_FULL") == "" {
		return
	}
	dir := t.TempDir()
	baseline, summary := filepath.Join(dir, "baseline"), filepath.Join(dir, "summary.md")
	run := func(script string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", script)
		cmd.Dir = ".."
		cmd.Env = append(os.Environ(), "RUNNER_TEMP="+dir, "BASELINE="+baseline, "GITHUB_STEP_SUMMARY="+summary)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(script string) string {
		out, err := run(script)
		require.NoError(t, err, "%s\n%s", script, out)
		return out
	}
	for _, step := range job.Steps {
		switch step.ID {
		case "": // uses an action
		case "compare":
			must(fencedBlock(t, string(data), "sh"))
			must(step.Run)
			// A baseline that is better fails.
			samples, err := os.ReadFile(filepath.Join(baseline, reports.SamplesFile))
			require.NoError(t, err)
			better := strings.ReplaceAll(string(samples), `"correct":false,"error"`, `"correct":true,"error"`)
			require.NotEqual(t, string(samples), better)
			require.NoError(t, os.WriteFile(filepath.Join(baseline, reports.SamplesFile), []byte(better), 0o600))
			out, err := run(step.Run)
			var failed *exec.ExitError
			require.ErrorAs(t, err, &failed, out)
			assert.Equal(t, 1, failed.ExitCode())
		case "report":
			assert.Contains(t, must(step.Run), "::error title=gate failed%3A tiny-gsm8k::accuracy>=-2")
		default:
			must(step.Run)
		}
	}
	text, err := os.ReadFile(summary)
	require.NoError(t, err)
	assert.Contains(t, string(text), "**1 of 4 gates failed**")
	for _, name := range []string{"index.html", "report.md", "junit.xml", "report.csv", "report.benchstat", "bench.bigger.json", "bench.smaller.json"} {
		info, err := os.Stat(filepath.Join(dir, "page", name))
		if assert.NoError(t, err) {
			assert.NotZero(t, info.Size(), name)
		}
	}
	junit, err := os.ReadFile(filepath.Join(dir, "page", "junit.xml"))
	require.NoError(t, err)
	f := readJUnit(t, string(junit))
	require.NotEmpty(t, f.Suites)
	assert.Equal(t, 50, f.Suites[0].Tests)
}
