package reports

import (
	"fmt"
	"strings"
)

// missing lists what the collection does not have, or has in parts only.
func (c *Collection) missing(models []*reportModel) []string {
	var all []string
	said := map[string]bool{} // paths of results that a problem calls interrupted
	for _, p := range c.Problems {
		all = append(all, p.Path+": "+p.Text)
		said[p.Path] = said[p.Path] || strings.Contains(p.Text, "interrupted")
	}
	interrupted := func(path, format string, args ...any) {
		if !said[path] {
			all = append(all, path+": interrupted: "+fmt.Sprintf(format, args...))
		}
	}
	for _, r := range c.Benches {
		if r.Value == nil {
			continue
		}
		if r.Value.Interrupted {
			interrupted(r.Path, "%s", r.Value.part())
		}
		for i := range r.Value.Tests {
			if t := &r.Value.Tests[i]; t.Error != "" {
				all = append(all, fmt.Sprintf("%s: %s failed: %s", r.Path, t.Name, t.Error))
			}
		}
	}
	for _, r := range c.Sweeps {
		if r.Value != nil && r.Value.Interrupted {
			interrupted(r.Path, "%d of %s answered", r.Value.Prompts, plural(r.Value.Asked, "prompt"))
		}
	}
	for _, r := range c.Evals {
		if r.Value == nil || r.Value.Eval == nil {
			continue
		}
		whole := true
		for i := range r.Value.Eval.Tasks {
			if t := &r.Value.Eval.Tasks[i]; t.N < t.Asked {
				whole = false
				interrupted(r.Path, "%s has %d of %d answers", t.Task, t.N, t.Asked)
			}
		}
		if whole && r.Value.Eval.Interrupted {
			interrupted(r.Path, "answers are missing")
		}
	}
	for _, r := range c.Traces {
		if r.Value != nil && r.Value.End == nil {
			interrupted(r.Path, "the recording has no end")
		}
	}
	return append(append(all, c.absent()...), missingOf(models)...)
}

// absent lists the kinds of results that there are none of.
func (c *Collection) absent() (all []string) {
	tasks := map[string]bool{}
	for _, r := range c.Evals {
		if r.Value != nil && r.Value.Eval != nil {
			for _, t := range r.Value.Eval.Tasks {
				tasks[t.Task] = tasks[t.Task] || t.N > 0
			}
		}
	}
	for _, task := range summaryTasks {
		if !tasks[task] {
			all = append(all, fmt.Sprintf("no result of %s, which llada eval --task %s makes", taskTitle(task), task))
		}
	}
	for _, kind := range []struct {
		n    int
		text string
	}{
		{len(c.Benches), "no benchmark, which llada bench --out makes: what a step takes and where its time goes is not known"},
		{len(c.Sweeps), "no sweep, which llada sweep --out makes: other settings beside the recommended ones are not known"},
		{len(c.Divergences), "no divergence, which llada kld --out makes: how far files are from their reference is not known"},
		{len(c.Verifications), "no verification, which llada verify --out makes: whether files say what their sources say is not known"},
		{len(c.Conversions), "no record of a conversion, which llada convert --report makes: the types inside of files are not known"},
		{len(c.Traces), "no recorded generation, which llada run --trace makes"},
	} {
		if kind.n == 0 {
			all = append(all, kind.text)
		}
	}
	return all
}

// missingOf lists what single models do not have where others do.
func missingOf(models []*reportModel) (all []string) {
	var speed, accuracy bool
	for _, m := range models {
		speed = speed || m.bestTest("step") != nil || m.recommendedCell() != nil
		accuracy = accuracy || len(m.tasks) > 0
	}
	for _, m := range models {
		if speed && m.bestTest("step") == nil && m.recommendedCell() == nil {
			all = append(all, m.label(models)+": its speed is not known")
		}
		if accuracy && len(m.tasks) == 0 {
			all = append(all, m.label(models)+": its accuracy is not known")
		}
	}
	return all
}
