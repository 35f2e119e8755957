package main

import (
	"fmt"
	"io"
	"strings"

	"lladakit/internal/tokenizer"
	"lladakit/runtime"
)

// show prints an answer, and with step as it comes into being: on a terminal the
// block that is being denoised stands in a region below the finished text,
// elsewhere the text comes block by block. Without a vocabulary it prints ids.
type show struct {
	out     *output
	m       *runtime.Model
	region  *region            // nil without a terminal
	decoder *tokenizer.Decoder // nil without a vocabulary
	shown   int                // tokens of the answer that are printed
	ended   bool               // the turn is over: what follows is not printed
	newline bool               // what is printed ends with one
	block   int                // the block that is being denoised
	tokens  []int32            // of it, without the prompt's
}

func newShow(out *output, m *runtime.Model) *show {
	s := &show{out: out, m: m, block: -1}
	if out.terminal() {
		s.region = &region{w: out, columns: out.columns, rows: out.rows}
	}
	if m.Tokenizer != nil {
		s.decoder = m.Tokenizer.NewDecoder(true)
	}
	return s
}

// step is called after every denoising step.
func (s *show) step(step runtime.Step) {
	if step.Block != s.block { // the one before is final
		s.print(s.text(s.tokens))
		s.block = step.Block
	}
	s.tokens = append(s.tokens[:0], step.Tokens[step.Prompt:]...)
	if s.region != nil {
		head := span{"2", fmt.Sprintf("[block %d, step %d] ", step.Block, step.Step+1)}
		s.region.draw(append([]span{head}, s.spans(step.Wrote[step.Prompt:])...))
	}
}

// spans shows the block's tokens: masks and ends dim, new ones bold.
func (s *show) spans(wrote []bool) []span {
	var spans []span
	var d *tokenizer.Decoder
	if s.decoder != nil {
		d = s.m.Tokenizer.NewDecoder(false)
	}
	for i, id := range s.tokens {
		text, style := "", ""
		if wrote[i] {
			style = "1"
		}
		switch {
		case id == s.m.MaskID:
			text, style = "░", "2"
		case id == s.m.EOSID: // which often fills the rest of a block
			text, style = "∎", "2"
		case d == nil:
			text = fmt.Sprint(id, " ")
		default: // a character that goes on in the next token is shown there
			text = d.Write(id)
			if i+1 == len(s.tokens) || s.tokens[i+1] == s.m.MaskID || s.tokens[i+1] == s.m.EOSID {
				text += d.Flush()
			}
		}
		spans = append(spans, span{style, s.oneLine(text)})
	}
	return spans
}

var visible = strings.NewReplacer("\n", "⏎", "\t", "→")

func (s *show) oneLine(text string) string { return s.out.printable(visible.Replace(text)) }

// end prints the rest of the answer, which the last block may exceed.
func (s *show) end(r *runtime.Result) {
	text := s.text(r.IDs[min(s.shown, len(r.IDs)):])
	if s.decoder != nil && !s.ended {
		text += s.decoder.Flush()
	}
	s.print(text)
	if !s.newline && len(r.IDs) > 0 {
		s.print("\n")
	}
}

// text returns what the next tokens of the answer add to it.
func (s *show) text(ids []int32) string {
	first := s.shown == 0
	s.shown += len(ids)
	switch {
	case len(ids) == 0 || s.ended:
		return ""
	case s.decoder == nil && first:
		return joinIDs(ids)
	case s.decoder == nil:
		return "," + joinIDs(ids)
	}
	turn := s.m.Turn(ids)
	text := s.decoder.Write(turn...)
	if s.ended = len(turn) < len(ids); s.ended {
		text += s.decoder.Flush()
	}
	return text
}

// print prints finished text.
func (s *show) print(text string) {
	if text != "" {
		s.newline = strings.HasSuffix(text, "\n")
	}
	if s.region != nil {
		s.region.print(s.out.printable(text))
	} else {
		io.WriteString(s.out, text)
	}
}
