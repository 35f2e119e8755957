package eval

import (
	"context"
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"lladakit/eval/sandbox"
	"lladakit/reports"
)

// Classes of errors of samples. Those of programs are their statuses.
const (
	errorGeneration = "generation" // there is no answer
	errorNone       = "no answer"  // nothing was found in it
	errorWrong      = "wrong"
)

// mostText bounds an answer, in bytes. A sample has it once and, for code, once for each of
// four extractors, and a byte takes up to six in JSON: with its tokens, the line is one that
// reports.ReadSamples reads.
const mostText = 256 << 10

// plusMemory bounds programs with results that another one computes, as in EvalPlus.
const plusMemory = 4 << 30

// expectPatience is how much more time than a program the one may take that computes what it
// needs: nobody's answer depends on it, and on a busy machine it must not end the run.
const expectPatience = 10

// judge turns answers into samples. It may be used by several goroutines.
type judge struct {
	executor Executor

	mu       sync.Mutex
	expected map[[sha256.Size]byte]*expected
}

// expected is what a Program.Expect prints.
type expected struct {
	mu     sync.Mutex
	known  bool
	output []byte
}

func newJudge(e Executor) *judge {
	return &judge{executor: e, expected: map[[sha256.Size]byte]*expected{}}
}

// sample judges the answer to an item. An error means that there is no verdict.
func (j *judge) sample(ctx context.Context, it *item, a *Answer) (*reports.Sample, error) {
	s := it.sample
	s.Text, s.IDs, s.Finish = a.Text, a.IDs, a.Finish
	s.PromptTokens, s.Tokens, s.Prefill, s.Denoise, s.Commit = a.PromptTokens, a.Tokens, a.Prefill, a.Denoise, a.Commit
	s.Timings.Prefill, s.Timings.Decode = milliseconds(a.PrefillTime), milliseconds(a.DecodeTime)
	s.Extractions = []reports.Extraction{}
	err := a.Err
	if err == nil && len(a.Text) > mostText {
		err = fmt.Errorf("an answer of %d bytes is longer than %d", len(a.Text), mostText)
	}
	if err != nil {
		s.Text, s.IDs = "", nil
		s.Finish, s.Error, s.Message = "error", errorGeneration, oneLine(err.Error())
		return &s, nil
	}
	start := time.Now()
	found := it.task.Judge(it.record, a.Text)
	s.Gold = found.Gold
	verdicts := map[Program]sandbox.Verdict{}
	for i := range found.Extractions {
		x := &found.Extractions[i]
		y := reports.Extraction{Extractor: x.Extractor, Value: x.Value, Layer: x.Layer, Correct: x.Correct}
		if x.Program != nil {
			v, ok := verdicts[*x.Program]
			if !ok {
				var err error
				if v, err = j.run(ctx, x.Program); err != nil {
					return nil, fmt.Errorf("%s: %w", it.record.ID, err)
				}
				verdicts[*x.Program] = v
			}
			y.Correct, y.Status = v.Status == sandbox.Passed, string(v.Status)
			if i == 0 && !y.Correct {
				s.Message = oneLine(v.Message)
			}
		}
		s.Extractions = append(s.Extractions, y)
	}
	s.Correct, s.Error = classify(s.Extractions)
	s.Timings.Judge = milliseconds(time.Since(start))
	return &s, nil
}

// classify returns the verdict of the extraction that counts, and the class of its error.
func classify(all []reports.Extraction) (correct bool, class string) {
	switch {
	case len(all) == 0:
		return false, errorNone
	case all[0].Correct:
		return true, ""
	case all[0].Status != "" && all[0].Value != "":
		return false, all[0].Status
	case all[0].Value == "":
		return false, errorNone
	}
	return false, errorWrong
}

// run runs a program, and before it, if nobody has yet, the one that computes what it needs.
func (j *judge) run(ctx context.Context, p *Program) (sandbox.Verdict, error) {
	if j.executor == nil {
		return sandbox.Verdict{}, sandbox.ErrUnavailable
	}
	q := sandbox.Program{Source: p.Source, Time: time.Duration(p.Seconds * float64(time.Second))}
	if p.Expect != "" {
		var err error
		if q.Input, err = j.expect(ctx, p); err != nil {
			return sandbox.Verdict{}, err
		}
		q.Memory = plusMemory
	}
	return j.executor.Run(ctx, q)
}

// expect returns what a program's Expect prints, which is run once.
func (j *judge) expect(ctx context.Context, p *Program) ([]byte, error) {
	key := sha256.Sum256([]byte(p.Expect))
	j.mu.Lock()
	e := j.expected[key]
	if e == nil {
		e = new(expected)
		j.expected[key] = e
	}
	j.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known {
		return e.output, nil
	}
	v, err := j.executor.Run(ctx, sandbox.Program{
		Source: p.Expect, Time: expectPatience * time.Duration(p.Seconds*float64(time.Second)), Memory: plusMemory, Output: MaxExpect,
	})
	switch {
	case err != nil:
		return nil, err
	case v.Status != sandbox.Passed:
		return nil, fmt.Errorf("the canonical solution did not compute the right results: %s: %s", v.Status, oneLine(v.Message))
	case len(v.Output) >= MaxExpect:
		return nil, fmt.Errorf("the right results have more than %d bytes", MaxExpect)
	}
	e.known, e.output = true, []byte(v.Output)
	return e.output, nil
}

// address is where an object happens to be, which differs from run to run.
var address = regexp.MustCompile(`0x[0-9a-fA-F]{6,}`)

// oneLine returns a message for a sample: short, and the same in every run.
func oneLine(text string) string {
	const most = 300
	if len(text) > 2*most {
		text = text[:2*most]
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "�")), " ")
	text = address.ReplaceAllString(text, "0x…")
	if len(text) <= most {
		return text
	}
	end := most
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
