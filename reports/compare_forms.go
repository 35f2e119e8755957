package reports

import (
	"fmt"
	"io"
	"strings"
)

// ComparisonForms lists what Write can write.
func ComparisonForms() []string { return []string{"md", "json"} }

// Write writes the comparison in one of the forms of ComparisonForms.
func (c *Comparison) Write(w io.Writer, form string) error {
	return writeSheet(w, c, form, "comparison")
}

// comparedColumns are those of the table of tasks.
func comparedColumns() []column[ComparedTask] {
	type t = *ComparedTask
	beside := func(a, b string) string {
		if a == "" && b == "" {
			return ""
		}
		return list(a) + " → " + list(b)
	}
	return []column[ComparedTask]{
		{"task", false, func(t t) string { return fmt.Sprintf("%s v%d", t.Task, t.Version) }, nil},
		{"pairs", true, func(t t) string { return fmt.Sprint(t.Pairs) }, nil},
		{"documents", true, func(t t) string {
			if t.Documents == t.Pairs {
				return ""
			}
			return fmt.Sprint(t.Documents)
		}, known},
		{"A", true, func(t t) string { return percent2(t.A.Accuracy) }, nil},
		{"B", true, func(t t) string { return percent2(t.B.Accuracy) }, nil},
		{"difference", true, func(t t) string {
			return fmt.Sprintf("%+.2f (%+.2f to %+.2f)", 100*t.Difference, 100*t.Low, 100*t.High)
		}, nil},
		{"p", true, func(t t) string { return probability(t.P) }, nil},
		{"both right", true, func(t t) string { return fmt.Sprint(t.Both) }, nil},
		{"only A", true, func(t t) string { return fmt.Sprint(t.OnlyA) }, nil},
		{"only B", true, func(t t) string { return fmt.Sprint(t.OnlyB) }, nil},
		{"neither", true, func(t t) string { return fmt.Sprint(t.Neither) }, nil},
		{"same text", true, func(t t) string { return fmt.Sprint(t.Same) }, nil},
		{"truncated", true, func(t t) string { return fmt.Sprintf("%d → %d", t.A.Truncated, t.B.Truncated) }, nil},
		{"tokens", true, func(t t) string { return fmt.Sprintf("%d → %d", t.A.Tokens, t.B.Tokens) }, nil},
		{"tokens/forward", true, func(t t) string { return beside(decimals(t.A.TPF), decimals(t.B.TPF)) }, known},
	}
}

func (c *Comparison) sheet() *sheet {
	tasks := columnsTable(comparedColumns(), c.Tasks).prefer("difference", "p", "pairs", "A", "B", "only A", "only B", "tokens/forward", "truncated", "both right", "neither")
	s := &sheet{
		tables: []*Table{tasks, c.gatesTable(), c.extractorsTable(), c.differTable(), c.flipsTable()},
		build:  "A: " + c.A.describe() + "; B: " + c.B.describe(), notes: c.notes(),
	}
	for i := range c.Tasks {
		s.head = append(s.head, c.Tasks[i].Task+": "+c.Tasks[i].Verdict+".")
	}
	return s
}

// check reports the first thing that cannot be. Differences may be below zero.
func (c *Comparison) check() error {
	if err := checkVersion(c.Version, ComparisonVersion); err != nil {
		return err
	}
	for i := range c.Gates {
		if c.Passed && !c.Gates[i].Passed {
			return fmt.Errorf("it passed, and gates[%d] did not", i)
		}
	}
	return nil
}

func (r *ComparedRun) describe() string {
	return list(r.Path, fileName(r.Model.Name), r.Model.Type)
}

func (c *Comparison) gatesTable() *Table {
	table := &Table{Header: []string{"gate", "task", "value", ""}, Right: []int{2}}
	for _, g := range c.Gates {
		value, verdict := nothing, "passed"
		if g.Value != nil {
			value = signedDecimals(*g.Value)
		}
		if !g.Passed {
			verdict = "FAILED"
			if g.Reason != "" {
				verdict += ": " + g.Reason
			}
		}
		table.Rows = append(table.Rows, []string{g.Gate, g.Task, value, verdict})
	}
	return table.prefer("", "value")
}

// signedDecimals formats what a gate bounds: a change, or what B has.
func signedDecimals(x float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.4f", x), "0"), ".")
}

// extractorsTable has the extractors of tasks that have more than one.
func (c *Comparison) extractorsTable() *Table {
	table := &Table{Header: []string{"task", "extractor", "A", "B", "difference", "p"}, Right: []int{2, 3, 4, 5}}
	for i := range c.Tasks {
		t := &c.Tasks[i]
		if len(t.Extractors) < 2 {
			continue
		}
		for _, x := range t.Extractors {
			table.Rows = append(table.Rows, []string{
				t.Task, x.Name, fmt.Sprint(x.A), fmt.Sprint(x.B), fmt.Sprintf("%+.2f", 100*x.Difference), probability(x.P),
			})
		}
	}
	return table.prefer("extractor", "difference", "p")
}

func (c *Comparison) differTable() *Table {
	table := &Table{Header: []string{"they differ in", "A", "B"}}
	for _, s := range c.Differ {
		table.Rows = append(table.Rows, []string{s.Name, brief(s.A), brief(s.B)})
	}
	return table
}

// flipsTable has the documents that one of both has right, those that B lost first.
func (c *Comparison) flipsTable() *Table {
	table := &Table{Header: []string{"task", "document", "", "gold", "A", "B"}}
	for i := range c.Tasks {
		t := &c.Tasks[i]
		for _, lost := range []bool{true, false} {
			shown := 0
			for _, f := range t.Flips {
				if f.Lost != lost {
					continue
				}
				if shown++; shown > listed {
					continue
				}
				what, document := "gained", f.DocID
				if lost {
					what = "lost"
				}
				if f.Repeat > 0 {
					document += fmt.Sprintf(" #%d", f.Repeat)
				}
				table.Rows = append(table.Rows, []string{t.Task, document, what, brief(f.Gold), brief(f.A), brief(f.B)})
			}
			if more := shown - listed; more > 0 {
				table.Rows = append(table.Rows, []string{t.Task, fmt.Sprintf("and %d more", more), "", "", "", ""})
			}
		}
	}
	return table.prefer("document", "", "A", "B", "gold")
}

// brief is the first of a text, for a cell.
func brief(text string) string {
	const most = 40
	if text == "" {
		return nothing
	}
	runes := 0
	for i := range text {
		if runes++; runes > most {
			return text[:i] + "…"
		}
	}
	return text
}

func (c *Comparison) notes() []string {
	all := []string{
		"over documents that both were asked; difference: points, B less A, with the paired bootstrap's 95 % interval",
		"p: of McNemar's exact test, and with several answers to a document of the exact sign-flip test of documents",
	}
	for i := range c.Tasks {
		t := &c.Tasks[i]
		all = append(all, fmt.Sprintf("%s: a difference of %s would be seen (power 0.8, level 0.05)", t.Task, points(t.Detected)))
	}
	for _, warning := range c.Warnings {
		all = append(all, "warning: "+warning)
	}
	return all
}
