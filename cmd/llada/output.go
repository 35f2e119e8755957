package main

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// output is a stream that a command writes to. It remembers the first error, so
// that what prints need not look: run reports it, and a full disk or a closed
// pipe is never taken for success.
type output struct {
	w       io.Writer
	columns int // of the terminal; 0 without one
	rows    int
	err     error
	failed  func() // called once, at the first error; may be nil
}

// newOutput looks whether w is a terminal.
func newOutput(w io.Writer, failed func()) *output {
	o := &output{w: w, failed: failed}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return o
	}
	var err error
	o.columns, o.rows, err = term.GetSize(int(f.Fd()))
	if err != nil || o.columns < 1 || o.rows < 1 {
		o.columns, o.rows = 80, 24 // a serial line may not know
	}
	return o
}

func (o *output) terminal() bool { return o.columns > 0 }

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(p)
	if err != nil {
		o.err = err
		if o.failed != nil {
			o.failed()
		}
	}
	return n, err
}

// printable returns text for o: on a terminal, control characters of a model's
// text could do more than be shown.
func (o *output) printable(text string) string {
	if !o.terminal() {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return '·'
		}
		return r
	}, text)
}
