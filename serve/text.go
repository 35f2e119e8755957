package serve

import (
	"slices"

	"lladakit/internal/tokenizer"
	"lladakit/runtime"
)

// text makes the text of an answer of its tokens, as they become final: up to the end of
// the turn, or a stop.
type text struct {
	m       *runtime.Model
	decoder *tokenizer.Decoder // nil for a model without a vocabulary, whose text is empty
	stops   stops
	seen    int   // tokens
	bytes   int   // of the text, with what is held back or cut off
	out     int   // of those, how many were given out
	ends    []int // for every token before the end of the turn, bytes of the text after it
	turn    bool  // the turn is over
}

func newText(m *runtime.Model, texts []string) *text {
	t := &text{m: m, stops: newStops(texts)}
	if m.Tokenizer != nil {
		t.decoder = m.Tokenizer.NewDecoder(true)
	}
	return t
}

// over reports whether what follows is not of the answer.
func (t *text) over() bool { return t.turn || t.stops.cut }

// write takes the tokens of the answer that are final, of which it has seen a beginning,
// and returns what they add to the text.
func (t *text) write(ids []int32) (more string) {
	ids, t.seen = ids[t.seen:], len(ids)
	turn := t.m.Turn(ids)
	for _, id := range turn {
		if t.over() {
			return more
		}
		if t.decoder != nil {
			more += t.add(t.decoder.Write(id))
		}
		t.ends = append(t.ends, t.bytes)
	}
	if t.turn = t.turn || len(turn) < len(ids); t.turn {
		more += t.flush()
	}
	return more
}

// flush returns what was held back, at the end of the answer.
func (t *text) flush() (more string) {
	if t.decoder != nil {
		more = t.add(t.decoder.Flush())
	}
	held := t.stops.flush()
	t.out += len(held)
	return more + held
}

func (t *text) add(piece string) string {
	t.bytes += len(piece)
	more := t.stops.write(piece)
	t.out += len(more)
	return more
}

// tokens returns how many tokens the text up to its end takes.
func (t *text) tokens() int {
	if !t.stops.cut {
		return len(t.ends)
	}
	if t.out == 0 {
		return 0
	}
	n, _ := slices.BinarySearch(t.ends, t.out)
	return min(n+1, len(t.ends))
}
