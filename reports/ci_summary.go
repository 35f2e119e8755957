package reports

import (
	"fmt"
	"io"
	"strings"
)

// headRows is how many rows a table at the head of a summary has.
const headRows = 50

// summaryPart is a part of a summary that unfolds.
type summaryPart struct {
	title string
	write func(w io.Writer) error // markdown
}

// summary returns a job summary of at most so many bytes, which is empty if that is too
// little to say anything.
func (c *Collection) summary(most int) (string, error) {
	var out strings.Builder
	head, err := c.summaryHead()
	if err != nil {
		return "", err
	}
	// What is left for the last note, and the end of a part that is cut.
	const reserve = 200
	if len(head)+reserve > most {
		head = cutLines(head, most-reserve)
	}
	out.WriteString(head)
	leftOut := 0
	for _, p := range c.summaryParts() {
		var written strings.Builder
		if err := p.write(&written); err != nil {
			return "", err
		}
		body := strings.Map(visibleRune, written.String())
		begin := "\n<details><summary>" + markdownText(visibleLine(p.title, 200)) + "</summary>\n\n"
		const end, cutEnd = "\n</details>\n", "\nCut here: the report has the rest.\n\n</details>\n"
		room := most - reserve - out.Len() - len(begin)
		switch {
		case len(body)+len(end) <= room:
			out.WriteString(begin + body + end)
		case leftOut == 0 && room > 1000:
			out.WriteString(begin + cutLines(body, room-len(cutEnd)) + cutEnd)
			leftOut++
		default:
			leftOut++
		}
	}
	if leftOut > 0 && out.Len() > 0 {
		fmt.Fprintf(&out, "\n%s cut or left out, since a summary has a limit.\n", plural(leftOut, "part"))
	}
	return out.String(), nil
}

// cutLines returns the first whole lines of a text with at most so many bytes.
func cutLines(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:strings.LastIndexByte(text[:max(0, most)], '\n')+1]
}

// summaryHead has the gates, and a row for each task, test, divergence and verification.
func (c *Collection) summaryHead() (string, error) {
	var out strings.Builder
	out.WriteString("### llada\n\n" + c.counts() + "\n")
	for _, t := range []struct {
		title string
		table *Table
	}{
		{c.gatesTitle(), c.headGates()}, {"Accuracy", c.headEvals()}, {"Speed", c.headBenches()}, {"Divergence", c.headDivergences()},
		{"Verification", c.headVerifications()}, {"Problems", c.headProblems()},
	} {
		if len(t.table.Rows) == 0 {
			continue
		}
		more := len(t.table.Rows) - headRows
		if more > 0 {
			t.table.Rows = t.table.Rows[:headRows]
		}
		for _, row := range t.table.Rows {
			for i := range row {
				row[i] = visibleLine(row[i], 150)
			}
		}
		out.WriteString("\n**" + t.title + "**\n\n")
		if err := t.table.Markdown(&out); err != nil {
			return "", err
		}
		if more > 0 {
			fmt.Fprintf(&out, "\nand %d more\n", more)
		}
	}
	return out.String(), nil
}

// counts says how many results of each kind there are.
func (c *Collection) counts() string {
	var all []string
	for _, k := range []struct {
		n    int
		what string
	}{
		{len(c.Evals), "evaluation"}, {len(c.Comparisons), "comparison"}, {len(c.Benches), "benchmark"}, {len(c.Sweeps), "sweep"},
		{len(c.Divergences), "divergence"}, {len(c.Conversions), "conversion"}, {len(c.Verifications), "verification"}, {len(c.Traces), "trace"},
	} {
		if k.n > 0 {
			all = append(all, plural(k.n, k.what))
		}
	}
	if len(all) == 0 {
		return "There are no results."
	}
	return strings.Join(all, ", ")
}

func (c *Collection) gatesTitle() string {
	n, failed := 0, 0
	for _, r := range c.Comparisons {
		for _, g := range r.Value.Gates {
			n++
			if !g.Passed {
				failed++
			}
		}
	}
	if failed == 0 {
		return "All gates passed"
	}
	return fmt.Sprintf("%d of %s failed", failed, plural(n, "gate"))
}

// headGates has failed gates first.
func (c *Collection) headGates() *Table {
	table := &Table{Header: []string{"gate", "task", "value", "", "comparison"}, Right: []int{2}}
	for _, failed := range []bool{true, false} {
		for _, r := range c.Comparisons {
			for _, g := range r.Value.Gates {
				if g.Passed == failed {
					continue
				}
				value, verdict := nothing, "passed"
				if g.Value != nil {
					value = signedDecimals(*g.Value)
				}
				if failed {
					verdict = strings.TrimSuffix("FAILED: "+g.Reason, ": ")
				}
				table.Rows = append(table.Rows, []string{g.Gate, g.Task, value, verdict, r.Path})
			}
		}
	}
	return table
}

func (c *Collection) headEvals() *Table {
	table := &Table{Header: []string{"model", "type", "task", "n", "accuracy (95 % interval)", "truncated", "tokens/forward", ""}, Right: []int{3, 4, 5, 6}}
	for _, r := range c.Evals {
		e := r.Value.Eval
		if e == nil {
			continue
		}
		for i := range e.Tasks {
			t := &e.Tasks[i]
			accuracy := nothing
			if t.N > 0 {
				accuracy = interval(t.Accuracy, t.Low, t.High)
			}
			tpf := decimals(t.TPF)
			if tpf == "" {
				tpf = nothing
			}
			table.Rows = append(table.Rows, []string{
				fileName(e.Model.Name), e.Model.Type, e.testName(t), fmt.Sprint(t.N), accuracy, fmt.Sprint(t.Truncated), tpf, e.partial(t),
			})
		}
	}
	return table
}

func (c *Collection) headBenches() *Table {
	table := &Table{Header: []string{"file", "model", "test", "threads", "ms/forward", "tokens/s", "tokens/forward"}, Right: []int{3, 4, 5, 6}}
	for _, r := range c.Benches {
		for i := range r.Value.Tests {
			t := &r.Value.Tests[i]
			row := []string{fileName(t.Model), t.Type, t.Name, fmt.Sprint(t.Threads), forwardTime(t), tokensPerSecond(t), decimals(t.TPF)}
			for j := range row {
				if row[j] == "" {
					row[j] = nothing
				}
			}
			table.Rows = append(table.Rows, row)
		}
	}
	return table
}

func (c *Collection) headDivergences() *Table {
	table := &Table{Header: []string{"model", "reference", "positions", "KLD, nats", "same top token", "greatest KLD"}, Right: []int{2, 3, 4, 5}}
	for _, r := range c.Divergences {
		f := &r.Value.All
		table.Rows = append(table.Rows, []string{
			fileName(r.Value.Model.Name), fileName(r.Value.Reference.Name), fmt.Sprint(f.Positions),
			fmt.Sprintf("%.5f (%.5f to %.5f)", f.KLD.Mean, f.KLD.Low, f.KLD.High), interval(f.Agreement.Mean, f.Agreement.Low, f.Agreement.High), significant(f.MaxKLD),
		})
	}
	return table
}

func (c *Collection) headVerifications() *Table {
	table := &Table{Header: []string{"file", "source", "tensors", "faults"}, Right: []int{2, 3}}
	for _, r := range c.Verifications {
		v := r.Value
		table.Rows = append(table.Rows, []string{fileName(v.File.Name), fileName(v.Source), fmt.Sprint(v.Tensors), fmt.Sprint(v.Faults)})
	}
	return table
}

func (c *Collection) headProblems() *Table {
	table := &Table{Header: []string{"file", "problem"}}
	for _, p := range c.Problems {
		table.Rows = append(table.Rows, []string{p.Path, p.Text})
	}
	return table
}

// summaryParts are comparisons, evaluations, sweeps and benches as they print themselves.
func (c *Collection) summaryParts() []summaryPart {
	var all []summaryPart
	for _, r := range c.Comparisons {
		all = append(all, summaryPart{"comparison: " + r.Path, r.Value.sheet().markdown})
	}
	for _, r := range c.Evals {
		if r.Value.Eval != nil {
			all = append(all, summaryPart{"evaluation: " + r.Path, r.Value.Eval.markdown})
		}
	}
	for _, r := range c.Sweeps {
		all = append(all, summaryPart{"sweep: " + r.Path, func(w io.Writer) error { return r.Value.Write(w, "md") }})
	}
	for _, r := range c.Benches {
		all = append(all, summaryPart{"benchmark: " + r.Path, r.Value.markdown})
	}
	return all
}
