package reports

import "fmt"

// comparisonSections describes a comparison, with its gates.
func comparisonSections(r *Result[Comparison]) []Section {
	c := r.Value
	s := Section{
		Title: r.Path, Table: columnsTable(comparedColumns(), c.Tasks),
		Caption: "Answers to the same documents; the difference is B's less A's in points, with its 95 % paired bootstrap interval",
		Notes:   []string{"A: " + list(c.A.Path), "B: " + list(c.B.Path)},
	}
	for i := range c.Tasks {
		s.Notes = append(s.Notes, c.Tasks[i].Task+": "+c.Tasks[i].Verdict)
	}
	for _, g := range c.Gates {
		how := "passed"
		if !g.Passed {
			how = "FAILED"
		}
		if g.Reason != "" {
			how += ": " + g.Reason
		} else if g.Value != nil {
			how += fmt.Sprintf(", with %.4g", *g.Value)
		}
		s.Notes = append(s.Notes, fmt.Sprintf("gate %s on %s %s", g.Gate, g.Task, how))
	}
	for _, w := range c.Warnings {
		s.Notes = append(s.Notes, "warning: "+w)
	}
	return []Section{s}
}

// historySections describes how figures went.
func historySections(h *History) []Section {
	if h == nil {
		return nil
	}
	s := Section{
		Title: plural(len(h.Points), "result"), Table: h.Table(),
		Caption: "The last results, each by the commit of the program that made it, or its folder",
		Notes:   []string{"times and speeds are of the machine that each was measured on, and may differ for that alone"},
	}
	for _, p := range h.Problems {
		s.Notes = append(s.Notes, "warning: "+p.Path+": "+p.Text)
	}
	return []Section{s}
}
