package reports

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Figure is a drawing. It reads well in light, in dark and in print.
type Figure struct {
	Name  string // of its file, without an ending: pareto
	Title string
	Note  string // what is drawn, with units, in one or two sentences

	drawing *drawing // nil for none
}

// WriteSVG writes the figure as a file of its own.
func (f *Figure) WriteSVG(w io.Writer) error {
	const head = 34 // for the title
	d := f.content()
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 -%d %s %s" `,
		pixels(figureWidth), pixels(d.height+head), head, pixels(figureWidth), pixels(d.height+head))
	f.start(out, true)
	fmt.Fprintf(out, `<rect class="paper" x="0" y="-%d" width="%s" height="%s"/>`+"\n", head, pixels(figureWidth), pixels(d.height+head))
	fmt.Fprintf(out, `<text class="title" x="8" y="-12">%s</text>`+"\n", svgText(svgShort(f.Title, 15, figureWidth-16)))
	out.WriteString(d.String())
	out.WriteString("</svg>\n")
	return out.Flush()
}

// Inline returns the figure as an element of an HTML page, with its title for those who
// do not see it. Its style is in it. On narrow screens it is scrolled sideways.
func (f *Figure) Inline() string {
	d := f.content()
	var b strings.Builder
	fmt.Fprintf(&b, `<figure id="figure-%s"><div class="llada-scroll"><svg width="%s" height="%s" viewBox="0 0 %s %s" `,
		f.id(), pixels(figureWidth), pixels(d.height), pixels(figureWidth), pixels(d.height))
	f.start(&b, false)
	b.WriteString(d.String())
	fmt.Fprintf(&b, "</svg></div>\n<figcaption><b>%s</b> %s</figcaption></figure>\n", svgText(f.Title), svgText(f.Note))
	return b.String()
}

// start writes the rest of the start tag, and what comes before the drawing.
func (f *Figure) start(w io.Writer, alone bool) {
	id := f.id()
	fmt.Fprintf(w, `class="llada-fig" role="img" aria-labelledby="figure-%s-title figure-%s-note">`+"\n", id, id)
	fmt.Fprintf(w, `<title id="figure-%s-title">%s</title>`+"\n", id, svgText(f.Title))
	fmt.Fprintf(w, `<desc id="figure-%s-note">%s</desc>`+"\n", id, svgText(f.Note))
	fmt.Fprintf(w, "<style>\n%s</style>\n", figureStyle(alone))
}

func (f *Figure) content() *drawing {
	if f.drawing == nil {
		return &drawing{}
	}
	return f.drawing
}

// id is the name with nothing in it that ends a word of an attribute.
func (f *Figure) id() string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, f.Name)
}

// mostFigures is how many figures there are of one kind: the first ones, by the paths of
// the results.
const mostFigures = 8

// Figures draws all that the results have something for. The same results, in the same
// order, have the same figures. Of a kind there are eight at most, and the last one says
// how many more there would be.
func (c *Collection) Figures() []*Figure {
	var all []*Figure
	for _, kind := range []struct {
		name string
		draw func(*Collection) []*Figure
	}{
		{"pareto", (*Collection).paretoFigures},
		{"size-kld", (*Collection).divergenceFigures},
		{"phases", (*Collection).phaseFigures},
		{"limits", (*Collection).limitFigures},
		{"tpf", (*Collection).tpfFigures},
		{"experts", (*Collection).expertFigures},
		{"confusion", (*Collection).confusionFigures},
		{"expert-types", (*Collection).typeFigures},
	} {
		figures := kind.draw(c)
		if more := len(figures) - mostFigures; more > 0 {
			figures = figures[:mostFigures]
			figures[mostFigures-1].Note += fmt.Sprintf(" %s of this kind not drawn.", plural(more, "more figure"))
		}
		for i, f := range figures {
			f.Name = kind.name
			if i > 0 {
				f.Name += fmt.Sprintf("-%d", i+1)
			}
			all = append(all, f)
		}
	}
	if c.History != nil {
		all = append(all, c.History.Figures()...)
	}
	return all
}

// figureTitle adds to a title whose figure it is: the last part of a path, if there are others.
func figureTitle(title, whose string, others bool) string {
	if !others || whose == "" {
		return title
	}
	return title + ": " + svgShort(whose, 15, 300)
}
