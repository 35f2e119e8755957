package main

import (
	"fmt"
	"io"
	"time"
)

// progress draws how far a long piece of work is, on one line of a terminal and
// nowhere else.
type progress struct {
	w       io.Writer
	what    string
	started time.Time
	drawn   time.Time
	on      bool
}

func newProgress(w io.Writer, what string) *progress {
	_, on := terminal(w)
	return &progress{w: w, what: what, started: time.Now(), on: on}
}

// update draws done of total bytes, a few times a second.
func (p *progress) update(done, total int64) {
	if !p.on || total == 0 || time.Since(p.drawn) < 100*time.Millisecond {
		return
	}
	p.drawn = time.Now()
	elapsed := time.Since(p.started)
	left := time.Duration(float64(elapsed) * float64(total-done) / float64(max(done, 1)))
	fmt.Fprintf(p.w, "\r\x1b[K%s %5.1f %%  %s of %s  %s/s  %s left", p.what, 100*float64(done)/float64(total),
		size(uint64(done)), size(uint64(total)), size(uint64(float64(done)/elapsed.Seconds())), left.Round(time.Second))
}

// end removes the line.
func (p *progress) end() {
	if p.on {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
