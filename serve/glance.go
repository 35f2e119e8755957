package serve

import (
	"lladakit/internal/tokenizer"
	"lladakit/runtime"
)

// glance is a denoising step of an answer, in ids: texts are made of it by the reader,
// who may see one of many only, and not between two passes.
type glance struct {
	block, step, forwards int
	final                 bool
	before                []int32   // the last tokens before the block, which may have the beginning of a character
	ids                   []int32   // of the block; of masked positions, what the model would write
	prob                  []float32 // when the token was last looked at
	masked, wrote         []bool
}

// look takes note of a step of an answer to a prompt of so many tokens.
func (g *glance) look(s *runtime.Step, prompt int, o *runtime.Options) {
	lo, hi := s.Prompt, min(o.BlockLength, prompt+o.GenLength-s.Block*o.BlockLength)
	if block := s.Block - prompt/o.BlockLength; g.forwards == 0 || block != g.block {
		g.block = block
		g.prob = g.prob[:0]
		for range hi - lo {
			g.prob = append(g.prob, 1)
		}
	}
	g.step, g.forwards = s.Step+1, g.forwards+1
	g.ids, g.masked, g.wrote = g.ids[:0], g.masked[:0], g.wrote[:0]
	for i := lo; i < hi; i++ {
		edited := s.Edited != nil && s.Edited[i]
		if s.Masked[i] || edited {
			g.prob[i-lo] = s.Stats[i].Prob
		}
		id, masked := s.Tokens[i], s.Masked[i] && !s.Wrote[i]
		if masked {
			id = s.Stats[i].Token
		}
		g.ids, g.masked, g.wrote = append(g.ids, id), append(g.masked, masked), append(g.wrote, s.Wrote[i] || edited)
	}
}

// copyTo copies a glance into the memory of another one.
func (g *glance) copyTo(to *glance) {
	old := *to
	*to = *g
	to.before = append(old.before[:0], g.before...)
	to.ids = append(old.ids[:0], g.ids...)
	to.prob = append(old.prob[:0], g.prob...)
	to.masked = append(old.masked[:0], g.masked...)
	to.wrote = append(old.wrote[:0], g.wrote...)
}

// clients returns what clients see of it. Texts are empty without a vocabulary.
func (g *glance) clients(t *tokenizer.Tokenizer) *Step {
	s := &Step{Block: g.block, Step: g.step, Forwards: g.forwards, Final: g.final, Tokens: make([]Token, len(g.ids))}
	for i := range g.ids {
		s.Tokens[i] = Token{Prob: g.prob[i], Masked: g.masked[i], Wrote: g.wrote[i]}
	}
	if t == nil {
		return s
	}
	d := t.NewDecoder(false)
	if len(g.masked) > 0 && !g.masked[0] {
		d.Write(g.before...) // its first character may go on here
	}
	for i, id := range g.ids {
		s.Tokens[i].Text = d.Write(id)
		// A character may go on in the next token, but not from what is written into what is not.
		if i+1 == len(g.ids) || g.masked[i] != g.masked[i+1] {
			s.Tokens[i].Text += d.Flush()
		}
	}
	return s
}
