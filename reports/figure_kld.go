package reports

import (
	"fmt"
	"slices"
)

// divergenceFigures set size against divergence, a figure for every reference and data.
func (c *Collection) divergenceFigures() []*Figure {
	type group struct{ reference, data string }
	var groups []group
	members := map[group][]*Divergence{}
	for _, r := range c.Divergences {
		v := r.Value
		if v == nil || v.Model.Size == 0 || !drawable(v.All.KLD.Mean) || !drawable(float64(v.Model.Size)) {
			continue
		}
		g := group{v.Reference.SHA256, v.DataHash}
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
		members[g] = append(members[g], v)
	}
	var all []*Figure
	for _, g := range groups {
		all = append(all, divergenceFigure(members[g], len(groups) > 1))
	}
	return all
}

func divergenceFigure(all []*Divergence, others bool) *Figure {
	unit, size := "MiB", float64(1<<20)
	for _, v := range all {
		if v.Model.Size >= 1<<30 {
			unit, size = "GiB", 1<<30
		}
	}
	chart := scatter{
		x: axisOptions{loose: true}, y: axisOptions{loose: true, wide: true},
		titleX: "size of weights, " + unit, titleY: "mean divergence, nats", lessX: true, lessY: true,
	}
	for _, v := range all {
		p := scatterPoint{name: v.Model.label(), x: float64(v.Model.Size) / size, y: v.All.KLD.Mean, low: v.All.KLD.Mean, high: v.All.KLD.Mean}
		p.left, p.right = p.x, p.x
		if drawable(v.All.KLD.Low) && drawable(v.All.KLD.High) {
			p.low, p.high = min(v.All.KLD.Low, p.y), max(v.All.KLD.High, p.y)
		}
		p.about = svgShort(fmt.Sprintf("%s: %s, %s nats at %d positions", fileName(v.Model.Name), gibibytes(v.Model.Size), significant(p.y), v.All.Positions), labelSize, 900)
		chart.points = append(chart.points, p)
	}
	d, nameless := chart.draw()
	first := all[0]
	note := fmt.Sprintf("Kullback-Leibler divergence from %s at masked positions, mean over %s and its 95 %% interval, against the bytes of the weights. Less is better in both; the dashed line is the front.",
		svgShort(fileName(first.Reference.Name), 12, 300), plural(first.All.Positions, "position"))
	return &Figure{
		Title: figureTitle("Size against divergence", fileName(first.Reference.Name), others),
		Note:  note + chart.remarks(nameless), drawing: d,
	}
}

// label is the type, and how many bits a weight has.
func (f *File) label() string {
	name := f.Type
	if name == "" {
		name = fileName(f.Name)
	}
	if f.Bits > 0 && f.Bits < 100 {
		name += fmt.Sprintf(" (%.2f bits)", f.Bits)
	}
	return name
}
