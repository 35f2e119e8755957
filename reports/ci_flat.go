package reports

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// CSV writes a line for each figure of all results. Bounds are those of 95 % intervals,
// and empty where there are none; a note says why a figure is not that of the whole. Cells
// are single lines.
func (c *Collection) CSV(w io.Writer) error {
	out := bufio.NewWriter(w)
	writeCSV(out, []string{"kind", "model", "type", "test", "metric", "value", "low", "high", "unit", "note", "file"})
	text := func(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
	for _, m := range c.readings() {
		low, high := "", ""
		if m.bounded {
			low, high = text(m.low), text(m.high)
		}
		cells := []string{m.kind, m.model, m.typ, m.test, m.metric, text(m.value), low, high, m.unit, m.partial, m.path}
		for i, cell := range cells {
			cells[i] = visibleLine(cell, 300)
		}
		writeCSV(out, cells)
	}
	return out.Flush()
}

// gabEntry is a figure as github-action-benchmark reads it.
type gabEntry struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
	Range string  `json:"range,omitempty"`
	Extra string  `json:"extra,omitempty"`
}

// BiggerIsBetter writes what github-action-benchmark reads as customBiggerIsBetter:
// accuracies in percent, tokens per second and per forward.
func (c *Collection) BiggerIsBetter(w io.Writer) error { return c.gab(w, 1) }

// SmallerIsBetter writes what github-action-benchmark reads as customSmallerIsBetter:
// times, bytes, forwards, divergences.
func (c *Collection) SmallerIsBetter(w io.Writer) error { return c.gab(w, -1) }

// gab writes the figures of one direction. Those of tasks that were not asked as a whole
// are left out, since they would be set beside others. Every entry has a name of its own.
func (c *Collection) gab(w io.Writer, better int) error {
	entries := []gabEntry{} // an array, even of nothing
	names := map[string]int{}
	for _, m := range c.readings() {
		if m.better != better || m.partial != "" {
			continue
		}
		name := visibleLine(list(m.kind+": "+m.test, m.metric, m.model, m.typ), 300)
		if names[name]++; names[name] > 1 {
			name += fmt.Sprintf(" (%d)", names[name])
		}
		e := gabEntry{Name: name, Unit: m.unit, Value: m.value, Extra: visibleLine(m.made, 300)}
		switch {
		case m.bounded:
			e.Range = significant(m.low) + " to " + significant(m.high)
		case m.stddev > 0:
			e.Range = "± " + significant(m.stddev)
		}
		entries = append(entries, e)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(entries)
}

// Benchstat writes the results in the format of Go's benchmarks: a line for each
// repetition of benches, and one for each task of an evaluation.
func (c *Collection) Benchstat(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, r := range c.Benches {
		benchstatHead(out, &r.Value.Program, &r.Value.Machine)
		r.Value.benchstatLines(out)
	}
	for _, r := range c.Evals {
		if r.Value.Eval != nil {
			r.Value.Eval.benchstat(out)
		}
	}
	return out.Flush()
}

// benchstat writes the tasks that were asked as a whole. The number of iterations is that
// of answers.
func (e *Eval) benchstat(out *bufio.Writer) {
	benchstatHead(out, &e.Program, &e.Machine)
	fmt.Fprint(out, "Unit %right better=higher\nUnit forwards better=lower\nUnit truncated better=lower\n")
	for i := range e.Tasks {
		t := &e.Tasks[i]
		if t.N == 0 || e.partial(t) != "" {
			continue
		}
		name := "BenchmarkEval"
		parts := slices.Concat([]string{"task=" + e.testName(t), "model=" + fileName(e.Model.Name), "type=" + e.Model.Type}, e.settings(),
			[]string{fmt.Sprintf("repeats=%d", e.Repeats)})
		for _, part := range parts {
			name += "/" + benchstatWord(visible(part, 200))
		}
		fmt.Fprintf(out, "%s %d %s %%right %d truncated", name, t.N, strconv.FormatFloat(100*t.Accuracy, 'g', -1, 64), t.Truncated)
		if t.Denoise > 0 {
			fmt.Fprintf(out, " %d forwards %s tok/forward", t.Denoise, strconv.FormatFloat(t.TPF, 'g', -1, 64))
		}
		fmt.Fprintln(out)
	}
}

// settings are those of decoding, as key=value; what is in an object of them has the name
// of both.
func (e *Eval) settings() []string {
	var values map[string]any
	if json.Unmarshal(e.Settings, &values) != nil {
		return nil
	}
	var all []string
	var add func(prefix string, values map[string]any, depth int)
	add = func(prefix string, values map[string]any, depth int) {
		for key, value := range values {
			switch value := value.(type) {
			case string, float64, bool:
				all = append(all, fmt.Sprintf("%s%s=%v", prefix, key, value))
			case map[string]any:
				if depth == 0 {
					add(key+".", value, 1)
				}
			}
		}
	}
	add("", values, 0)
	slices.Sort(all)
	return all[:min(len(all), 40)]
}
