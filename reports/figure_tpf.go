package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// mostPanels is how many histograms a figure has.
const mostPanels = 6

// histogram is how many answers have how many tokens a forward.
type histogram struct {
	name   string
	values []float64
	mean   float64 // all tokens by all forwards
}

// tpfFigures have histograms of tokens per forward, one for each run and task, on the
// same axis.
func (c *Collection) tpfFigures() []*Figure {
	var panels []histogram
	for _, r := range c.Evals {
		if r.Value == nil {
			continue
		}
		name := fileName(r.Path)
		if r.Value.Eval != nil {
			name = strings.TrimSuffix(fileName(r.Value.Eval.Model.Name), ".gguf")
		}
		panels = append(panels, tpfOf(name, r.Value.Samples)...)
	}
	var all []*Figure
	for group := range slices.Chunk(panels, mostPanels) {
		all = append(all, tpfFigure(group))
	}
	return all
}

// tpfOf makes a histogram of each task of samples.
func tpfOf(model string, samples []Sample) (all []histogram) {
	at := map[string]int{}
	var tokens, forwards []float64
	for i := range samples {
		s := &samples[i]
		v := s.TPF()
		if !(v > 0) || !drawable(v) {
			continue
		}
		n, known := at[s.Task]
		if !known {
			n = len(all)
			at[s.Task] = n
			all = append(all, histogram{name: list(model, s.Task)})
			tokens, forwards = append(tokens, 0), append(forwards, 0)
		}
		all[n].values = append(all[n].values, v)
		tokens[n] += float64(s.Tokens)
		forwards[n] += float64(s.Denoise)
	}
	for i := range all {
		all[i].mean = tokens[i] / forwards[i]
	}
	return all
}

func tpfFigure(panels []histogram) *Figure {
	const left, right, height, gap = 60.0, figureWidth - 24, 78.0, 40.0
	d := &drawing{height: (height+gap)*float64(len(panels)) + 44}
	var values []float64
	for i := range panels {
		values = append(values, panels[i].values...)
	}
	x := newAxis(values, left, right, axisOptions{zero: true, loose: true, count: 8})
	for i := range panels {
		p := &panels[i]
		top := (height+gap)*float64(i) + gap
		bottom := top + height
		counts := p.bins(x.high)
		y := newAxis(counts, bottom, top, axisOptions{zero: true, whole: true, count: 3})
		d.text("bold", left, top-22, svgShort(p.name, 12, right-left-130))
		d.text("small end", right, top-22, plural(len(p.values), "answer"))
		y.vertical(d, left, right, "")
		for j, n := range counts {
			if n == 0 {
				continue
			}
			from, to := x.high*float64(j)/float64(len(counts)), x.high*float64(j+1)/float64(len(counts))
			d.rect("f1", x.at(from)+0.5, y.at(n), x.at(to)-x.at(from)-1, bottom-y.at(n),
				fmt.Sprintf("%s to %s: %.0f", significant(from), significant(to), n))
		}
		mean := x.at(p.mean)
		d.line("line s2", mean, top-6, mean, bottom)
		text := "mean " + significant(p.mean)
		half := svgWidth(text, labelSize) / 2
		d.text("small middle f2", min(max(mean, left+half), right-half), top-8, text)
		if i < len(panels)-1 {
			d.line("axis", left, bottom, right, bottom)
			continue
		}
		x.horizontal(d, bottom, bottom, "tokens per denoising forward")
	}
	note := "Answers by their tokens per denoising forward; the axis on the left counts answers. The mean is all tokens by all forwards."
	return &Figure{Title: "Tokens per forward", Note: note, drawing: d}
}

// bins counts the values between 0 and high in equal bins.
func (h *histogram) bins(high float64) []float64 {
	counts := make([]float64, 36)
	for _, v := range h.values {
		i := int(math.Floor(v / high * float64(len(counts))))
		counts[min(max(i, 0), len(counts)-1)]++
	}
	return counts
}
