package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// drawing is the elements of a figure, in pixels from the upper left corner. What is
// drawn outside of it is drawn at its edge, and what is no number at 0.
type drawing struct {
	strings.Builder
	height float64
}

// figureWidth is the width of all drawings.
const figureWidth = 720.0

func (d *drawing) x(v float64) string { return pixels(min(max(v, 0), figureWidth)) }
func (d *drawing) y(v float64) string { return pixels(min(max(v, 0), d.height)) }

// pixels formats a length with at most two decimals.
func pixels(v float64) string {
	if !drawable(v) {
		return "0"
	}
	text := strconv.FormatFloat(v, 'f', 2, 64)
	text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	if text == "-0" {
		return "0"
	}
	return text
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(d, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`+"\n", class, d.x(x1), d.y(y1), d.x(x2), d.y(y2))
}

// rect draws a rectangle with something of its own to tell about it, unless that is "".
func (d *drawing) rect(class string, x, y, width, height float64, about string) {
	left, top := min(max(x, 0), figureWidth), min(max(y, 0), d.height)
	right, bottom := min(max(x+width, left), figureWidth), min(max(y+height, top), d.height)
	fmt.Fprintf(d, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"`, class, pixels(left), pixels(top), pixels(right-left), pixels(bottom-top))
	d.end("rect", about)
}

func (d *drawing) circle(class string, x, y, r float64, about string) {
	fmt.Fprintf(d, `<circle class="%s" cx="%s" cy="%s" r="%s"`, class, d.x(x), d.y(y), pixels(r))
	d.end("circle", about)
}

// end ends an element, with a text that is shown where the pointer rests on it.
func (d *drawing) end(element, about string) {
	if about == "" {
		d.WriteString("/>\n")
		return
	}
	fmt.Fprintf(d, "><title>%s</title></%s>\n", svgText(about), element)
}

// path draws a path, unless there is nothing of it.
func (d *drawing) path(class string, o *outline, about string) {
	if o.Len() > 0 {
		fmt.Fprintf(d, `<path class="%s" d="%s"`, class, o.String())
		d.end("path", about)
	}
}

// text writes a line of text. The class says with which end of it x is: start, middle or
// end.
func (d *drawing) text(class string, x, y float64, text string) {
	fmt.Fprintf(d, `<text class="%s" x="%s" y="%s">%s</text>`+"\n", class, d.x(x), d.y(y), svgText(text))
}

// outline is the data of a path.
type outline struct {
	strings.Builder
	d *drawing
}

func (d *drawing) outline() *outline { return &outline{d: d} }

func (o *outline) move(x, y float64) { fmt.Fprintf(o, "M%s %s", o.d.x(x), o.d.y(y)) }
func (o *outline) to(x, y float64)   { fmt.Fprintf(o, "L%s %s", o.d.x(x), o.d.y(y)) }

// box adds a rectangle.
func (o *outline) box(x, y, width, height float64) {
	fmt.Fprintf(o, "M%s %sH%sV%sH%sZ", o.d.x(x), o.d.y(y), o.d.x(x+width), o.d.y(y+height), o.d.x(x))
}

// drawable says whether a number is one that figures show. Larger ones, which nothing has
// that is measured, would overflow in sums.
func drawable(v float64) bool { return math.Abs(v) <= 1e15 } // false for NaN

var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

// svgText makes any text one line of text of XML and of HTML, in an element or in an
// attribute with quotes. What changes the direction of what follows, and what XML does
// not allow, is shown as dots.
func svgText(text string) string {
	return xmlEscaper.Replace(svgLine(text))
}

func svgLine(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r&0xfffe == 0xfffe:
			return '·'
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}

// svgWidth estimates the width of a line of text in pixels, rather too wide than too
// narrow: which font draws it is not known.
func svgWidth(text string, size float64) float64 {
	var em float64
	for _, r := range text {
		switch {
		case strings.ContainsRune("ijl.,:;|!'()[]{} ft-/", r):
			em += 0.4
		case strings.ContainsRune("mwMW@%", r):
			em += 0.98
		case r >= 'A' && r <= 'Z':
			em += 0.72
		case r < 0x80:
			em += 0.63
		case unicode.Is(unicode.Mn, r):
		case r >= 0x1100:
			em++
		default:
			em += 0.68
		}
	}
	return em * size
}

// svgShort leaves out the middle of a text that is wider than it may be. Of names, the
// beginning and the end tell them apart.
func svgShort(text string, size, width float64) string {
	// Nothing of this many runes fits, whichever they are but for marks without a width.
	const most = 400
	runes := []rune(svgLine(text[:min(len(text), 1<<16)]))
	if len(runes) > most {
		runes = append(append(runes[:most/2:most/2], '…'), runes[len(runes)-most/2:]...)
	}
	if svgWidth(string(runes), size) <= width {
		return string(runes)
	}
	for keep := len(runes) - 1; keep > 1; keep-- {
		tail := runes[len(runes)-keep/2:]
		for len(tail) > 0 && unicode.Is(unicode.M, tail[0]) {
			tail = tail[1:]
		}
		if short := string(runes[:keep-keep/2]) + "…" + string(tail); svgWidth(short, size) <= width {
			return short
		}
	}
	return "…"
}
