package reports

import (
	"cmp"
	"slices"
)

// scatter is points with intervals in both directions. More is better, unless less is.
type scatter struct {
	points []scatterPoint
	x, y   axisOptions
	titleX string
	titleY string
	lessX  bool
	lessY  bool
}

// scatterPoint is one point.
type scatterPoint struct {
	name        string // beside it
	about       string // where the pointer rests on it
	x, y        float64
	left, right float64 // of the interval of x
	low, high   float64 // of that of y
	special     bool    // has a shape of its own

	front bool
}

// mostPoints bounds the points of a figure. If there are more than mostNames, those of the
// front alone have names.
const (
	mostPoints = 500
	mostNames  = 40
)

// mark finds the front: the points to which no other is better in one and as good in the
// other.
func (s *scatter) mark() {
	for i := range s.points {
		p := &s.points[i]
		p.front = !slices.ContainsFunc(s.points, func(o scatterPoint) bool {
			dx, dy := o.x-p.x, o.y-p.y
			if s.lessX {
				dx = -dx
			}
			if s.lessY {
				dy = -dy
			}
			return dx >= 0 && dy >= 0 && (dx > 0 || dy > 0)
		})
	}
}

// draw draws all points, which must be drawable, and returns nil if there are none. It
// says of how many there was no room for the name.
func (s *scatter) draw() (d *drawing, nameless int) {
	if len(s.points) == 0 {
		return nil, 0
	}
	s.points = s.points[:min(len(s.points), mostPoints)]
	s.mark()
	d = &drawing{height: 400}
	const left, right, top, bottom = 60.0, figureWidth - 24, 34.0, 352.0
	var xs, ys []float64
	for _, p := range s.points {
		xs = append(xs, p.x, p.left, p.right)
		ys = append(ys, p.y, p.low, p.high)
	}
	s.x.count = 7
	x, y := newAxis(xs, left, right, s.x), newAxis(ys, bottom, top, s.y)
	x.horizontal(d, top, bottom, s.titleX)
	y.vertical(d, left, right, s.titleY)

	names := pointNames{room: area{left, top - 8, right - left + 16, bottom - top + 8}}
	s.drawFront(d, &names, &x, &y)
	for _, p := range s.points {
		if p.right > p.left {
			d.line("bar "+p.colour("s"), x.at(p.left), y.at(p.y), x.at(p.right), y.at(p.y))
			names.cross(x.at(p.left), y.at(p.y), x.at(p.right), y.at(p.y))
		}
		if p.high > p.low {
			d.line("bar "+p.colour("s"), x.at(p.x), y.at(p.low), x.at(p.x), y.at(p.high))
			names.cross(x.at(p.x), y.at(p.low), x.at(p.x), y.at(p.high))
		}
	}
	for _, p := range s.points {
		px, py := x.at(p.x), y.at(p.y)
		names.take(area{px - 5, py - 5, 10, 10})
		switch {
		case p.special:
			o := d.outline()
			o.move(px, py-7)
			o.to(px+7, py)
			o.to(px, py+7)
			o.to(px-7, py)
			o.WriteString("Z")
			if p.front {
				d.path(p.colour("f"), o, p.about)
			} else {
				d.path("open "+p.colour("s"), o, p.about)
			}
		case p.front:
			d.circle(p.colour("f"), px, py, 4.5, p.about)
		default:
			d.circle("open "+p.colour("s"), px, py, 4, p.about)
		}
	}
	// Those of the front are named first.
	order := slices.Clone(s.points)
	slices.SortStableFunc(order, func(a, b scatterPoint) int {
		rank := func(p scatterPoint) int {
			switch {
			case p.special:
				return 0
			case p.front:
				return 1
			}
			return 2
		}
		return cmp.Compare(rank(a), rank(b))
	})
	for i, p := range order {
		name := svgShort(p.name, labelSize, 190)
		class := "soft"
		if p.front {
			class = "bold"
		}
		if len(order) > mostNames && (i >= mostNames || !p.front && !p.special) || !names.place(d, class, x.at(p.x), y.at(p.y), name) {
			nameless++
		}
	}
	return d, nameless
}

func (p *scatterPoint) colour(of string) string {
	if p.front {
		return of + "1"
	}
	return of + "6"
}

// drawFront draws steps: what lies below them, something of the front is as good as.
func (s *scatter) drawFront(d *drawing, names *pointNames, x, y *axis) {
	var front []scatterPoint
	for _, p := range s.points {
		if p.front {
			front = append(front, p)
		}
	}
	if len(front) < 2 {
		return
	}
	slices.SortStableFunc(front, func(a, b scatterPoint) int { return cmp.Compare(a.x, b.x) })
	o := d.outline()
	for i, p := range front {
		px, py := x.at(p.x), y.at(p.y)
		if i == 0 {
			o.move(px, py)
			continue
		}
		beforeX, beforeY := x.at(front[i-1].x), y.at(front[i-1].y)
		cornerX, cornerY := beforeX, py
		if s.lessX {
			cornerX, cornerY = px, beforeY // the smaller one is all that there is up to here
		}
		o.to(cornerX, cornerY)
		o.to(px, py)
		names.cross(beforeX, beforeY, cornerX, cornerY)
		names.cross(cornerX, cornerY, px, py)
	}
	d.path("line dash s1", o, "")
}
