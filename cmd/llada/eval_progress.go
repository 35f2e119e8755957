package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"lladakit/eval"
	"lladakit/internal/stats"
)

// lifeSign is how often a run says how far it is where there is no terminal.
const lifeSign = 30 * time.Second

// evalProgress draws how far a run is, and what its accuracy is so far. Where there is no
// terminal it writes a line from time to time, also while no answer comes, so that a log
// shows life.
type evalProgress struct {
	out *output
	bar *progress

	mu      sync.Mutex
	last    eval.Progress
	started time.Time
	told    int // samples in the last line
	stop    chan struct{}
	done    sync.WaitGroup
}

func newEvalProgress(out *output) *evalProgress {
	p := &evalProgress{out: out, bar: newProgress(out, ""), started: time.Now(), told: -1, stop: make(chan struct{})}
	p.bar.unit = "samples"
	if !out.terminal() {
		p.done.Go(func() {
			tick := time.NewTicker(lifeSign)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					p.line()
				case <-p.stop:
					return
				}
			}
		})
	}
	return p
}

// update is told of every sample.
func (p *evalProgress) update(now eval.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = now
	p.bar.what = accuracies(&now)
	p.bar.items(now.Done-now.Kept, now.Total-now.Kept) // the rate is that of this session
}

// line writes how far the run is.
func (p *evalProgress) line() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := &p.last
	made, elapsed := now.Done-now.Kept, time.Since(p.started)
	text := fmt.Sprintf("%d of %d samples", now.Done, now.Total)
	if made > 0 {
		left := elapsed.Seconds() / float64(made) * float64(now.Total-now.Done)
		text += fmt.Sprintf(", %.3g a minute, %v left", float64(made)/elapsed.Minutes(), time.Duration(min(left, 1e9))*time.Second)
	}
	if now.Failed > 0 {
		text += fmt.Sprintf(", %d without an answer", now.Failed)
	}
	if made == p.told {
		text += fmt.Sprintf(", at work for %v", elapsed.Round(time.Second))
	}
	p.told = made
	if right := accuracies(now); right != "" {
		text += "; " + right
	}
	fmt.Fprintln(p.out, "llada:", text)
}

// end removes the bar.
func (p *evalProgress) end() {
	close(p.stop)
	p.done.Wait()
	p.bar.end()
}

// accuracies are those of tasks so far, with their 95 % intervals.
func accuracies(p *eval.Progress) string {
	var parts []string
	for _, t := range p.Tasks {
		if t.Done > 0 {
			low, high := stats.Wilson(t.Correct, t.Done)
			parts = append(parts, fmt.Sprintf("%s %.1f %% (%.1f to %.1f)", t.Task, 100*float64(t.Correct)/float64(t.Done), 100*low, 100*high))
		}
	}
	return strings.Join(parts, ", ")
}
