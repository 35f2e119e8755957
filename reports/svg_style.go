package reports

import (
	"fmt"
	"strings"
)

// shade is a colour on light and on dark paper.
type shade struct{ light, dark string }

// Colours are told apart by those who do not see all of them (after Okabe and Ito), have
// a contrast of 4.5 to the paper at least, and are never all that tells. The n-th from 1
// is class fn of areas and texts, and sn of lines.
//
// Note: they are written out rather than as custom properties, which programs that draw
// SVG and are no browsers take for black.
var shades = []shade{
	{"#00639c", "#5cb3ee"},
	{"#b54700", "#ff9a5c"},
	{"#00745a", "#4fd1a5"},
	{"#93386f", "#eba3cd"},
	{"#7d5a00", "#e5c04b"},
	{"#5f6670", "#a9b0ba"},
}

// ramp is from little to much. Its lightness grows with every step, so that it is one in
// print as well. The n-th from 0 is class rn.
var ramp = []string{"#46307e", "#3d4e8a", "#2f6b8e", "#238a8d", "#20a585", "#49c16d", "#8fd744", "#dfe318"}

const (
	paperLight, paperDark = "#ffffff", "#15181d"
	inkLight, inkDark     = "#1a1d21", "#e4e7eb"
)

// figureStyle are the rules of all figures. They hold for elements of class llada-fig
// only, so that they may stand in a page many times. The ink is the page's own, unless
// the figure is a file of its own.
func figureStyle(alone bool) string {
	var b, dark strings.Builder
	rule := func(b *strings.Builder, selector, declarations string) {
		fmt.Fprintf(b, ".llada-fig%s{%s}\n", selector, declarations)
	}
	rule(&b, "", "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;font-size:12px")
	if alone {
		rule(&b, "", "color:"+inkLight)
		rule(&b, " .paper", "fill:"+paperLight)
		rule(&dark, "", "color:"+inkDark)
		rule(&dark, " .paper", "fill:"+paperDark)
	} else {
		// Text keeps its size: what is too wide for a screen is scrolled, and for paper made
		// smaller.
		rule(&b, "", "display:block;width:720px;height:auto")
		b.WriteString(".llada-scroll{overflow-x:auto}\n@media print{.llada-fig{width:100%}}\n")
	}
	for _, r := range []struct{ selector, declarations string }{
		{" text", "fill:currentColor"},
		{" .middle", "text-anchor:middle"},
		{" .end", "text-anchor:end"},
		{" .title", "font-size:15px;font-weight:600"},
		{" .bold", "font-weight:600"},
		{" .small", "font-size:11px"},
		{" .soft", "fill-opacity:.75"},
		{" .axis", "stroke:currentColor;stroke-opacity:.6"},
		{" .grid", "stroke:currentColor;stroke-opacity:.14"},
		{" .lead", "stroke:currentColor;stroke-opacity:.4"},
		{" .frame", "fill:none;stroke:currentColor;stroke-opacity:.4"},
		{" .zone", "fill:currentColor;fill-opacity:.13"},
		{" .dash", "stroke-dasharray:4 3"},
		{" .line", "fill:none;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round"},
		{" .bar", "stroke-width:1.2;stroke-opacity:.6"},
		{" .crisp", "shape-rendering:crispEdges"}, // no seams between cells
		{" .open", "fill:none;stroke-width:1.6"},
	} {
		rule(&b, r.selector, r.declarations)
	}
	for i, s := range shades {
		for _, part := range []struct{ class, property string }{{"f", "fill"}, {"s", "stroke"}} {
			selector := fmt.Sprintf(" .%s%d", part.class, i+1)
			rule(&b, selector, part.property+":"+s.light)
			rule(&dark, selector, part.property+":"+s.dark)
		}
	}
	for i, colour := range ramp {
		rule(&b, fmt.Sprintf(" .r%d", i), "fill:"+colour)
	}
	rule(&b, " text.on", "fill:"+paperLight)
	rule(&dark, " text.on", "fill:"+paperDark)
	return b.String() + "@media screen and (prefers-color-scheme:dark){\n" + dark.String() + "}\n"
}
