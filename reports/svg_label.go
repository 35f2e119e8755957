package reports

import "slices"

// area is a rectangle.
type area struct{ x, y, width, height float64 }

func (a area) meets(b area) bool {
	return a.x < b.x+b.width && b.x < a.x+a.width && a.y < b.y+b.height && b.y < a.y+a.height
}

// within says whether all of a is in b.
func (a area) within(b area) bool {
	return a.x >= b.x && a.y >= b.y && a.x+a.width <= b.x+b.width && a.y+a.height <= b.y+b.height
}

// pointNames puts names beside points so that they cover neither each other nor a point, and
// lines only where there is no other place.
type pointNames struct {
	room  area
	taken []area // by points and names
	lines []area
}

// labelSize is the size of the names of points in pixels.
const labelSize = 11.0

// take keeps names off an area.
func (l *pointNames) take(a area) { l.taken = append(l.taken, a) }

// cross keeps names off a line across or down, if there is another place.
func (l *pointNames) cross(x1, y1, x2, y2 float64) {
	l.lines = append(l.lines, area{min(x1, x2) - 1, min(y1, y2) - 1, max(x1, x2) - min(x1, x2) + 2, max(y1, y2) - min(y1, y2) + 2})
}

// place draws a name beside the point, the nearer the better, and says whether there was
// room for it.
func (l *pointNames) place(d *drawing, class string, x, y float64, name string) bool {
	return l.try(d, class, x, y, name, l.lines) || l.try(d, class, x, y, name, nil)
}

func (l *pointNames) try(d *drawing, class string, x, y float64, name string, lines []area) bool {
	width, height := svgWidth(name, labelSize), labelSize+2.0
	if class == "bold" {
		width *= 1.1
	}
	for _, far := range []float64{0, 12, 26, 42} {
		for _, corner := range []struct{ left, up float64 }{
			{x + 8 + far, y - height/2},                 // right
			{x - 8 - far - width, y - height/2},         // left
			{x - width/2, y - 8 - far - height},         // above
			{x - width/2, y + 8 + far},                  // below
			{x + 6 + far, y - 6 - far - height},         // and the corners
			{x + 6 + far, y + 6 + far},                  //
			{x - 6 - far - width, y - 6 - far - height}, //
			{x - 6 - far - width, y + 6 + far},          //
		} {
			box := area{corner.left, corner.up, width, height}
			if !box.within(l.room) || slices.ContainsFunc(l.taken, box.meets) || slices.ContainsFunc(lines, box.meets) {
				continue
			}
			if far > 0 {
				// The nearest point of the name, so that it is seen whose it is.
				d.line("lead", x, y, min(max(x, box.x), box.x+width), min(max(y, box.y), box.y+height))
			}
			d.text("small "+class, box.x, box.y+labelSize-1, name)
			l.take(box)
			return true
		}
	}
	return false
}
