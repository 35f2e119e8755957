package main

import (
	"fmt"
	"io"
	"strings"

	"lladakit/internal/tokenizer"
	"lladakit/runtime"
)

// show prints an answer as it comes into being. On a terminal the block that is
// being denoised stands in a region of its own below the finished text, redrawn
// at every step; elsewhere only finished text is printed, block by block.
type show struct {
	w       io.Writer
	m       *runtime.Model
	decoder *tokenizer.Decoder // nil without a vocabulary: ids are printed
	columns int                // of the terminal; 0 without one
	column  int                // where the finished text ends in its line
	region  int                // lines that the region has
	shown   int                // tokens of the answer that are printed
	ended   bool               // the turn is over: what follows is not printed
	block   int                // the block that the region shows
	tokens  []int32            // of it, without the prompt's
}

func newShow(w io.Writer, m *runtime.Model) *show {
	s := &show{w: w, m: m, block: -1}
	s.columns, _ = terminal(w)
	if m.Tokenizer != nil {
		s.decoder = m.Tokenizer.NewDecoder(true)
	}
	return s
}

// step is called after every denoising step.
func (s *show) step(step runtime.Step) {
	if step.Block != s.block {
		s.finishBlock()
		s.block = step.Block
	}
	s.tokens = append(s.tokens[:0], step.Tokens[step.Prompt:]...)
	if s.columns == 0 {
		return
	}
	s.clearRegion()
	var b strings.Builder
	for i, id := range s.tokens {
		switch {
		case id == s.m.MaskID:
			b.WriteString("\x1b[2m░\x1b[0m")
		case step.Wrote[step.Prompt+i]:
			b.WriteString("\x1b[1m" + s.piece(id) + "\x1b[0m")
		default:
			b.WriteString(s.piece(id))
		}
	}
	head := fmt.Sprintf("[block %d, step %d] ", step.Block, step.Step+1)
	plain := head
	for _, id := range s.tokens {
		if id == s.m.MaskID {
			plain += "░"
		} else {
			plain += s.piece(id)
		}
	}
	s.region = (width(plain)-1)/s.columns + 1
	fmt.Fprint(s.w, "\n\x1b[2m"+head+"\x1b[0m"+b.String())
}

// piece returns a token's text on one line.
func (s *show) piece(id int32) string {
	if s.decoder == nil {
		return fmt.Sprint(id, " ")
	}
	text := s.m.Tokenizer.Decode([]int32{id}, false)
	return printable(s.w, strings.NewReplacer("\n", "⏎", "\t", "→").Replace(text))
}

// clearRegion removes the region and puts the cursor behind the finished text.
func (s *show) clearRegion() {
	if s.region == 0 {
		return
	}
	fmt.Fprint(s.w, "\r"+strings.Repeat("\x1b[A", s.region-1)+"\x1b[J\x1b[A")
	if s.column > 0 {
		fmt.Fprintf(s.w, "\x1b[%dC", s.column)
	}
	s.region = 0
}

// finishBlock prints the text of the block that the region shows: its tokens
// are final, since a later one has begun.
func (s *show) finishBlock() {
	s.clearRegion()
	s.print(s.tokens)
	s.tokens = s.tokens[:0]
}

// end prints the rest of the answer, which the last block may exceed.
func (s *show) end(r *runtime.Result) {
	s.clearRegion()
	s.print(r.IDs[min(s.shown, len(r.IDs)):])
	fmt.Fprintln(s.w)
}

// print prints the next tokens of the answer, up to the end of the turn.
func (s *show) print(ids []int32) {
	s.shown += len(ids)
	if s.ended {
		return
	}
	turn := s.m.Turn(ids)
	s.ended = len(turn) < len(ids)
	text := ""
	if s.decoder == nil {
		for _, id := range turn {
			text += fmt.Sprint(id, " ")
		}
	} else {
		text = s.decoder.Write(turn...)
		if s.ended {
			text += s.decoder.Flush()
		}
	}
	text = printable(s.w, text)
	fmt.Fprint(s.w, text)
	if s.columns == 0 {
		return
	}
	if at := strings.LastIndexByte(text, '\n'); at >= 0 {
		s.column, text = 0, text[at+1:]
	}
	s.column = (s.column + width(text)) % s.columns
}
