package serve

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"lladakit/runtime"
)

// Request asks an Engine for an answer.
type Request struct {
	Prompt  []int32
	Options runtime.Options // without OnStep and PromptCache, which are the engine's

	// Stop has texts that end the answer before the first of them, which is the one
	// that is complete first, and the longest of those. None is empty. They are looked
	// for in blocks that are finished, so that they never change what is written.
	Stop []string

	// Steps asks for events of denoising steps.
	Steps bool
}

// Bounds of a request. A long block needs buffers for all of its rows, twice, and with
// sampling a row of logits for each; 128 positions are four times what models are
// trained with.
const (
	maxBlock     = 128
	maxStops     = 16
	maxStopBytes = 1024
)

// check reports what is wrong with a request.
func (r *Request) check(m *runtime.Model) error {
	o := &r.Options
	if err := m.Check(o, len(r.Prompt)); err != nil {
		return err
	}
	if err := m.CheckIDs(r.Prompt); err != nil {
		return err
	}
	if err := m.CheckIDs(o.Template); err != nil {
		return err
	}
	switch {
	case o.Profile == runtime.Reference:
		return errors.New("the reference profile computes the whole window at every step, which would hold up other answers: use exact, which gives the same tokens")
	case o.Audit > 0:
		return errors.New("an audit computes whole windows, which would hold up other answers: leave it out")
	case o.BlockLength > maxBlock:
		return fmt.Errorf("block length %d is above the %d that are served", o.BlockLength, maxBlock)
	case len(r.Stop) > maxStops:
		return fmt.Errorf("%d stop texts are more than %d", len(r.Stop), maxStops)
	case len(r.Stop) > 0 && m.Tokenizer == nil:
		return errors.New("stop texts need a vocabulary, which the model has not")
	}
	for i, stop := range r.Stop {
		switch {
		case stop == "":
			return fmt.Errorf("stop text %d is empty", i+1)
		case len(stop) > maxStopBytes:
			return fmt.Errorf("stop text %d has more than %d bytes", i+1, maxStopBytes)
		case !utf8.ValidString(stop):
			return fmt.Errorf("stop text %d is not valid UTF-8", i+1)
		}
	}
	return nil
}

// clone returns the request with its own slices.
func (r Request) clone() Request {
	r.Prompt, r.Stop = slices.Clone(r.Prompt), slices.Clone(r.Stop)
	r.Options.Template = slices.Clone(r.Options.Template)
	return r
}

// positions returns how many positions of keys and values the answer takes: those of
// the prompt and of the longest answer, and what KVKeep copies.
func (r *Request) positions() int {
	n := len(r.Prompt) + r.Options.GenLength
	return n + int(math.Ceil(r.Options.KVKeep*float64(n)))
}
