package reports

import (
	"fmt"
	"slices"
	"strings"

	"lladakit/internal/stats"
)

// paretoFigures set how right answers are against how fast they come: a figure for every
// sweep, and one for every task that models were evaluated on of which there are
// benchmarks too.
func (c *Collection) paretoFigures() []*Figure {
	var all []*Figure
	for _, r := range c.Sweeps {
		if r.Value != nil {
			all = append(all, r.Value.paretoFigure())
		}
	}
	for _, task := range c.evaluated() {
		all = append(all, c.taskPareto(task))
	}
	return slices.DeleteFunc(all, func(f *Figure) bool { return f == nil })
}

func (s *Sweep) paretoFigure() *Figure {
	chart := scatter{
		x: axisOptions{loose: true, wide: true}, y: axisOptions{loose: true, most: 100},
		titleX: "answers' tokens per second", titleY: "same tokens as the first cell, %",
	}
	if s.Judged {
		chart.titleY = "right answers, %"
	}
	models := false
	for i := range s.Cells {
		models = models || s.Cells[i].Model != s.Cells[0].Model
	}
	recommended := false
	for i := range s.Cells {
		cell := &s.Cells[i]
		quality := 100 * s.quality(cell)
		if !(cell.Speed.Median > 0) || !drawable(cell.Speed.Median) || !drawable(quality) || quality < 0 {
			continue
		}
		p := scatterPoint{
			name: cell.name(s.Axes, models), x: cell.Speed.Median, y: quality,
			left: cell.Speed.Median, right: cell.Speed.Median, low: quality, high: quality, special: cell.Recommended,
		}
		if cell.Speed.N >= 2 && drawable(cell.Speed.Low) && drawable(cell.Speed.High) {
			p.left, p.right = min(cell.Speed.Low, p.x), max(cell.Speed.High, p.x)
		}
		if s.Judged && cell.Right >= 0 && cell.Right <= s.Prompts {
			low, high := stats.Wilson(cell.Right, s.Prompts)
			p.low, p.high = min(100*low, p.y), max(100*high, p.y)
		}
		p.about = svgShort(fmt.Sprintf("%s: %s tokens per second, %s %%", p.name, significant(p.x), significant(p.y)), labelSize, 900)
		recommended = recommended || cell.Recommended
		chart.points = append(chart.points, p)
	}
	d, nameless := chart.draw()
	if d == nil {
		return nil
	}
	note := fmt.Sprintf("%s of %s, one at a time.", plural(s.Prompts, "prompt"), svgShort(fileName(s.Data), 12, 300))
	if s.Judged {
		note += " Bars are 95 % intervals, of speed over repetitions and of right answers over prompts."
	} else {
		note += " Bars are 95 % intervals of speed over repetitions."
	}
	note += " Filled points and the dashed line are the front: nothing else is better in one and as good in the other."
	if recommended {
		note += " The diamond has the recommended settings."
	}
	if s.Interrupted {
		note += fmt.Sprintf(" Interrupted: %d prompts were to be answered.", s.Asked)
	}
	title := "Accuracy against speed, by settings"
	if !s.Judged {
		title = "Same answers against speed, by settings"
	}
	return &Figure{Title: figureTitle(title, fileName(s.Data), true), Note: note + chart.remarks(nameless), drawing: d}
}

// name tells a cell from the others: by its settings, and its model if there are several.
func (c *SweepCell) name(axes []string, model bool) string {
	var parts []string
	if model {
		parts = append(parts, strings.TrimSuffix(fileName(c.Model), ".gguf"))
	}
	for i, value := range c.Values {
		switch {
		case i >= len(axes):
		case len(axes) == 1 && !model:
			parts = append(parts, axes[i]+" "+value)
		default:
			parts = append(parts, value)
		}
	}
	return strings.Join(parts, ", ")
}

// remarks say what of the points is not seen.
func (s *scatter) remarks(nameless int) string {
	var note string
	if nameless > 0 {
		note += fmt.Sprintf(" There is no room for the names of %s.", plural(nameless, "point"))
	}
	if len(s.points) == mostPoints {
		note += fmt.Sprintf(" There are %d points at most.", mostPoints)
	}
	return note
}

// evaluated lists the tasks of all evaluations, in order.
func (c *Collection) evaluated() []string {
	var all []string
	for _, r := range c.Evals {
		if r.Value == nil || r.Value.Eval == nil {
			continue
		}
		for _, task := range r.Value.Eval.Tasks {
			if !slices.Contains(all, task.Task) && len(all) < 100 {
				all = append(all, task.Task)
			}
		}
	}
	slices.Sort(all)
	return all
}

// taskPareto has a point for every evaluation of a task of whose model there is a
// benchmark with a generation.
func (c *Collection) taskPareto(task string) *Figure {
	chart := scatter{
		x: axisOptions{loose: true, wide: true}, y: axisOptions{loose: true, most: 100},
		titleX: "tokens per second", titleY: task + ", right answers, %",
	}
	partial := false
	for _, r := range c.Evals {
		if r.Value == nil || r.Value.Eval == nil {
			continue
		}
		e := r.Value.Eval
		for i := range e.Tasks {
			t, test := &e.Tasks[i], c.speedOf(&e.Model)
			y := 100 * t.Accuracy
			if t.Task != task || t.N <= 0 || test == nil || !drawable(y) {
				continue
			}
			p := scatterPoint{
				name: strings.TrimSuffix(fileName(e.Model.Name), ".gguf"), x: test.AvgTS, left: test.AvgTS, right: test.AvgTS,
				y: y, low: y, high: y,
			}
			for _, speed := range test.SamplesTS {
				if drawable(speed) {
					p.left, p.right = min(p.left, speed), max(p.right, speed)
				}
			}
			if drawable(100*t.Low) && drawable(100*t.High) {
				p.low, p.high = min(100*t.Low, y), max(100*t.High, y)
			}
			p.about = svgShort(fmt.Sprintf("%s: %s tokens per second in %s, %s %% of %d", p.name, significant(p.x), test.Name, significant(y), t.N), labelSize, 900)
			partial = partial || t.N < t.Asked || e.Interrupted
			chart.points = append(chart.points, p)
		}
	}
	chart.titleY = svgShort(chart.titleY, 12, 400)
	d, nameless := chart.draw()
	if d == nil {
		return nil
	}
	note := "Right answers of evaluations with their 95 % intervals, and tokens per second of the fastest generation in a benchmark" +
		" of the same file, with its slowest and fastest repetition. Filled points and the dashed line are the front."
	if partial {
		note += " Of some evaluations, answers are missing."
	}
	return &Figure{Title: figureTitle("Accuracy against speed, by models", task, true), Note: note + chart.remarks(nameless), drawing: d}
}

// speedOf finds the fastest generation with a model: of its digest, or where that is not
// known, of the file's name and size.
func (c *Collection) speedOf(m *EvalModel) *Test {
	var best *Test
	for _, r := range c.Benches {
		if r.Value == nil {
			continue
		}
		for i := range r.Value.Tests {
			t := &r.Value.Tests[i]
			same := t.SHA256 == m.SHA256
			if t.SHA256 == "" || m.SHA256 == "" {
				same = fileName(t.Model) == fileName(m.Name) && m.Name != "" && m.Endpoint == "" && (t.Size == m.Size || t.Size == 0 || m.Size == 0)
			}
			if same && t.Kind == "gen" && t.AvgTS > 0 && drawable(t.AvgTS) && (best == nil || t.AvgTS > best.AvgTS) {
				best = t
			}
		}
	}
	return best
}
