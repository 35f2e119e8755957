package reports

import (
	"fmt"
	"math"
)

// historyColumns is how many of the last points a table has.
const historyColumns = 6

// Table has a row for each figure with its last values and the change from the one before
// the last to the last. Times and speeds are those of the machines that each was measured
// on, and may differ for that alone.
func (h *History) Table() *Table {
	first := max(0, len(h.Points)-historyColumns)
	table := &Table{Header: []string{"figure", "of", "unit"}}
	for _, p := range h.Points[first:] {
		table.Right = append(table.Right, len(table.Header))
		table.Header = append(table.Header, p.Label)
	}
	table.Right = append(table.Right, len(table.Header))
	table.Header = append(table.Header, "change", "")
	for _, s := range h.series() {
		row := []string{s.metric, visibleLine(list(s.kind+": "+s.name()), 200), s.unit}
		for _, v := range s.values[first:] {
			if math.IsNaN(v) {
				row = append(row, nothing)
			} else {
				row = append(row, significant(v))
			}
		}
		change, verdict := s.change()
		table.Rows = append(table.Rows, append(row, change, verdict))
	}
	return table
}

// change returns the last value beside the one before it, and whether that is better.
// Where intervals overlap, it does not say: it may be chance.
func (s *series) change() (change, verdict string) {
	last, before := -1, -1
	for i, v := range s.values {
		if !math.IsNaN(v) {
			last, before = i, last
		}
	}
	if before < 0 {
		return nothing, ""
	}
	a, b := s.values[before], s.values[last]
	if last < len(s.values)-1 {
		verdict = "not in the last"
	}
	switch {
	case a == b:
		return "0", verdict
	case s.unit == "%": // of points
		change = fmt.Sprintf("%+.2f points", b-a)
	case a == 0:
		return nothing, verdict
	default:
		change = fmt.Sprintf("%+.1f %%", 100*(b-a)/a)
	}
	apart := s.low[last] > s.high[before] || s.high[last] < s.low[before]
	switch {
	case verdict != "" || s.better == 0:
	case !apart:
		verdict = "within the intervals"
	case (b > a) == (s.better > 0):
		verdict = "better"
	default:
		verdict = "worse"
	}
	return change, verdict
}
