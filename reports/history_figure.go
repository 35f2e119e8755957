package reports

import (
	"fmt"
	"math"
)

// historyLines is how many lines a figure has: as many as there are colours.
const historyLines = 6

// Figures draws what there is of at least two points: a figure for each metric, with a
// line for each model and test.
func (h *History) Figures() []*Figure {
	var all []*Figure
	of := map[string][]series{}
	for _, s := range h.series() {
		n := 0
		for _, v := range s.values {
			if drawable(v) {
				n++
			}
		}
		if n > 1 {
			of[s.metric] = append(of[s.metric], s)
		}
	}
	for _, metric := range historyOrder {
		if len(of[metric]) > 0 {
			all = append(all, h.figure(metric, of[metric]))
		}
	}
	return all
}

func (h *History) figure(metric string, lines []series) *Figure {
	more := len(lines) - historyLines
	if more > 0 {
		lines = lines[:historyLines]
	}
	const left, right, top, height, row = 64.0, figureWidth - 24, 44.0, 220.0, 18.0
	bottom := top + height
	d := &drawing{height: bottom + 48 + row*float64(len(lines))}
	var values []float64
	for i := range lines {
		values = append(append(append(values, lines[i].values...), lines[i].low...), lines[i].high...)
	}
	y := newAxis(values, bottom, top, axisOptions{loose: true})
	y.vertical(d, left, right, historyMetrics[metric])
	// Points are apart alike, however long ago they were made.
	x := axis{from: left + 16, to: right - 16, low: 0, high: float64(max(1, len(h.Points)-1))}
	every := max(1, (len(h.Points)+7)/8)
	for p := 0; p < len(h.Points); p += every {
		d.text("small middle", x.at(float64(p)), bottom+16, svgShort(h.Points[p].Label, labelSize, (right-left)/8-6))
	}
	d.line("axis", left, bottom, right, bottom)
	d.text("end", right, bottom+34, "commits or folders, the oldest first")
	for i := range lines {
		s, stroke, fill := &lines[i], fmt.Sprintf("s%d", i+1), fmt.Sprintf("f%d", i+1)
		h.drawLine(d, s, &x, &y, stroke, fill)
		at := bottom + 52 + row*float64(i)
		d.line("line "+stroke, left, at-4, left+20, at-4)
		d.text("small", left+26, at, svgShort(s.name(), labelSize, right-left-26))
	}
	note := "Results in the order in which they were made. Bars are 95 % intervals, or two standard deviations."
	if metric == "ms_per_forward" || metric == "tokens_per_s" {
		note += " Speeds are those of the machines that each was measured on."
	}
	if more > 0 {
		note += fmt.Sprintf(" %s more: see the table.", plural(more, "line"))
	}
	return &Figure{Name: "history-" + metric, Title: historyMetrics[metric] + ", over commits", Note: note, drawing: d}
}

// drawLine draws a series through the points that have a value of it.
func (h *History) drawLine(d *drawing, s *series, x, y *axis, stroke, fill string) {
	o := d.outline()
	first := true
	few := len(h.Points) <= 100 // more dots would be a line of their own
	for p, v := range s.values {
		if !drawable(v) {
			continue
		}
		px, py := x.at(float64(p)), y.at(v)
		if first {
			o.move(px, py)
			first = false
		}
		o.to(px, py)
		if !few {
			continue
		}
		if low, high := s.low[p], s.high[p]; drawable(low) && drawable(high) && high > low {
			d.line("bar "+stroke, px, y.at(low), px, y.at(high))
		}
		about := fmt.Sprintf("%s: %s", h.Points[p].Label, significant(v))
		if math.Abs(v) < 1e-6 && v != 0 {
			about = fmt.Sprintf("%s: %g", h.Points[p].Label, v)
		}
		d.circle(fill, px, py, 3, about)
	}
	d.path("line "+stroke, o, "")
}
