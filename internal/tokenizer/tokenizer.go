// Package tokenizer turns text into the token ids of LLaDA2 models and back.
//
// A LLaDA2 vocabulary is byte-level BPE. Text becomes ids in five steps, the
// same that the Hugging Face tokenizers library takes:
//
//  1. Added tokens such as <|mask|> or <role> are cut out of the text, at each
//     place the longest one. They become their ids directly.
//  2. The rest is normalised, if the vocabulary asks for it (NFC or not at all).
//  3. The pre-tokenizer cuts it into pieces: words, single digits, runs of
//     punctuation, white space. No token crosses the border of a piece.
//  4. Each byte of a piece becomes one symbol of a 256-letter alphabet.
//  5. Neighbouring symbols are merged, the earliest learned pair first, until no
//     learned pair is left.
//
// Because every byte has a symbol, no text is unknown: without added tokens and
// normaliser, Decode(Encode(s), false) == s for all valid UTF-8. Bytes that are
// not UTF-8 go through the steps unchanged too, but Decode shows them as U+FFFD.
//
// # Sources
//
// [FromJSON] reads a Hugging Face checkpoint's tokenizer.json and
// tokenizer_config.json, [FromMetadata] the key-values of a GGUF file, and
// [Tokenizer.KeyValues] produces the latter. Both readers are strict. A tokenizer
// that does almost what its file says gives a model almost the right input, and
// nothing downstream can notice; so whatever a file asks for and this package
// does not do is an error that names the part.
//
// # Control tokens
//
// [Special] holds the ids that steer decoding. Ling-2.0 vocabularies look
// like LLaDA2's but have <|role_end|> at the id where LLaDA2 has <|mask|>, so
// these two are found by their text, never by number, and a vocabulary that
// lacks <|mask|> is refused.
//
// # Chat
//
// [RenderChat] writes a conversation in the LLaDA2 chat form, and
// [Tokenizer.EncodeChat] encodes it. As in the reference implementation, a
// message that contains the text of an added token is encoded with that token.
// [Tokenizer.EncodeChatPlain] is for messages that are not trusted: it encodes such
// text as ordinary characters.
//
// # Streams
//
// A character may span several tokens. [Decoder] takes ids as they come and gives
// back whole characters only.
//
// A Tokenizer does not change once made and may be used by many goroutines.
package tokenizer

import "unicode/utf8"

// Special holds the ids of the tokens that control decoding; -1 where the
// vocabulary has none. Mask is never -1.
type Special struct {
	BOS     int32 // start of text; LLaDA2 prompts do not contain it
	EOS     int32 // end of text: the answer and everything after it are done
	Pad     int32 // fills a row; LLaDA2 uses EOS
	Mask    int32 // a position still to be decoded
	RoleEnd int32 // ends a turn of the chat form
}

// kind says what a token is for, whatever format it came from.
type kind uint8

const (
	kindNone    kind = iota // no token has this id
	kindNormal              // spelled in the byte alphabet, made by merging
	kindControl             // an added token that steers the model: "special"
	kindUser                // an added token that is ordinary text
)

// A token is one entry of the vocabulary. Its id is its index.
type token struct {
	text       string // as the files spell it
	kind       kind
	normalized bool // added tokens: looked for after normalisation, not before
}

func (t token) added() bool { return t.kind == kindControl || t.kind == kindUser }

// A Tokenizer is a vocabulary with its rules. Use [FromJSON] or [FromMetadata]
// to make one.
type Tokenizer struct {
	tokens   []token
	pieces   []string // what each token decodes to
	bpe      bpe
	verbatim trie // added tokens to find in the text as given
	composed trie // added tokens to find in the normalised text
	nfc      bool
	special  Special
	template string
	chatErr  error // why EncodeChat refuses, or nil
}

// Special returns the ids of the control tokens.
func (t *Tokenizer) Special() Special { return t.special }

// Size returns one more than the highest id that has a token. A model's
// embedding may have more rows; those decode to nothing.
func (t *Tokenizer) Size() int { return len(t.tokens) }

// Encode returns the ids of text. Nothing is put before or after them. Text that
// spells an added token becomes that token.
func (t *Tokenizer) Encode(text string) []int32 {
	ids := make([]int32, 0, len(text)/3+1)
	t.verbatim.split(text, func(part string, id int32) {
		if id >= 0 {
			ids = append(ids, id)
			return
		}
		if t.nfc {
			part = composeNFC(part)
		}
		t.composed.split(part, func(part string, id int32) {
			if id >= 0 {
				ids = append(ids, id)
				return
			}
			ids = t.appendText(ids, part)
		})
	})
	return ids
}

// appendText appends the ids of text that is normalised and has no added tokens.
func (t *Tokenizer) appendText(ids []int32, text string) []int32 {
	for text != "" {
		n := pieceLen(text)
		ids = t.bpe.appendWord(ids, text[:n])
		text = text[n:]
	}
	return ids
}

// Decode returns the text of ids. With skipSpecial, control tokens such as
// <|role_end|> are left out; without, they appear as they are spelled. Ids
// without a token give nothing. Where the bytes are not UTF-8, each maximal part
// of a broken character becomes one U+FFFD (Unicode 15.0, section 3.9, "U+FFFD
// Substitution of Maximal Subparts"), which is also what Python's
// errors="replace" does.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	var b []byte
	for _, id := range ids {
		b = append(b, t.piece(id, skipSpecial)...)
	}
	return toValidUTF8(b)
}

// Piece returns the text of one token. It may be a part of a UTF-8 character.
// ok is false for ids without a token.
func (t *Tokenizer) Piece(id int32) (text string, ok bool) {
	if !t.has(id) {
		return "", false
	}
	return t.pieces[id], true
}

func (t *Tokenizer) has(id int32) bool {
	return id >= 0 && int(id) < len(t.tokens) && t.tokens[id].kind != kindNone
}

func (t *Tokenizer) piece(id int32, skipSpecial bool) string {
	if !t.has(id) || skipSpecial && t.tokens[id].kind == kindControl {
		return ""
	}
	return t.pieces[id]
}

// toValidUTF8 replaces what is not UTF-8. The standard library's functions do
// not count as wanted: strings.ToValidUTF8 gives one replacement for a whole run
// of broken characters, a range loop one for every byte.
func toValidUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	out := make([]byte, 0, len(b)+len(b)/2)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			// The maximal subpart is the longest start of b that more bytes
			// could have completed.
			for n < len(b) && !utf8.FullRune(b[:n+1]) {
				n++
			}
		}
		out = utf8.AppendRune(out, r)
		b = b[n:]
	}
	return string(out)
}
