package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// typeFigures have a grid for each conversion: the type of every expert of every layer.
func (c *Collection) typeFigures() []*Figure {
	var all []*Figure
	for _, r := range c.Conversions {
		if r.Value == nil {
			continue
		}
		if f := r.Value.typeFigure(); f != nil {
			f.Title = figureTitle(f.Title, fileName(r.Value.File.Name), len(c.Conversions) > 1)
			all = append(all, f)
		}
	}
	return all
}

// grid is the types of one or more of an expert's matrices, where they are the same.
type grid struct {
	name string
	rows [][]string // [layer][expert]
}

// grids returns one grid for all matrices that have the same types.
func (c *Conversion) grids() []grid {
	matrices := []grid{{name: "gate"}, {name: "up"}, {name: "down"}}
	for i := range c.Experts {
		e := &c.Experts[i]
		for j, types := range [][]string{e.Gate, e.Up, e.Down} {
			matrices[j].rows = append(matrices[j].rows, types)
		}
	}
	var all []grid
	for _, m := range matrices {
		if !slices.ContainsFunc(m.rows, func(types []string) bool { return len(types) > 0 }) {
			continue
		}
		i := slices.IndexFunc(all, func(g grid) bool { return slices.EqualFunc(g.rows, m.rows, slices.Equal) })
		if i < 0 {
			all = append(all, m)
			continue
		}
		all[i].name += ", " + m.name
	}
	return all
}

// typeCount is a type and how many matrices have it.
type typeCount struct {
	name string
	n    int
}

// typeCounts lists the types in grids, that with the fewest bits first.
func typeCounts(grids []grid) []typeCount {
	counts := map[string]int{}
	for _, g := range grids {
		for _, row := range g.rows {
			for _, name := range row {
				counts[name] += len(strings.Split(g.name, ", "))
			}
		}
	}
	var all []typeCount
	for name, n := range counts {
		all = append(all, typeCount{name, n})
	}
	slices.SortFunc(all, func(a, b typeCount) int {
		return cmp.Or(cmp.Compare(typeBits(a.name), typeBits(b.name)), cmp.Compare(a.name, b.name))
	})
	return all
}

// typeBits is the first number in the name of a type: 4 for iq4_nl, 16 for bf16.
func typeBits(name string) int {
	from := strings.IndexAny(name, "0123456789")
	if from < 0 {
		return 1 << 20
	}
	to := from
	for to < len(name) && to < from+3 && name[to] >= '0' && name[to] <= '9' {
		to++
	}
	bits, _ := strconv.Atoi(name[from:to])
	return bits
}

func (c *Conversion) typeFigure() *Figure {
	grids := c.grids()
	counts := typeCounts(grids)
	if len(counts) == 0 || len(c.Experts) > 1<<16 {
		return nil
	}
	experts, layers := 0, len(c.Experts)
	for _, g := range grids {
		for _, row := range g.rows {
			experts = max(experts, len(row))
		}
	}
	// Colours far from each other, in the order of the types. The last ones of more types
	// than there are colours share one.
	var classes, names []string
	total := 0
	for _, t := range counts {
		total += t.n
	}
	class, others := map[string]int{}, 0
	for i, t := range counts {
		colour := len(ramp) / 2
		if n := min(len(counts), len(ramp)); n > 1 {
			colour = min(i, n-1) * (len(ramp) - 1) / (n - 1)
		}
		class[t.name] = colour
		if i >= len(ramp)-1 && len(counts) > len(ramp) {
			others += t.n
			continue
		}
		classes = append(classes, fmt.Sprintf("crisp r%d", colour))
		names = append(names, fmt.Sprintf("%s %.1f %%", svgShort(t.name, labelSize, 90), 100*float64(t.n)/float64(total)))
	}
	if others > 0 {
		classes = append(classes, fmt.Sprintf("crisp r%d", len(ramp)-1))
		names = append(names, fmt.Sprintf("%d others %.1f %%", len(counts)-len(names), 100*float64(others)/float64(total)))
	}
	const left, right = 60.0, figureWidth - 24
	d := &drawing{height: 100000}
	y := d.legends(left, right, classes, names)

	cell := min(max(math.Floor(220/float64(layers)), 3), 14)
	skip := (layers + mostTypeRows - 1) / mostTypeRows
	drawn := (layers + skip - 1) / skip
	for i := range grids {
		g := &grids[i]
		d.text("bold", left, y+22, g.name)
		y += 32
		g.draw(d, class, experts, skip, area{left, y, right - left, cell * float64(drawn)})
		free := math.Inf(-1)
		for j := 0; j < layers; j += skip {
			if at := y + cell*(float64(j/skip)+0.5) + 4; at-free >= 13 {
				d.text("small end", left-6, at, svgShort(fmt.Sprint(c.Experts[j].Layer), labelSize, left-8))
				free = at
			}
		}
		y += cell * float64(drawn)
	}
	d.text("", 8, 18, "layer")
	d.height = y + 44
	x := axis{from: left, to: right}
	x.linear(0, float64(experts), 8, true)
	x.horizontal(d, y, y, "expert")
	note := fmt.Sprintf("The type of every matrix of %s in %s; shares are of matrices, fewest bits first.", plural(experts, "expert"), plural(layers, "layer"))
	if skip > 1 {
		note += fmt.Sprintf(" Every %d. layer is drawn.", skip)
	}
	if experts > mostTypeColumns {
		note += " Of so many experts, some are not drawn."
	}
	return &Figure{Title: "Types of experts", Note: note, drawing: d}
}

// The most layers and experts of a grid that are drawn.
const (
	mostTypeRows    = 48
	mostTypeColumns = 320
)

// legends draws a legend of as many lines as it needs, and returns where it ends.
func (d *drawing) legends(left, right float64, classes, names []string) float64 {
	x, y := left, 18.0
	for i := range names {
		width := 28 + svgWidth(names[i], labelSize)
		if x+width > right && x > left {
			x, y = left, y+18
		}
		x = d.legend(x, y, classes[i:i+1], names[i:i+1])
	}
	return y
}

// draw draws the cells of every skip-th layer in a place.
func (g *grid) draw(d *drawing, class map[string]int, experts, skip int, in area) {
	colours := make([]*outline, len(ramp))
	for i := range colours {
		colours[i] = d.outline()
	}
	columns := min(experts, mostTypeColumns)
	width, height := in.width/float64(columns), in.height/float64((len(g.rows)+skip-1)/skip)
	for j := 0; j < len(g.rows); j += skip {
		row := g.rows[j]
		runs(columns, func(i int) int {
			if at := i * experts / columns; at < len(row) {
				return class[row[at]]
			}
			return -1
		}, func(colour, begin, end int) {
			if colour >= 0 {
				colours[colour].box(in.x+width*float64(begin), in.y+height*float64(j/skip), width*float64(end-begin), height)
			}
		})
	}
	for i, o := range colours {
		d.path(fmt.Sprintf("crisp r%d", i), o, "")
	}
	d.rect("frame", in.x, in.y, in.width, in.height, "")
}
