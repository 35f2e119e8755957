package tokenizer

import "unicode/utf8"

// A Decoder decodes a stream of ids. It holds back the bytes of a character that
// is not complete yet, so what it returns can be shown at once and never has to
// be taken back. All that Write and then Flush return, put together, equals
// [Tokenizer.Decode] of all ids.
//
// A Decoder must not be used by several goroutines at a time.
type Decoder struct {
	t           *Tokenizer
	skipSpecial bool
	tail        []byte // the start of a character, at most three bytes
}

// NewDecoder returns a Decoder with nothing held back. skipSpecial is as in
// [Tokenizer.Decode].
func (t *Tokenizer) NewDecoder(skipSpecial bool) *Decoder {
	return &Decoder{t: t, skipSpecial: skipSpecial}
}

// Write takes the next ids and returns the characters they complete, perhaps
// none.
func (d *Decoder) Write(ids ...int32) string {
	b := d.tail
	for _, id := range ids {
		b = append(b, d.t.piece(id, d.skipSpecial)...)
	}
	whole := len(b) - incompleteTail(b)
	out := toValidUTF8(b[:whole])
	d.tail = append(b[:0], b[whole:]...)
	return out
}

// Flush ends the stream: it returns U+FFFD if a character is incomplete, and ""
// otherwise. The Decoder can then be used for a new stream.
func (d *Decoder) Flush() string {
	out := toValidUTF8(d.tail)
	d.tail = d.tail[:0]
	return out
}

// incompleteTail returns how many bytes at the end of b start a character that
// further bytes may complete.
func incompleteTail(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if last := b[len(b)-n:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}
