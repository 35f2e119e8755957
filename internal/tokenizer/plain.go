package tokenizer

import "strings"

// EncodePlain is [Tokenizer.Encode] for a text that must not steer the model: what spells
// a control token, or a mark of the chat form, is encoded as ordinary characters, which
// a model reads but does not obey. Decode gives the same text for both.
func (t *Tokenizer) EncodePlain(text string) []int32 {
	ids := make([]int32, 0, len(text)/3+1)
	var run strings.Builder // of ordinary characters, up to the next token
	flush := func() {
		if run.Len() > 0 {
			ids = t.appendText(ids, run.String())
			run.Reset()
		}
	}
	find := func(part string, id int32) {
		if id >= 0 && !t.steers(id) {
			flush()
			ids = append(ids, id)
			return
		}
		run.WriteString(part)
	}
	t.verbatim.split(text, func(part string, id int32) {
		if id >= 0 {
			find(part, id)
			return
		}
		if t.nfc {
			part = composeNFC(part)
		}
		t.composed.split(part, find)
	})
	flush()
	return ids
}

// EncodeChatPlain is [Tokenizer.EncodeChat] for messages of people who must not leave
// their turn: the contents are encoded by [Tokenizer.EncodePlain]. Where none of them
// spells a control token, the ids are the same.
func (t *Tokenizer) EncodeChatPlain(messages []Message) ([]int32, error) {
	steered := false
	for _, m := range messages {
		steered = steered || t.spells(m.Content)
	}
	if !steered || t.chatErr != nil {
		return t.EncodeChat(messages)
	}
	var ids []int32
	var run strings.Builder
	err := renderChat(messages, func(text string, mark bool) {
		if !mark {
			run.WriteString(text)
			return
		}
		ids = append(ids, t.EncodePlain(run.String())...)
		run.Reset()
		ids = append(ids, t.Encode(text)...)
	})
	return ids, err
}

// spells reports whether text has a token that steers.
func (t *Tokenizer) spells(text string) bool {
	for _, id := range t.Encode(text) {
		if t.steers(id) {
			return true
		}
	}
	return false
}

// steers reports whether a token controls decoding or divides the turns of a chat,
// whatever the vocabulary says it is for.
func (t *Tokenizer) steers(id int32) bool {
	token := t.tokens[id]
	return token.kind == kindControl || token.kind == kindUser && strings.Contains(token.text, "role")
}
