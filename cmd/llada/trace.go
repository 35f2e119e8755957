package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"lladakit/kernels"
	"lladakit/reports"
	"lladakit/runtime"
)

// trace writes every decision of a generation to a file, as package reports
// describes; compressed if its name ends in .gz.
//
// Note: the file has its name from the start, unlike others that llada writes. A
// trace is of use while it grows, and after an interrupt all its lines are whole.
type trace struct {
	file      *os.File
	w         *reports.TraceWriter
	m         *runtime.Model
	confusion runtime.Confusion
	masked    []kernels.Stats
	err       error              // the first one
	stop      context.CancelFunc // ends the generation after an error
}

// createTrace creates the file, which must be none of the inputs, and writes its first
// line.
func createTrace(path string, inputs []string, m *runtime.Model, prompt []int32, opt *runtime.Options, stop context.CancelFunc) (*trace, error) {
	if to, err := os.Stat(path); err == nil {
		for _, input := range inputs {
			if from, err := os.Stat(input); err == nil && os.SameFile(from, to) {
				return nil, usagef("--trace: %s is read, and would be overwritten", path)
			}
		}
	}
	settings, err := json.Marshal(opt)
	if err != nil {
		return nil, err
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	t := &trace{file: file, w: reports.NewTraceWriter(file, strings.HasSuffix(path, ".gz")), m: m, stop: stop}
	version, commit := build()
	header := &reports.TraceHeader{
		Trace: reports.TraceVersion, Program: strings.TrimSpace("llada " + version + " " + commit), Model: m.Paths()[0], Type: m.FileType(),
		Kernels: kernels.Implementation(), Threads: m.Threads(), Class: string(opt.Class()),
		Mask: m.MaskID, EOS: m.EOSID, Block: opt.BlockLength, PromptIDs: prompt, Settings: settings,
	}
	if m.Tokenizer != nil {
		header.Prompt = m.Tokenizer.Decode(prompt, false)
	}
	t.write(header)
	return t, nil
}

// write writes a line, or stops the generation.
func (t *trace) write(line any) {
	if t.err != nil {
		return
	}
	if t.err = t.w.Write(line); t.err != nil {
		t.stop()
	}
}

// step writes the line of a step.
func (t *trace) step(s runtime.Step) {
	if t.err != nil {
		return
	}
	line := &reports.TraceStep{
		Block: s.Block, Step: s.Step, Prompt: s.Prompt, Tokens: s.Tokens, Wrote: s.Wrote, Edited: s.Edited,
		Stats: make([]*reports.TracePrediction, len(s.Tokens)), Experts: s.Cost.Experts,
		MS: reports.TraceTime{
			Attention: milliseconds(s.Cost.Attention), FFN: milliseconds(s.Cost.FFN),
			Head: milliseconds(s.Cost.Head), Total: milliseconds(s.Cost.Total),
		},
	}
	t.masked = t.masked[:0]
	for i := range s.Tokens {
		if !s.Masked[i] && (s.Edited == nil || !s.Edited[i]) {
			continue
		}
		p := s.Stats[i]
		if !finite(p.Prob) || !finite(p.Second) || !finite(p.Entropy) {
			t.err = fmt.Errorf("%s: block %d, step %d: the model's probabilities are not finite", t.file.Name(), s.Block, s.Step)
			t.stop()
			return
		}
		if s.Masked[i] {
			t.masked = append(t.masked, p)
		}
		line.Stats[i] = &reports.TracePrediction{Token: p.Token, Prob: p.Prob, Second: p.Second, Entropy: p.Entropy}
		if t.m.Tokenizer != nil {
			line.Stats[i].Text, _ = t.m.Tokenizer.Piece(p.Token)
		}
	}
	if len(t.masked) > 0 {
		u := t.confusion.Measure(s.Block, s.Step, t.masked)
		line.Entropy, line.Margin, line.Change, line.Zone = u.Entropy, u.Margin, u.Change, u.Zone
	}
	t.write(line)
}

// finite reports whether JSON has a number for x.
func finite(x float32) bool { return x-x == 0 }

// end writes the last line and closes the file. It returns the first error of all that
// was written.
func (t *trace) end(r *runtime.Result, failed error) error {
	if r != nil {
		line := &reports.TraceEnd{End: r.Finish, IDs: r.IDs, Text: t.m.Text(r.IDs)}
		if failed != nil {
			line.Error = failed.Error()
		}
		t.write(line)
	}
	for _, err := range []error{t.w.Close(), t.file.Close()} {
		if t.err == nil {
			t.err = err
		}
	}
	return t.err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
