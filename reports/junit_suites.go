package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// junitSuites lists all suites in the order of the results.
func (c *Collection) junitSuites() []junitSuite {
	var all []junitSuite
	for _, r := range c.Evals {
		if r.Value.Eval != nil {
			all = append(all, r.Value.junitSuites(r.Path)...)
		}
	}
	for _, r := range c.Comparisons {
		if len(r.Value.Gates) > 0 {
			all = append(all, r.Value.junitSuite(r.Path))
		}
	}
	if len(c.Verifications) > 0 {
		all = append(all, c.verificationsSuite())
	}
	if len(c.Problems) > 0 {
		all = append(all, junitSuite{name: "results", n: len(c.Problems), at: func(i int) junitCase {
			p := &c.Problems[i]
			return junitCase{Name: visibleLine(p.Path, 200), Class: "results", Skipped: &junitProblem{Message: visibleLine(p.Text, junitText)}}
		}})
	}
	return all
}

// junitSuites has a suite for each task that was asked for, or that has samples.
func (r *Run) junitSuites(path string) []junitSuite {
	e := r.Eval
	byTask := map[string][]Sample{}
	for _, s := range inOrder(r.Samples) {
		byTask[s.Task] = append(byTask[s.Task], s)
	}
	var all []junitSuite
	for _, name := range taskNames(e, byTask) {
		task := EvalTask{Task: name, Asked: len(byTask[name])}
		if i := slices.IndexFunc(e.Tasks, func(t EvalTask) bool { return t.Task == name }); i >= 0 {
			task = e.Tasks[i]
		}
		all = append(all, e.junitSuite(path, &task, byTask[name]))
	}
	return all
}

// junitSuite has a case for each sample, and one more if some are missing.
func (e *Eval) junitSuite(path string, t *EvalTask, samples []Sample) junitSuite {
	// Programs take what is before the last point for a package.
	class := visibleLine(t.Task, 100) + "." + visibleLine(strings.ReplaceAll(strings.TrimSuffix(fileName(e.Model.Name), ".gguf"), ".", "_"), 100)
	s := junitSuite{name: visibleLine(list(t.Task, fileName(e.Model.Name), e.Model.Type), 300), started: e.Started, n: len(samples)}
	for _, p := range []junitProperty{
		{"file", path}, {"model", e.Model.Name}, {"endpoint", e.Model.Endpoint}, {"model.sha256", e.Model.SHA256}, {"type", e.Model.Type},
		{"task.version", count(t.Version)}, {"data", t.Data}, {"data.sha256", e.dataHash(t)}, {"settings", string(e.Settings)}, {"gen_length", count(e.GenLength)},
		{"subset", e.Subset}, {"shard", e.Shard}, {"build", e.Program.describe()}, {"machine", e.Machine.describe()},
		{"accuracy", interval(t.Accuracy, t.Low, t.High)}, {"tokens_per_forward", number(t.TPF)}, {"forwards", count(t.Denoise)}, {"truncated", fmt.Sprint(t.Truncated)},
	} {
		if p.Value != "" {
			s.properties = append(s.properties, junitProperty{p.Name, visibleLine(p.Value, junitText)})
		}
	}
	missing := t.Asked - len(samples)
	if missing > 0 {
		s.n++
	}
	s.at = func(i int) junitCase {
		if i == len(samples) {
			return junitCase{Name: "missing answers", Class: class, Skipped: &junitProblem{Message: fmt.Sprintf("%d of %d answers are missing", missing, t.Asked)}}
		}
		c := samples[i].junitCase()
		c.Class = class
		return c
	}
	return s
}

// dataHash returns the SHA-256 of a task's data, empty if it is not known.
func (e *Eval) dataHash(t *EvalTask) string {
	if i := slices.IndexFunc(e.Data, func(d EvalData) bool { return d.Name == t.Data }); i >= 0 {
		return e.Data[i].SHA256
	}
	return ""
}

func (s *Sample) junitCase() junitCase {
	c := junitCase{Name: visibleLine(s.DocID, 200), seconds: (s.Timings.Prefill + s.Timings.Decode + s.Timings.Judge) / 1000}
	if s.Repeat > 0 {
		c.Name += fmt.Sprintf(" #%d", s.Repeat)
	}
	switch {
	case s.Finish == "error":
		c.Error = &junitProblem{Type: visibleLine(cmp.Or(s.Error, "generation"), 100), Message: visibleLine(cmp.Or(s.Message, "the request has no answer"), 300)}
	case !s.Correct:
		c.Failure = s.junitFailure()
	}
	return c
}

// junitFailure says what was extracted, what is right, and the answer.
func (s *Sample) junitFailure() *junitProblem {
	p := &junitProblem{Type: visibleLine(cmp.Or(s.Error, "wrong"), 100)}
	message := []string{p.Type}
	if s.Gold != "" {
		message = append(message, "extracted "+cmp.Or(brief(s.value()), nothing)+", gold "+brief(s.Gold))
	}
	if s.Finish == "length" {
		message = append(message, "truncated")
	}
	p.Message = visibleLine(strings.Join(message, ": "), 300)
	var text strings.Builder
	text.WriteString("\n")
	for _, x := range s.Extractions {
		found := cmp.Or(visible(x.Value, junitText), nothing)
		fmt.Fprintf(&text, "%s: %s\n", visibleLine(x.Extractor, 100), found)
	}
	for _, part := range []struct{ name, value string }{{"gold", s.Gold}, {"finish", s.Finish}, {"message", s.Message}, {"answer", s.Text}} {
		if part.value != "" {
			fmt.Fprintf(&text, "%s: %s\n", part.name, visible(part.value, junitText))
		}
	}
	p.Text = text.String()
	return p
}

// junitSuite has a case for each gate.
func (c *Comparison) junitSuite(path string) junitSuite {
	return junitSuite{
		name: visibleLine("gates: "+fileName(c.B.Path)+" beside "+fileName(c.A.Path), 300), n: len(c.Gates),
		properties: []junitProperty{{"file", visibleLine(path, 300)}, {"a", visibleLine(c.A.describe(), 300)}, {"b", visibleLine(c.B.describe(), 300)}},
		at: func(i int) junitCase {
			g := &c.Gates[i]
			j := junitCase{Name: visibleLine(g.Task+": "+g.Gate, 200), Class: "gates"}
			if !g.Passed {
				j.Failure = &junitProblem{Type: "gate", Message: g.failure()}
			}
			return j
		},
	}
}

// failure says why a gate failed, in one line.
func (g *GateResult) failure() string {
	if g.Value == nil {
		return visibleLine(fmt.Sprintf("%s: %s", g.Gate, cmp.Or(g.Reason, "its value is not known")), 300)
	}
	return visibleLine(fmt.Sprintf("%s: it is %s", g.Gate, signedDecimals(*g.Value)), 300)
}

func (c *Collection) verificationsSuite() junitSuite {
	return junitSuite{name: "verifications", n: len(c.Verifications), at: func(i int) junitCase {
		v := c.Verifications[i].Value
		j := junitCase{Name: visibleLine(list(fileName(v.File.Name), c.Verifications[i].Path), 300), Class: "verifications"}
		if v.Faults > 0 {
			findings := v.Findings[:min(len(v.Findings), 100)]
			j.Failure = &junitProblem{Type: "verification", Message: plural(v.Faults, "fault"), Text: "\n" + visible(strings.Join(findings, "\n"), 100*junitText) + "\n"}
		}
		return j
	}}
}
