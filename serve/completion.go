package serve

import (
	"encoding/json"
	"net/http"
	"slices"
)

// completion is POST /v1/completions.
func (s *Server) completion(x *exchange, r *http.Request) error {
	o, err := s.body(x, r)
	if err != nil {
		return err
	}
	q, err := s.completionQuery(o)
	if err != nil {
		return err
	}
	return s.answer(x, r, q, &form{id: "cmpl-", whole: "text_completion", chunk: "text_completion"})
}

// completionQuery reads a request for what follows a text. The text is taken as it is:
// what spells a special token is that token.
func (s *Server) completionQuery(o fieldSet) (*query, error) {
	if err := s.takeModel(o); err != nil {
		return nil, err
	}
	q := &query{}
	var err error
	if q.Prompt, err = s.takePrompt(o); err != nil {
		return nil, err
	}
	if err := checkPrompt(s.model, "prompt", q.Prompt); err != nil {
		return nil, err
	}
	if slices.Contains(q.Prompt, s.model.MaskID) {
		return nil, badRequest("prompt", "prompt has the mask token, which stands for what is to be found: use the field template for that")
	}
	return q, takeRest(o, s.model, q)
}

// takePrompt reads a text or a list of token ids, or a list of one of these.
func (s *Server) takePrompt(o fieldSet) ([]int32, error) {
	const name = "prompt"
	var prompts []json.RawMessage
	if json.Unmarshal(o[name], &prompts) == nil && len(prompts) > 0 && (prompts[0][0] == '"' || prompts[0][0] == '[') {
		if len(prompts) > 1 {
			return nil, badRequest(name, "prompt has %d prompts: send a request for each", len(prompts))
		}
		o[name] = prompts[0]
	}
	var text string
	raw := o[name]
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, badRequest(name, "prompt is missing")
	case json.Unmarshal(raw, &text) == nil:
		delete(o, name)
	default:
		var ids []int32
		if _, err := takeIDs(o, name, &ids); err != nil {
			return nil, badRequest(name, "prompt must be a string, a list of token ids, or a list of one of these, not %s", kindOf(raw))
		}
		if err := s.model.CheckIDs(ids); err != nil {
			return nil, badRequest(name, "prompt: %v", err)
		}
		return ids, nil
	}
	if s.model.Tokenizer == nil {
		return nil, badRequest(name, "the model has no vocabulary: prompt must be a list of token ids")
	}
	return s.model.Tokenizer.Encode(text), nil
}
