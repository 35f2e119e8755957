package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"lladakit/runtime"
)

// trace writes every decision of a generation to a file: one JSON object a line
// for each denoising step.
//
// Note: the file has its name from the start, unlike others that llada writes. A
// trace is of use while it grows, and after an interrupt all its lines are whole.
type trace struct {
	file *os.File
	mask int32              // id of the mask token
	err  error              // the first one
	stop context.CancelFunc // ends the generation after an error
}

// traceStep is one line. Its lists have an entry for every position of the block.
type traceStep struct {
	Block  int           `json:"block"`  // counted from position 0
	Step   int           `json:"step"`   // of the block, from 0
	Prompt int           `json:"prompt"` // how many positions of the block belong to the prompt
	Tokens []int32       `json:"tokens"` // after the step; the mask's id where nothing is decided
	Wrote  []bool        `json:"wrote"`  // whether this step decided it
	Stats  []*prediction `json:"stats"`  // null where there was no mask before the step
}

// prediction is runtime's statistics of one position.
type prediction struct {
	Token   int32   `json:"token"`   // the candidate
	Prob    float32 `json:"prob"`    // its probability
	Second  float32 `json:"second"`  // the probability of the next most probable one
	Entropy float32 `json:"entropy"` // of the whole distribution, in nats
}

// createTrace creates the file, which must be none of the inputs.
func createTrace(path string, inputs []string, mask int32, stop context.CancelFunc) (*trace, error) {
	if to, err := os.Stat(path); err == nil {
		for _, input := range inputs {
			if from, err := os.Stat(input); err == nil && os.SameFile(from, to) {
				return nil, usagef("--trace: %s is read, and would be overwritten", path)
			}
		}
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &trace{file: file, mask: mask, stop: stop}, nil
}

// step writes one line.
func (t *trace) step(s runtime.Step) {
	if t.err != nil {
		return
	}
	line := traceStep{s.Block, s.Step, s.Prompt, s.Tokens, s.Wrote, make([]*prediction, len(s.Tokens))}
	for i, id := range s.Tokens {
		if s.Wrote[i] || id == t.mask {
			p := prediction(s.Stats[i])
			line.Stats[i] = &p
		}
	}
	data, err := json.Marshal(line)
	if err != nil {
		t.err = fmt.Errorf("%s: block %d, step %d: the model's probabilities are not finite", t.file.Name(), s.Block, s.Step)
	} else if _, err := t.file.Write(append(data, '\n')); err != nil {
		t.err = err
	}
	if t.err != nil {
		t.stop()
	}
}

// close returns the first error of all that was written.
func (t *trace) close() error {
	if err := t.file.Close(); t.err == nil {
		t.err = err
	}
	return t.err
}
