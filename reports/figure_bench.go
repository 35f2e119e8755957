package reports

import (
	"fmt"
	"strconv"
	"strings"
)

// mostBenchRows bounds the rows of a figure.
const mostBenchRows = 40

// benchRow is what a figure has a line for: a test.
type benchRow struct {
	name string
	test *Test
}

// rows lists the tests of a benchmark that a figure has something for, and how many more
// there are than are drawn. A test is named by what tells it from the others.
func (b *Bench) rows(has func(*Test) bool) (all []benchRow, more int) {
	var models, files, threads bool
	for i := range b.Tests {
		models = models || b.Tests[i].Type != b.Tests[0].Type
		threads = threads || b.Tests[i].Threads != b.Tests[0].Threads
	}
	files = ambiguous(b.Tests)
	for i := range b.Tests {
		t := &b.Tests[i]
		if !has(t) {
			continue
		}
		if len(all) == mostBenchRows {
			more++
			continue
		}
		parts := []string{t.Name}
		if files {
			parts = append(parts, strings.TrimSuffix(fileName(t.Model), ".gguf"))
		} else if models {
			parts = append(parts, t.Type)
		}
		if threads {
			parts = append(parts, plural(t.Threads, "thread"))
		}
		all = append(all, benchRow{list(parts...), t})
	}
	return all, more
}

const (
	rowHeight = 24.0
	rowLabel  = 190.0 // where names end
)

// legend draws squares with names in one line, from x on, and returns where the last one
// ends.
func (d *drawing) legend(x, y float64, classes, names []string) float64 {
	for i, name := range names {
		d.rect(classes[i], x, y-9, 10, 10, "")
		d.text("small", x+14, y, name)
		x += 14 + svgWidth(name, labelSize) + 14
	}
	return x
}

// phaseFigures have a bar for every test: where the time of its average forward went.
func (c *Collection) phaseFigures() []*Figure {
	var all []*Figure
	for _, r := range c.Benches {
		if r.Value == nil {
			continue
		}
		rows, more := r.Value.rows(func(t *Test) bool { return t.Phases.nanoseconds() != nil })
		if len(rows) > 0 {
			all = append(all, phaseFigure(rows, more, r.Path, len(c.Benches) > 1))
		}
	}
	return all
}

var phaseNames = []string{"projections", "attention", "feed-forward", "head", "other", "outside"}

// nanoseconds lists the phases, and what of the time outside they do not explain. It is
// nil if they are not known.
func (p *Phases) nanoseconds() []float64 {
	all := []float64{p.Projections, p.Attention, p.FFN, p.Head, p.Other}
	var sum float64
	for _, ns := range all {
		if !(ns >= 0) || !drawable(ns) {
			return nil
		}
		sum += ns
	}
	if !(sum > 0) {
		return nil
	}
	outside := 0.0
	if p.Explained > 0.01 && p.Explained < 1 {
		outside = sum/p.Explained - sum
	}
	return append(all, outside)
}

func phaseFigure(rows []benchRow, more int, path string, others bool) *Figure {
	const left, right, top = rowLabel + 8, figureWidth - 84, 34.0
	bottom := top + rowHeight*float64(len(rows)) + 4
	d := &drawing{height: bottom + 44}
	x := newAxis([]float64{0, 100}, left, right, axisOptions{zero: true})
	x.horizontal(d, top, bottom, "share of the time of a forward, %")
	var classes []string
	for i := range phaseNames {
		classes = append(classes, fmt.Sprintf("f%d", i+1))
	}
	d.legend(96, 18, classes, phaseNames)
	d.text("small end", figureWidth-8, 18, "ms a forward")
	for i, r := range rows {
		y := top + rowHeight*float64(i) + 4
		d.text("end", rowLabel, y+14, svgShort(r.name, 12, rowLabel-8))
		phases := r.test.Phases.nanoseconds()
		var total, before float64
		for _, ns := range phases {
			total += ns
		}
		for j, ns := range phases {
			share := 100 * ns / total
			from, to := x.at(before), x.at(before+share)
			before += share
			if to-from < 0.3 {
				continue
			}
			// A gap tells neighbours apart where there are no colours.
			width := to - from - min(1, (to-from)/2)
			d.rect(classes[j], from, y, width, rowHeight-6, fmt.Sprintf("%s: %s ms, %.1f %%", phaseNames[j], significant(ns/1e6), share))
			if text := fmt.Sprintf("%.0f", share); svgWidth(text, labelSize)+6 < width {
				d.text("small middle on", from+width/2, y+13, text)
			}
		}
		d.text("small end", figureWidth-8, y+13, svgShort(significant(total/1e6), labelSize, 76))
	}
	note := "Where the time of an average forward went, and on the right how long it took. Outside is what the phases do not explain."
	return &Figure{Title: figureTitle("Time of a forward by phases", fileName(path), others), Note: note + rowRemark(more), drawing: d}
}

// shareText has a decimal where a whole number would say little.
func shareText(percent float64) string {
	if percent < 9.95 {
		return strconv.FormatFloat(percent, 'f', 1, 64)
	}
	return strconv.FormatFloat(percent, 'f', 0, 64)
}

func rowRemark(more int) string {
	if more == 0 {
		return ""
	}
	return fmt.Sprintf(" %s not drawn.", plural(more, "more test"))
}

// limitFigures have two bars for every test: the shares of the machine's limits.
func (c *Collection) limitFigures() []*Figure {
	var all []*Figure
	for _, r := range c.Benches {
		if r.Value == nil {
			continue
		}
		rows, more := r.Value.rows(func(t *Test) bool {
			return drawable(t.Memory) && drawable(t.Compute) && t.Memory >= 0 && t.Compute >= 0 && t.Memory+t.Compute > 0
		})
		if len(rows) > 0 {
			all = append(all, limitFigure(rows, more, r.Path, len(c.Benches) > 1))
		}
	}
	return all
}

func limitFigure(rows []benchRow, more int, path string, others bool) *Figure {
	const left, right, top, height = rowLabel + 8, figureWidth - 50, 34.0, rowHeight + 10
	bottom := top + height*float64(len(rows)) + 4
	d := &drawing{height: bottom + 44}
	shares := []float64{0, 100}
	for _, r := range rows {
		shares = append(shares, 100*r.test.Memory, 100*r.test.Compute)
	}
	x := newAxis(shares, left, right, axisOptions{zero: true})
	x.horizontal(d, top, bottom, "share of the limit, %")
	d.legend(left, 18, []string{"f1", "f2"}, []string{"memory", "compute"})
	if x.high > 100 {
		d.line("axis dash", x.at(100), top, x.at(100), bottom)
	}
	for i, r := range rows {
		y := top + height*float64(i) + 5
		d.text("end", rowLabel, y+17, svgShort(r.name, 12, rowLabel-8))
		for j, share := range []float64{100 * r.test.Memory, 100 * r.test.Compute} {
			at := y + 13*float64(j)
			if share > 0 {
				d.rect([]string{"f1", "f2"}[j], left, at, x.at(share)-left, 11, "")
				if text := shareText(share); x.at(share)+4+svgWidth(text, labelSize) < figureWidth {
					d.text("small", x.at(share)+4, at+9.5, text)
				} else {
					d.text("small end on", x.at(share)-4, at+9.5, text)
				}
			}
		}
	}
	note := "Bytes and products of a second as shares of what the machine was measured to do at most with as many threads. Whichever is near 100 % is what the time goes to."
	return &Figure{Title: figureTitle("Shares of the machine's limits", fileName(path), others), Note: note + rowRemark(more), drawing: d}
}
