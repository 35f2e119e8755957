package tokenizer

import (
	"fmt"
	"slices"
	"strings"
)

// The names of the control tokens in LLaDA2 vocabularies.
const (
	nameBOS     = "<|startoftext|>"
	nameEOS     = "<|endoftext|>"
	nameMask    = "<|mask|>"
	nameRoleEnd = "<|role_end|>"
)

// editNames are control tokens of vocabularies for models that insert and delete
// tokens while they decode.
var editNames = []string{"<|delete|>", "<|insert|>", "<|split|>"}

// maxTokens bounds ids, so that a bad file cannot ask for a huge table. LLaDA2
// has 157184.
const maxTokens = 1 << 20

// A vocabulary is what both file formats say, before it is known to make sense.
type vocabulary struct {
	tokens   []token          // by id
	spelling map[string]int32 // the tokens that merges may speak of
	merges   [][2]string
	what     string // what the format calls the merges
	nfc      bool
	special  Special // complete but for RoleEnd
	template string
}

// put gives id to tok.
func (v *vocabulary) put(id int64, tok token) error {
	if id < 0 || id >= maxTokens {
		return fmt.Errorf("id %d of token %.80q is not between 0 and %d", id, tok.text, maxTokens-1)
	}
	if n := int(id) + 1; n > len(v.tokens) {
		v.tokens = append(v.tokens, make([]token, n-len(v.tokens))...)
	}
	if old := v.tokens[id]; old.kind != kindNone && old.text != tok.text {
		return fmt.Errorf("tokens %.80q and %.80q both have the id %d", old.text, tok.text, id)
	}
	v.tokens[id] = tok
	return nil
}

// find returns the id of a token by its text, or -1.
func (v *vocabulary) find(text string) int32 {
	for id, t := range v.tokens {
		if t.kind != kindNone && t.text == text {
			return int32(id)
		}
	}
	return -1
}

// tokenizer checks v and makes it usable.
func (v *vocabulary) tokenizer() (*Tokenizer, error) {
	if err := v.resolve(); err != nil {
		return nil, err
	}
	rules, err := newBPE(v.spelling, v.merges, v.what)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{
		tokens:   v.tokens,
		pieces:   make([]string, len(v.tokens)),
		bpe:      rules,
		nfc:      v.nfc,
		special:  v.special,
		template: v.template,
	}
	for id, tok := range t.tokens {
		switch {
		case !tok.added():
			t.pieces[id] = spelledBytes(tok.text)
			continue
		case !tok.normalized:
			t.verbatim.add(tok.text, int32(id))
		case v.nfc:
			t.composed.add(composeNFC(tok.text), int32(id))
		default:
			t.composed.add(tok.text, int32(id))
		}
		// Note: Hugging Face's decoder reads added tokens in the byte alphabet
		// too, which garbles those with characters outside ASCII. LLaDA2 has
		// none, and here they come out as they are.
		t.pieces[id] = tok.text
	}
	t.chatErr = t.checkChat()
	return t, nil
}

// resolve finds the control tokens and refuses vocabularies that are not
// LLaDA2's.
func (v *vocabulary) resolve() error {
	for _, name := range editNames {
		if v.find(name) >= 0 {
			return fmt.Errorf("LLaDA2.2 is not supported: the vocabulary has its control token %s", name)
		}
	}
	s := &v.special
	s.RoleEnd = v.find(nameRoleEnd)
	if s.Mask < 0 {
		return fmt.Errorf("the vocabulary has no %s token: it is not of a LLaDA2 model", nameMask)
	}
	if s.Mask == s.RoleEnd {
		return fmt.Errorf("%s has the id %d of the mask token: this is a Ling vocabulary, not LLaDA2's", nameRoleEnd, s.Mask)
	}
	if slices.Contains([]int32{s.BOS, s.EOS, s.Pad}, s.Mask) {
		return fmt.Errorf("the mask token has the id %d of another control token", s.Mask)
	}
	// Transformers makes every token that a checkpoint names as BOS, EOS and so
	// on an added token, and special, whatever tokenizer.json says about it.
	for _, id := range []int32{s.BOS, s.EOS, s.Pad, s.Mask, s.RoleEnd} {
		if id < 0 {
			continue
		}
		if int(id) >= len(v.tokens) || v.tokens[id].kind == kindNone {
			return fmt.Errorf("the id %d of a control token has no token", id)
		}
		v.tokens[id].kind = kindControl
	}
	return nil
}

// splitMerge reads the form "a b" of a merge.
func splitMerge(s string) (m [2]string, ok bool) {
	m[0], m[1], ok = strings.Cut(s, " ")
	return m, ok && m[0] != "" && m[1] != "" && !strings.Contains(m[1], " ")
}
