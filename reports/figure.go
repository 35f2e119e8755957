package reports

import "io"

// Figure is a drawing. It reads well in light, in dark and in print.
type Figure struct {
	Name  string // of its file, without an ending: pareto
	Title string
	Note  string // what is drawn, with units, in one or two sentences
}

// WriteSVG writes the figure as a file of its own.
func (f *Figure) WriteSVG(w io.Writer) error { return nil }

// Inline returns the figure as an element of an HTML page, with its title for those who
// do not see it.
func (f *Figure) Inline() string { return "" }

// Figures draws all that the results have something for.
func (c *Collection) Figures() []*Figure { return nil }
