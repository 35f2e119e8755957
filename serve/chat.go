package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"lladakit/internal/tokenizer"
)

// mostMessages bounds a conversation.
const mostMessages = 4096

// chat is POST /v1/chat/completions.
func (s *Server) chat(x *exchange, r *http.Request) error {
	o, err := s.body(x, r)
	if err != nil {
		return err
	}
	q, err := s.chatQuery(o)
	if err != nil {
		return err
	}
	return s.answer(x, r, q, &form{id: "chatcmpl-", whole: "chat.completion", chunk: "chat.completion.chunk", chat: true})
}

// chatQuery reads a request for the next turn of a conversation.
func (s *Server) chatQuery(o fieldSet) (*query, error) {
	if err := s.takeModel(o); err != nil {
		return nil, err
	}
	messages, err := takeMessages(o)
	if err != nil {
		return nil, err
	}
	if s.model.Tokenizer == nil {
		return nil, badRequest("messages", "the model has no vocabulary: ask /v1/completions with token ids")
	}
	q := &query{}
	if q.Prompt, err = s.model.Tokenizer.EncodeChatPlain(messages); err != nil {
		return nil, badRequest("messages", "messages: %v", err)
	}
	if err := checkPrompt(s.model, "messages", q.Prompt); err != nil {
		return nil, err
	}
	return q, takeRest(o, s.model, q)
}

// roles are those of the chat form by their names in requests.
var roles = map[string]string{"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}

// takeMessages reads the turns so far.
func takeMessages(o fieldSet) ([]tokenizer.Message, error) {
	var list []fieldSet
	given, err := take(o, "messages", &list)
	switch {
	case err != nil:
		return nil, err
	case !given || len(list) == 0:
		return nil, badRequest("messages", "messages is missing, or empty")
	case len(list) > mostMessages:
		return nil, badRequest("messages", "messages has %d turns, and can have %d at most", len(list), mostMessages)
	}
	messages := make([]tokenizer.Message, len(list))
	for i, turn := range list {
		if messages[i], err = takeMessage(turn, fmt.Sprintf("messages[%d]", i)); err != nil {
			return nil, err
		}
	}
	return messages, nil
}

// takeMessage reads one turn; at is where it is.
func takeMessage(o fieldSet, at string) (m tokenizer.Message, err error) {
	if o == nil {
		return m, badRequest(at, "%s must be an object, not null", at)
	}
	var role, ignored string
	if _, err := take(o, "role", &role); err != nil {
		return m, within(at, err)
	}
	if m.Role = roles[role]; m.Role == "" {
		return m, badRequest(at+".role", "%s.role %.40q is not one of system, developer, user, assistant", at, role)
	}
	content, given := o["content"]
	delete(o, "content")
	if !given || string(content) == "null" {
		if m.Role != "assistant" { // whose turns may have had something else
			return m, badRequest(at+".content", "%s.content is missing", at)
		}
	} else if m.Content, err = contentText(content, at+".content"); err != nil {
		return m, err
	}
	if _, err := take(o, "name", &ignored); err != nil {
		return m, within(at, err)
	}
	for _, empty := range []string{"tool_calls", "annotations"} { // of an answer that is sent back
		if string(o[empty]) == "[]" {
			delete(o, empty)
		}
	}
	return m, o.none(at + ".")
}

// within puts where a field is before an error about it.
func within(at string, err error) error {
	if e, ok := err.(*apiError); ok {
		e.Param, e.Message = at+"."+e.Param, at+"."+e.Message
	}
	return err
}

// contentText reads the text of a turn: a string, or a list of parts that are texts.
func contentText(raw json.RawMessage, at string) (string, error) {
	var whole string
	if json.Unmarshal(raw, &whole) == nil {
		return whole, nil
	}
	var parts []fieldSet
	if json.Unmarshal(raw, &parts) != nil {
		return "", badRequest(at, "%s must be a string or a list of parts", at)
	}
	var b strings.Builder
	for i, part := range parts {
		at := fmt.Sprintf("%s[%d]", at, i)
		var kind, text string
		if _, err := take(part, "type", &kind); err != nil {
			return "", within(at, err)
		}
		if kind != "text" {
			return "", badRequest(at+".type", "%s.type %.40q is not supported, only text is", at, kind)
		}
		given, err := take(part, "text", &text)
		if err != nil {
			return "", within(at, err)
		}
		if !given {
			return "", badRequest(at+".text", "%s.text is missing", at)
		}
		if err := part.none(at + "."); err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}
