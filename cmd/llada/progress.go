package main

import (
	"fmt"
	"io"
	"time"

	"github.com/mattn/go-runewidth"
)

// progress draws how far a long piece of work is, on one line of a terminal and
// nowhere else.
type progress struct {
	out     *output
	what    string
	unit    string // of what is counted; empty for bytes
	started time.Time
	drawn   time.Time
}

func newProgress(out *output, what string) *progress {
	now := time.Now()
	return &progress{out: out, what: what, started: now, drawn: now}
}

// update draws done of total, a few times a second.
func (p *progress) update(done, total int64) {
	if !p.out.terminal() || total <= 0 || time.Since(p.drawn) < 100*time.Millisecond {
		return
	}
	p.drawn = time.Now()
	elapsed := p.drawn.Sub(p.started).Seconds()
	line := fmt.Sprintf("%s %5.1f %%", p.what, 100*float64(done)/float64(total))
	if done > 0 {
		left := min(elapsed*float64(total-done)/float64(done), 1e9)
		line += fmt.Sprintf("  %s left  %s of %s  %s/s", time.Duration(left)*time.Second,
			p.amount(float64(done)), p.amount(float64(total)), p.amount(float64(done)/elapsed))
	}
	// A line that fills the row, or more than it, could not be replaced.
	io.WriteString(p.out, "\r\x1b[K"+runewidth.Truncate(line, p.out.columns-1, ""))
}

// items is update for counts of few things.
func (p *progress) items(done, total int) { p.update(int64(done), int64(total)) }

// amount formats a number of what is counted.
func (p *progress) amount(n float64) string {
	if p.unit == "" {
		return size(uint64(n))
	}
	return fmt.Sprintf("%.3g %s", n, p.unit)
}

// end removes the line.
func (p *progress) end() {
	if p.out.terminal() {
		io.WriteString(p.out, "\r\x1b[K")
	}
}
