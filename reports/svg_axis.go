package reports

import (
	"math"
	"strconv"
	"strings"
)

// axis maps values to pixels.
type axis struct {
	low, high float64 // of its range; logarithms if log is set
	log       bool
	from, to  float64 // pixels
	ticks     []tick
}

type tick struct {
	at   float64 // pixel
	text string
}

// axisOptions say what an axis is to be like. The zero value fits the values.
type axisOptions struct {
	zero  bool    // it begins at 0
	whole bool    // its ticks are whole numbers
	wide  bool    // it is logarithmic if the values, all of them positive, are a hundred times apart
	most  float64 // where it ends at the latest, whatever room there would be behind the values; 0: nowhere
	loose bool    // there is some room beside the values
	count int     // about how many ticks it has; 0: 5
}

// newAxis makes an axis from pixel from to pixel to that has all the values.
func newAxis(values []float64, from, to float64, opt axisOptions) axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if drawable(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high { // there is none
		low, high = 0, 1
	}
	count := opt.count
	if count == 0 {
		count = 5
	}
	a := axis{from: from, to: to}
	if opt.wide && low >= 1e-15 && high/low >= 100 {
		a.log = true
		a.logarithmic(low, high)
		return a
	}
	if opt.zero {
		low, high = min(low, 0), max(high, 0)
	}
	if size := max(math.Abs(low), math.Abs(high)); size < 1e-15 {
		low, high = 0, 0 // their differences have no logarithm
	} else if high-low < 1e-9*size {
		high = low
	}
	if high == low {
		room := math.Abs(low) / 10
		if room == 0 {
			room = 1
		}
		if low != 0 { // below which nothing can be
			low -= room
		}
		high += room
	} else if opt.loose {
		room := (high - low) * 0.08
		if low != 0 {
			low = max(low-room, min(low, 0)) // no room beyond 0, where nothing can be
		}
		high += room
	}
	if opt.most != 0 && high > opt.most {
		high = max(opt.most, maxDrawable(values))
	}
	a.linear(low, high, count, opt.whole)
	return a
}

func maxDrawable(values []float64) float64 {
	most := math.Inf(-1)
	for _, v := range values {
		if drawable(v) {
			most = max(most, v)
		}
	}
	return most
}

// linear has ticks at 1, 2 or 5 times a power of ten.
func (a *axis) linear(low, high float64, count int, whole bool) {
	a.low, a.high = low, high
	rough := (high - low) / float64(count)
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	step := 10 * power
	for _, factor := range []float64{1, 2, 5} {
		if factor*power >= rough*0.999 {
			step = factor * power
			break
		}
	}
	if whole {
		step = max(step, 1)
	}
	first := math.Ceil(low/step - 1e-9)
	for i := 0; i <= 4*count; i++ {
		v := (first + float64(i)) * step
		if v > high+step*1e-9 {
			break
		}
		a.ticks = append(a.ticks, tick{a.at(v), tickText(v, step)})
	}
}

// logarithmic ends at powers of ten, and has ticks at them and, if there are few, between.
func (a *axis) logarithmic(low, high float64) {
	a.low, a.high = math.Floor(math.Log10(low)+1e-9), math.Ceil(math.Log10(high)-1e-9)
	decades := int(a.high - a.low)
	every := (decades + 5) / 6
	for i := 0; i <= decades; i += every {
		power := math.Pow(10, a.low+float64(i))
		a.ticks = append(a.ticks, tick{a.at(power), tickText(power, power)})
	}
}

// tickText has as many decimals as the step between ticks needs.
func tickText(v, step float64) string {
	if math.Abs(v) < step*1e-6 {
		return "0"
	}
	if size := math.Abs(v); size >= 1e6 || size < 1e-4 {
		text := strconv.FormatFloat(v, 'g', 4, 64)
		text = strings.NewReplacer("e+0", "e", "e+", "e", "e-0", "e-").Replace(text)
		return text
	}
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	return strconv.FormatFloat(v, 'f', min(decimals, 6), 64)
}

// at returns the pixel of a value. What is beyond the ends of the axis is at its ends.
func (a *axis) at(v float64) float64 {
	if a.log {
		if !(v > 0) {
			return a.from
		}
		v = math.Log10(v)
	}
	if !(a.high > a.low) || math.IsNaN(v) {
		return a.from
	}
	return a.from + min(max((v-a.low)/(a.high-a.low), 0), 1)*(a.to-a.from)
}

// horizontal draws the axis at the lower end of a plot, whose upper end is top. The
// title tells the unit.
func (a *axis) horizontal(d *drawing, top, bottom float64, title string) {
	for _, t := range a.ticks {
		d.line("grid", t.at, top, t.at, bottom)
		d.line("axis", t.at, bottom, t.at, bottom+4)
	}
	a.numbers(d, bottom+16)
	d.line("axis", a.from, bottom, a.to, bottom)
	d.text("end", a.to, bottom+34, title)
}

// numbers writes what there is room for of a horizontal axis's ticks.
func (a *axis) numbers(d *drawing, y float64) {
	free := math.Inf(-1)
	for _, t := range a.ticks {
		half := svgWidth(t.text, labelSize) / 2
		if at := min(max(t.at, half), figureWidth-half); at-half > free {
			d.text("small middle", at, y, t.text)
			free = at + half + 4
		}
	}
}

// vertical draws the axis at the left end of a plot, with its title above.
func (a *axis) vertical(d *drawing, left, right float64, title string) {
	for _, t := range a.ticks {
		d.line("grid", left, t.at, right, t.at)
		d.text("small end", left-6, t.at+4, t.text)
	}
	d.line("axis", left, a.from, left, a.to)
	d.text("", 8, min(a.from, a.to)-12, title)
}
