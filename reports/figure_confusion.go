package reports

import "math"

// confusionFigures have the curves of entropy and margin for each trace.
func (c *Collection) confusionFigures() []*Figure {
	var all []*Figure
	for _, r := range c.Traces {
		if r.Value == nil || len(r.Value.Steps) == 0 {
			continue
		}
		f := r.Value.confusionFigure()
		f.Title = figureTitle(f.Title, fileName(r.Path), len(c.Traces) > 1)
		all = append(all, f)
	}
	return all
}

func (t *Trace) confusionFigure() *Figure {
	const left, right, top, height, gap = 60.0, figureWidth - 24, 40.0, 130.0, 44.0
	bottom := top + 2*height + gap
	d := &drawing{height: bottom + 50}
	n := float64(len(t.Steps))
	// The first step is 1, in the middle of its part of the axis.
	x := axis{from: left, to: right}
	x.linear(0.5, n+0.5, 8, true)
	zones, marks := 0, ""
	runs(len(t.Steps), func(i int) int {
		if t.Steps[i].Zone {
			zones++
			return 1
		}
		return 0
	}, func(zone, begin, end int) {
		if zone == 0 {
			return
		}
		from, to := x.at(float64(begin)+0.5), x.at(float64(end)+0.5)
		to = max(to, from+1) // else one of many thousand would not be seen
		d.rect("zone", from, top, to-from, height, "")
		d.rect("zone", from, top+height+gap, to-from, height, "")
	})
	for i, curve := range []struct {
		title, class string
		value        func(*TraceStep) float64
	}{
		{"entropy, nats", "s1", func(s *TraceStep) float64 { return s.Entropy }},
		{"margin, 1 − (p₁ − p₂)", "s2", func(s *TraceStep) float64 { return s.Margin }},
	} {
		above := top + (height+gap)*float64(i)
		below := above + height
		var values []float64
		for j := range t.Steps {
			values = append(values, curve.value(&t.Steps[j]))
		}
		y := newAxis(values, below, above, axisOptions{zero: true, loose: true, count: 4})
		y.vertical(d, left, right, curve.title)
		t.curve(d, curve.class, &x, &y, values)
		marks = t.blockMarks(d, left, right, below)
		d.line("axis", left, below, right, below)
	}
	x.numbers(d, bottom+22)
	d.text("end", right, bottom+42, "denoising step"+marks)
	note := "How unsure the predictions of masked positions were, by denoising steps; blocks have curves of their own."
	if zones > 0 {
		d.rect("zone", right-110, 8, 14, 12, "")
		d.text("small end", right, 18, "confusion zone")
		note += " In zones, one of both is more than two standard deviations above the mean of all steps before."
	} else {
		note += " There was no zone of confusion."
	}
	return &Figure{Title: "Confusion over steps", Note: note, drawing: d}
}

// curve draws the values of every block. Where there are many steps in a pixel, their
// lowest and highest values are drawn.
func (t *Trace) curve(d *drawing, class string, x, y *axis, values []float64) {
	o := d.outline()
	starts := append(t.starts(), len(t.Steps))
	few := float64(len(values)) <= 2*(x.to-x.from)
	for i := range len(starts) - 1 {
		first := true
		add := func(at int, v float64) {
			px, py := x.at(float64(at+1)), y.at(v)
			if !first {
				o.to(px, py)
				return
			}
			if first = false; starts[i+1]-starts[i] == 1 {
				// A curve of one point is a short line.
				o.move(px-2.5, py)
				o.to(px+2.5, py)
			}
			o.move(px, py)
		}
		for begin := starts[i]; begin < starts[i+1]; {
			end := begin + 1
			pixel := math.Floor(x.at(float64(begin + 1)))
			for !few && end < starts[i+1] && math.Floor(x.at(float64(end+1))) == pixel {
				end++
			}
			low, high := math.Inf(1), math.Inf(-1)
			for _, v := range values[begin:end] {
				if drawable(v) {
					low, high = min(low, v), max(high, v)
				}
			}
			if low <= high {
				add(begin, low)
				if high > low {
					add(begin, high)
				}
			}
			begin = end
		}
	}
	d.path("line "+class, o, "")
}
