package reports

import (
	"fmt"
	"math"
	"strconv"
)

// expertFigures have a heat map for each trace: how many experts of a layer a step
// touched.
func (c *Collection) expertFigures() []*Figure {
	var all []*Figure
	for _, r := range c.Traces {
		if r.Value == nil {
			continue
		}
		if f := r.Value.expertFigure(); f != nil {
			f.Title = figureTitle(f.Title, fileName(r.Path), len(c.Traces) > 1)
			all = append(all, f)
		}
	}
	return all
}

// The most cells of a heat map. What has more is drawn in means over several.
const (
	mostColumns = 200
	mostLayers  = 64
)

// touched are the experts by layers and steps, without layers that have none.
type touched struct {
	layers []int       // numbers of the first layers of rows
	cells  [][]float64 // [row][column], means; NaN where nothing is known
	most   float64
	steps  int // in a column
}

func (t *Trace) touched() *touched {
	count := 0
	for i := range t.Steps {
		count = max(count, len(t.Steps[i].Experts))
	}
	var used []int
	for layer := range count {
		for i := range t.Steps {
			if e := t.Steps[i].Experts; layer < len(e) && e[layer] > 0 {
				used = append(used, layer)
				break
			}
		}
	}
	if len(used) == 0 {
		return nil
	}
	m := &touched{steps: (len(t.Steps) + mostColumns - 1) / mostColumns}
	layers := (len(used) + mostLayers - 1) / mostLayers
	for first := 0; first < len(used); first += layers {
		m.layers = append(m.layers, used[first])
		var row []float64
		for begin := 0; begin < len(t.Steps); begin += m.steps {
			v := t.touchedMean(used[first:min(first+layers, len(used))], begin, min(begin+m.steps, len(t.Steps)))
			if drawable(v) {
				m.most = max(m.most, v)
			}
			row = append(row, v)
		}
		m.cells = append(m.cells, row)
	}
	return m
}

func (t *Trace) touchedMean(layers []int, begin, end int) float64 {
	var sum, n float64
	for i := begin; i < end; i++ {
		for _, layer := range layers {
			if e := t.Steps[i].Experts; layer < len(e) && e[layer] >= 0 {
				sum += float64(e[layer])
				n++
			}
		}
	}
	return sum / n // NaN for none
}

func (t *Trace) expertFigure() *Figure {
	m := t.touched()
	if m == nil || !(m.most > 0) {
		return nil
	}
	const left, right, top = 60.0, figureWidth - 24, 44.0
	cell := min(max(300/float64(len(m.cells)), 6), 24)
	bottom := top + cell*float64(len(m.cells))
	d := &drawing{height: bottom + 60}

	// Levels between the fewest and the most that there are, as ramp has colours.
	fewest := m.most
	for _, row := range m.cells {
		for _, v := range row {
			if drawable(v) {
				fewest = min(fewest, v)
			}
		}
	}
	level := func(v float64) int {
		if !drawable(v) {
			return -1
		}
		if m.most == fewest {
			return len(ramp) - 1
		}
		return min(int((v-fewest)/(m.most-fewest)*float64(len(ramp))), len(ramp)-1)
	}
	// The first step is 1, in the middle of its part of the axis.
	steps := axis{from: left, to: right}
	steps.linear(0.5, float64(len(t.Steps))+0.5, 8, true)
	edge := func(column int) float64 { return steps.at(float64(column*m.steps) + 0.5) }
	levels := make([]*outline, len(ramp))
	for i := range levels {
		levels[i] = d.outline()
	}
	for i, row := range m.cells {
		runs(len(row), func(j int) int { return level(row[j]) }, func(value, begin, end int) {
			if value >= 0 {
				levels[value].box(edge(begin), top+cell*float64(i), edge(end)-edge(begin), cell)
			}
		})
	}
	for i, o := range levels {
		d.path(fmt.Sprintf("crisp r%d", i), o, "")
	}
	d.rect("frame", left, top, right-left, bottom-top, "")
	free := math.Inf(-1)
	for i, layer := range m.layers {
		if y := top + cell*(float64(i)+0.5) + 4; y-free >= 13 {
			d.text("small end", left-6, y, fmt.Sprint(layer))
			free = y
		}
	}
	d.text("", 8, top-8, "layer")
	d.rampLegend(right, 20, "experts", fewest, m.most)
	marks := t.blockMarks(d, left, right, bottom)
	steps.numbers(d, bottom+22)
	d.text("end", right, bottom+42, "denoising step"+marks)
	note := fmt.Sprintf("How many different experts of a layer a denoising step used, over %s in %s.", plural(len(t.Steps), "step"), plural(t.blocks(), "block"))
	if m.steps > 1 {
		note += fmt.Sprintf(" A column is the mean of %d steps.", m.steps)
	}
	return &Figure{Title: "Experts touched", Note: note, drawing: d}
}

// runs calls do for every longest run of equal values among n.
func runs(n int, value func(int) int, do func(value, begin, end int)) {
	for begin := 0; begin < n; {
		end, v := begin+1, value(begin)
		for end < n && value(end) == v {
			end++
		}
		do(v, begin, end)
		begin = end
	}
}

// rampLegend shows the colours from little to much, and ends at right.
func (d *drawing) rampLegend(right, y float64, what string, low, high float64) {
	most := strconv.FormatFloat(high, 'g', 4, 64)
	x := right - svgWidth(most, labelSize) - 6
	d.text("small end", right, y, most)
	for i := len(ramp) - 1; i >= 0; i-- {
		x -= 14
		d.rect(fmt.Sprintf("crisp r%d", i), x, y-10, 14, 12, "")
	}
	d.text("small end", x-6, y, what+": "+strconv.FormatFloat(low, 'g', 4, 64))
}

// starts lists the steps at which blocks begin.
func (t *Trace) starts() (all []int) {
	for i := range t.Steps {
		if i == 0 || t.Steps[i].Block != t.Steps[i-1].Block {
			all = append(all, i)
		}
	}
	return all
}

func (t *Trace) blocks() int { return len(t.starts()) }

// blockMarks marks where blocks begin, unless they are too near to be told apart, and
// returns what is to be said about it.
func (t *Trace) blockMarks(d *drawing, left, right, y float64) string {
	starts := t.starts()
	if float64(len(starts))*4 > right-left {
		return ""
	}
	for _, i := range starts {
		x := left + (right-left)*float64(i)/float64(len(t.Steps))
		d.line("axis", x, y, x, y+8)
	}
	return "; marks: blocks begin"
}
