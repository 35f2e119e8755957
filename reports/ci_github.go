package reports

import (
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	// summaryLimit is how many bytes a summary may have. GitHub drops one of more than
	// 1 MiB as a whole.
	summaryLimit = 900 << 10
	// annotationLimit is how many annotations of a kind GitHub shows of a step.
	annotationLimit = 10
)

// GitHub appends a summary to the file that $GITHUB_STEP_SUMMARY names, as far as there is
// room in it, or else writes it to w. Then it writes annotations to w, which is to be the
// standard output of a step.
func (c *Collection) GitHub(w io.Writer) error {
	write := c.GitHubSummary
	if path := os.Getenv("GITHUB_STEP_SUMMARY"); path != "" {
		write = func(io.Writer) error { return c.appendSummary(path) }
	}
	if err := write(w); err != nil {
		return err
	}
	return c.GitHubAnnotations(w)
}

// appendSummary adds to what the step has written already.
func (c *Collection) appendSummary(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("GITHUB_STEP_SUMMARY: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("GITHUB_STEP_SUMMARY: %w", err)
	}
	text, err := c.summary(int(max(0, summaryLimit-info.Size())))
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("GITHUB_STEP_SUMMARY: %w", err)
	}
	return f.Close()
}

// GitHubSummary writes a job summary in GitHub's markdown: failed gates and the most
// important figures first, then the tables of all results in parts that unfold. It has at
// most 900 KiB: parts without room are cut or left out, and it says so.
func (c *Collection) GitHubSummary(w io.Writer) error {
	text, err := c.summary(summaryLimit)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// annotation is a message that GitHub shows beside a run.
type annotation struct {
	level string // error, warning, or notice
	title string
	text  string
}

// GitHubAnnotations writes workflow commands: an error for each failed gate and each file
// that is not its source, warnings for answers that were cut off or are missing and for
// damaged results, and a notice for each accuracy. GitHub shows ten of a kind, of which
// the last says how many more there are.
func (c *Collection) GitHubAnnotations(w io.Writer) error {
	var out strings.Builder
	all := c.annotations()
	for _, level := range []string{"error", "warning", "notice"} {
		var of []annotation
		for _, a := range all {
			if a.level == level {
				of = append(of, a)
			}
		}
		if more := len(of) - annotationLimit + 1; more > 1 {
			of = append(of[:annotationLimit-1], annotation{level, "more", fmt.Sprintf("%d more: see the report", more)})
		}
		for _, a := range of {
			fmt.Fprintf(&out, "::%s title=%s::%s\n", a.level, commandProperty(visibleLine(a.title, 100)), commandData(visibleLine(a.text, 500)))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// commandData escapes the message of a workflow command. The old form of commands begins
// anywhere in a line.
func commandData(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", "##[", "# #[").Replace(text)
}

// commandProperty escapes a property of a workflow command.
func commandProperty(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(commandData(text))
}

// annotations lists all that there is to say.
func (c *Collection) annotations() []annotation {
	var all []annotation
	for _, r := range c.Comparisons {
		for i := range r.Value.Gates {
			if g := &r.Value.Gates[i]; !g.Passed {
				all = append(all, annotation{"error", "gate failed: " + g.Task, g.failure()})
			}
		}
	}
	for _, r := range c.Verifications {
		if v := r.Value; v.Faults > 0 {
			all = append(all, annotation{"error", "verification failed", fmt.Sprintf("%s has %s beside %s", fileName(v.File.Name), plural(v.Faults, "fault"), fileName(v.Source))})
		}
	}
	for _, p := range c.Problems {
		all = append(all, annotation{"warning", "a result is damaged or not complete", p.Path + ": " + p.Text})
	}
	for _, r := range c.Evals {
		e := r.Value.Eval
		if e == nil {
			continue
		}
		model := fileName(e.Model.Name)
		for i := range e.Tasks {
			t := &e.Tasks[i]
			if t.Truncated > 0 {
				all = append(all, annotation{"warning", "truncated answers", fmt.Sprintf("%s: %s of %d of %s reached the limit of tokens", t.Task, plural(t.Truncated, "answer"), t.N, model)})
			}
			if why := e.partial(t); why != "" {
				all = append(all, annotation{"warning", "not the whole task", t.Task + ": " + model + ": " + why})
			}
			if t.N > 0 {
				all = append(all, annotation{"notice", "accuracy: " + t.Task, fmt.Sprintf("%s: %s, n = %d", model, interval(t.Accuracy, t.Low, t.High), t.N)})
			}
		}
	}
	return all
}
