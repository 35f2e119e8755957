package eval

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// answer asks for one answer.
func (e *Endpoint) answer(ctx context.Context, r Request) Answer {
	a := Answer{Request: r}
	body, err := e.request(r)
	if err != nil {
		a.Err = err
		return a
	}
	data, contentType, took, err := e.post(ctx, body)
	if err != nil {
		a.Err = err
		return a
	}
	a.DecodeTime = took
	a.Err = e.read(&a, data, contentType)
	return a
}

// request returns the JSON that asks for an answer.
func (e *Endpoint) request(r Request) ([]byte, error) {
	p := r.Prompt
	v := map[string]any{}
	for name, raw := range e.extra {
		v[name] = raw
	}
	v["model"] = e.opt.Model
	v["max_tokens"] = r.GenLength
	v["temperature"] = e.opt.Temperature
	v["stream"] = false
	if e.opt.TopP > 0 {
		v["top_p"] = e.opt.TopP
	}
	if e.opt.Temperature > 0 {
		// Servers read seeds as numbers of 32 or 64 bits with and without sign, and some
		// take all ones for a random one: 31 bits mean the same everywhere.
		v["seed"] = (r.Seed ^ r.Seed>>32) & math.MaxInt32
	}
	if len(p.Stops) > 0 {
		v["stop"] = p.Stops
	}
	prefix := e.prefix(p)
	switch {
	case r.GenLength <= 0:
		return nil, e.failf(ofAll, "%d tokens were to be asked for", r.GenLength)
	case e.opt.API == "completions" && len(p.Messages) > 0:
		return nil, e.failf(ofAll, "completions take plain text, and the prompts are messages; take chat, or a task of plain text")
	case e.opt.API == "completions":
		v["prompt"] = p.Text + prefix
	case len(p.Messages) == 0:
		return nil, e.failf(ofAll, "a chat takes messages, and the prompts are plain text; take completions, or a task of messages")
	case prefix != "":
		v["messages"] = append(slices.Clone(p.Messages), Message{Role: "assistant", Content: prefix})
		// vLLM and SGLang; llama-server continues the assistant's message anyway.
		v["continue_final_message"] = true
		v["add_generation_prompt"] = false
	default:
		v["messages"] = p.Messages
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, e.failf(ofAll, "%v", err)
	}
	return body, nil
}

func (e *Endpoint) prefix(p Prompt) string {
	if e.opt.PrefixMode == "none" {
		return ""
	}
	return p.Prefix
}

// response is what servers answer, of both interfaces. Other fields, among them what
// reasoning models thought before their answers, are left out.
type response struct {
	Object  string          `json:"object"`
	Error   json.RawMessage `json:"error"`
	Choices []choice        `json:"choices"`
	Usage   json.RawMessage `json:"usage"`
	Timings json.RawMessage `json:"timings"`
}

type choice struct {
	Message *struct {
		Content json.RawMessage `json:"content"` // a string, null, or parts
	} `json:"message"`
	Text         *string `json:"text"`
	FinishReason string  `json:"finish_reason"`
	StopReason   any     `json:"stop_reason"`  // of vLLM: the stop, the end token's id, or null
	MatchedStop  any     `json:"matched_stop"` // the same of SGLang
}

// read fills an answer from the body of a server's.
func (e *Endpoint) read(a *Answer, body []byte, contentType string) error {
	var c response
	if err := json.Unmarshal(body, &c); err != nil {
		said := e.clean(string(body))
		if said == "" {
			return e.failf(ofAnswer, "the answer is empty (%s)", e.clean(contentType))
		}
		return e.failf(ofAnswer, "the answer is no completion (%s): %q", e.clean(contentType), said)
	}
	switch {
	case c.Object == "error" || len(c.Error) > 0 && string(c.Error) != "null":
		return e.failf(ofAnswer, "status 200 with an error: %q", e.said(body))
	case len(c.Choices) == 0:
		return e.failf(ofAnswer, "the answer has no choices: %q", e.clean(string(body)))
	}
	ch := &c.Choices[0]
	written, ok := ch.text()
	if !ok {
		return e.failf(ofAnswer, "the answer has no text: %q", e.clean(string(body)))
	}
	a.readUsage(c.Usage)
	a.readTimings(c.Timings)
	finish, ok := ch.finish(a)
	if !ok {
		return e.failf(ofAnswer, "the answer ended for the reason %q", e.clean(ch.FinishReason))
	}

	// Servers leave stops out, but not all know all of them.
	prefix := e.prefix(a.Prompt)
	rest := withoutPrefix(written, prefix)
	if before, found := cutStops(rest, a.Prompt.Stops); found {
		rest, finish = before, "stop"
	}
	a.Text, a.Finish = prefix+rest, finish
	return nil
}

// text returns what the model wrote.
func (c *choice) text() (string, bool) {
	if c.Text != nil {
		return *c.Text, true
	}
	if c.Message == nil {
		return "", false
	}
	raw := c.Message.Content
	if len(raw) == 0 { // as null: a reasoning model that has not come to its answer
		return "", true
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, true
	}
	var parts []struct{ Type, Text string }
	if json.Unmarshal(raw, &parts) != nil {
		return "", false
	}
	for _, p := range parts {
		if p.Type == "text" {
			text += p.Text
		}
	}
	return text, true
}

// finish returns why the answer ended, in our terms. A server's "stop" is the end token
// or a stop; where there were stops and it does not say which, it is called stop.
// ik_llama.cpp's server says so of truncated answers too: as truncation must not go
// unseen, an answer of full length is called truncated unless its end is told apart.
func (c *choice) finish(a *Answer) (string, bool) {
	switch c.FinishReason {
	case "length", "max_tokens":
		return "length", true
	case "stop_sequence":
		return "stop", true
	case "eos", "eos_token":
		return "eos", true
	case "", "stop":
	default: // content_filter, tool_calls, abort, error
		return "", false
	}
	for _, reason := range []any{c.StopReason, c.MatchedStop} {
		switch r := reason.(type) {
		case string:
			if slices.Contains(a.Prompt.Stops, r) {
				return "stop", true
			}
			return "eos", true
		case float64:
			return "eos", true
		}
	}
	switch {
	case a.Tokens >= a.GenLength:
		return "length", true
	case len(a.Prompt.Stops) > 0:
		return "stop", true
	}
	return "eos", true
}

// readUsage takes the numbers of tokens, which not all servers give.
func (a *Answer) readUsage(raw json.RawMessage) {
	var u struct {
		Prompt     uint32 `json:"prompt_tokens"`
		Completion uint32 `json:"completion_tokens"` // thoughts included
	}
	if json.Unmarshal(raw, &u) == nil {
		a.PromptTokens, a.Tokens = int(u.Prompt), int(u.Completion)
	}
}

// readTimings takes those that llama-server gives instead of the time of the request.
func (a *Answer) readTimings(raw json.RawMessage) {
	var t struct {
		Prompt  float64 `json:"prompt_ms"`
		Predict float64 `json:"predicted_ms"`
	}
	if json.Unmarshal(raw, &t) != nil || t.Prompt <= 0 || t.Predict <= 0 {
		return
	}
	const ms = float64(time.Millisecond)
	if (t.Prompt+t.Predict)*ms <= float64(a.DecodeTime) {
		a.PrefillTime, a.DecodeTime = time.Duration(t.Prompt*ms), time.Duration(t.Predict*ms)
	}
}

// withoutPrefix returns the text after the prefix, which some servers repeat, maybe
// without the white space at its end.
func withoutPrefix(text, prefix string) string {
	core := strings.TrimRightFunc(prefix, unicode.IsSpace)
	if core == "" || !strings.HasPrefix(text, core) {
		return text
	}
	return strings.TrimPrefix(text[len(core):], prefix[len(core):])
}

// readModels returns the names of a server's models and what it says about one of them:
// who has it, how many parameters, and the bytes of its weights.
func readModels(body []byte, model string) (names []string, description string, size uint64) {
	type entry struct {
		ID      string `json:"id"`
		OwnedBy string `json:"owned_by"`
		Meta    *struct {
			Params uint64 `json:"n_params"`
			Size   uint64 `json:"size"`
		} `json:"meta"` // of llama-server
	}
	var list struct {
		Data []entry `json:"data"`
	}
	if json.Unmarshal(body, &list) != nil {
		return nil, "", 0
	}
	ours := entry{}
	for _, m := range list.Data {
		names = append(names, m.ID)
		// A server of one model answers for any name.
		if m.ID == model || len(list.Data) == 1 {
			ours = m
		}
	}
	description = ours.OwnedBy
	if ours.Meta != nil {
		size = ours.Meta.Size
		if n := ours.Meta.Params; n > 0 {
			description = strings.TrimPrefix(fmt.Sprintf("%s, %d parameters", description, n), ", ")
		}
	}
	return names, description, size
}

// printable returns the first 200 bytes of a text in one line of printable characters.
func printable(text string) string {
	const most = 200
	text = text[:min(len(text), 4*most)]
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= most {
		return text
	}
	text = text[:most]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + "…"
}
