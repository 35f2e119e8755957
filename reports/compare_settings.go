package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// settingsThatDiffer lists what runs were made with, where that differs.
func settingsThatDiffer(a, b *Eval) []Setting {
	ofA, ofB := madeWith(a), madeWith(b)
	names := slices.Collect(maps.Keys(ofA))
	for name := range ofB {
		if _, ok := ofA[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	differ := []Setting{}
	for _, name := range names {
		if ofA[name] != ofB[name] {
			differ = append(differ, Setting{name, ofA[name], ofB[name]})
		}
	}
	return differ
}

// madeWith lists what could make a difference, by name.
func madeWith(e *Eval) map[string]string {
	all := map[string]string{
		"model": fileName(e.Model.Name), "model.sha256": e.Model.SHA256, "model.type": e.Model.Type, "model.endpoint": e.Model.Endpoint,
		"gen_length": strconv.Itoa(e.GenLength), "repeats": strconv.Itoa(e.Repeats), "subset": e.Subset, "shard": e.Shard,
		"program.commit": e.Program.Commit, "program.kernels": e.Program.Kernels, "machine.cpu": e.Machine.CPU,
	}
	if s := e.Sandbox; s != nil {
		all["sandbox.tier"], all["sandbox.python"], all["sandbox.time_factor"] = s.Tier, s.Python, number(s.Factor)
	}
	for _, d := range e.Data {
		all["data."+d.Name] = d.SHA256
	}
	var settings map[string]json.RawMessage
	if json.Unmarshal(e.Settings, &settings) != nil {
		settings = map[string]json.RawMessage{"": e.Settings}
	}
	for name, value := range settings {
		var text bytes.Buffer
		if json.Compact(&text, value) != nil { // of a result that was never read
			text.Reset()
			text.Write(value)
		}
		all[strings.TrimSuffix("settings."+name, ".")] = text.String()
	}
	return all
}

// decides reports whether a setting decides what answers are and how they are judged,
// whatever the model is.
func (s *Setting) decides() bool {
	return s.Name == "gen_length" || s.Name == "sandbox.tier" || s.Name == "sandbox.python" ||
		strings.HasPrefix(s.Name, "settings") || strings.HasPrefix(s.Name, "data.")
}

// warn says why the comparison may not be what is looked for.
func (c *Comparison) warn(a, b *Run, ofA, ofB map[string][]Sample) {
	var names []string
	for i := range c.Differ {
		if c.Differ[i].decides() {
			names = append(names, c.Differ[i].Name)
		}
	}
	if len(names) > 0 {
		c.warning("the runs differ in %s: a difference of accuracies may come from there", firstOf(names))
	}
	for i := range c.Tasks {
		t := &c.Tasks[i]
		for j, name := range []string{"A", "B"} {
			if t.Unpaired[j] > 0 {
				c.warning("%s: %s that only %s has %s left out", t.Task, plural(t.Unpaired[j], "sample"), name, verb(t.Unpaired[j], "is", "are"))
			}
			side := []*EvalTask{&t.A, &t.B}[j]
			if side.Failed > 0 {
				c.warning("%s: %s of %s without an answer %s as wrong", t.Task, plural(side.Failed, "request"), name, verb(side.Failed, "counts", "count"))
			}
		}
		if n := otherPrompts(ofA[t.Task], ofB[t.Task]); n > 0 {
			c.warning("%s: %s %s asked with different prompts", t.Task, plural(n, "document"), verb(n, "was", "were"))
		}
	}
	for j, run := range []*Run{a, b} {
		name, of, others := []string{"A", "B"}[j], []map[string][]Sample{ofA, ofB}[j], []map[string][]Sample{ofB, ofA}[j]
		for _, task := range slices.Sorted(maps.Keys(of)) {
			if others[task] == nil {
				c.warning("only %s has task %s", name, task)
			}
		}
		for _, why := range slices.Sorted(maps.Values(incomplete(run, of))) {
			c.warning("%s is not complete: %s", name, why)
		}
		if run.Torn {
			c.warning("the last sample of %s was cut off, and is left out", name)
		}
	}
}

// verb is the form of a verb behind a number of things.
func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func (c *Comparison) warning(format string, values ...any) {
	c.Warnings = append(c.Warnings, fmt.Sprintf(format, values...))
}

// otherPrompts counts documents that have different prompts in both.
func otherPrompts(ofA, ofB []Sample) int {
	prompts, differ := map[string]string{}, map[string]bool{}
	for i := range ofA {
		prompts[ofA[i].DocID] = ofA[i].PromptHash
	}
	for i := range ofB {
		if before, ok := prompts[ofB[i].DocID]; ok && before != ofB[i].PromptHash {
			differ[ofB[i].DocID] = true
		}
	}
	return len(differ)
}

// incomplete says of tasks how many samples they lack.
func incomplete(r *Run, samples map[string][]Sample) map[string]string {
	all := map[string]string{}
	for i := range r.Eval.Tasks {
		t := &r.Eval.Tasks[i]
		if n := len(samples[t.Task]); n < t.Asked {
			all[t.Task] = fmt.Sprintf("%s has %d of %s", t.Task, n, plural(t.Asked, "sample"))
		}
	}
	return all
}
