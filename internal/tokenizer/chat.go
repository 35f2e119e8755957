package tokenizer

import (
	"errors"
	"fmt"
	"strings"
)

// Message is one turn of a conversation. Role is "system", "user" or
// "assistant".
type Message struct {
	Role, Content string
}

// The marks of the chat form. There is no white space around them.
const (
	markSystem    = "<role>SYSTEM</role>"
	markHuman     = "<role>HUMAN</role>"
	markAssistant = "<role>ASSISTANT</role>"

	// thinkingOff is part of every prompt. LLaDA2 is not trained for the "on"
	// of its relatives Ling and Ring.
	thinkingOff = "detailed thinking off"
)

// RenderChat returns messages in the LLaDA2 chat form, with the start of an
// assistant turn at the end for the model to continue. It follows the template in
// LLaDA2.1's tokenizer_config.json:
//
//   - The text begins with a system turn, whether messages does or not. It is the
//     content of a first system message and a line feed, if there is one, and
//     then "detailed thinking off".
//   - Each turn is its role, its content, and <|role_end|>. Nothing is trimmed.
//   - An assistant turn's reasoning, which is what it has up to </think>, is left
//     out, unless the turn comes after the last question. A question is a user
//     message that is not a <tool_response>.
//
// It is an error if there are no messages or one has another role; tools are not
// supported.
func RenderChat(messages []Message) (string, error) {
	var b strings.Builder
	if err := renderChat(messages, func(text string, _ bool) { b.WriteString(text) }); err != nil {
		return "", err
	}
	return b.String(), nil
}

// renderChat calls add with the parts of the text, and whether they are marks of the
// form. The last one is.
func renderChat(messages []Message, add func(text string, mark bool)) error {
	if len(messages) == 0 {
		return errors.New("chat: no messages")
	}
	add(markSystem, true)
	if messages[0].Role == "system" {
		add(messages[0].Content+"\n", false)
	}
	add(thinkingOff, false)
	add(nameRoleEnd, true)

	question := lastQuestion(messages)
	for i, m := range messages {
		switch m.Role {
		case "system":
			if i == 0 {
				continue
			}
			add(markSystem, true)
			add(m.Content, false)
		case "user":
			add(markHuman, true)
			add(m.Content, false)
		case "assistant":
			add(markAssistant, true)
			reasoning, answer := splitReasoning(m.Content)
			if reasoning != "" && i > question {
				add("\n<think>\n"+reasoning+"\n</think>\n\n", false) // which are ordinary tokens
			}
			add(answer, false)
		default:
			return fmt.Errorf("chat: message %d: role %q is not supported, only system, user and assistant are", i, m.Role)
		}
		add(nameRoleEnd, true)
	}
	add(markAssistant, true)
	return nil
}

// lastQuestion returns the index of the last user message that is no result of a
// tool, or of the last message if there is none.
func lastQuestion(messages []Message) int {
	for i := len(messages) - 1; i >= 0; i-- {
		m := messages[i]
		if m.Role == "user" && !(strings.HasPrefix(m.Content, "<tool_response>") && strings.HasSuffix(m.Content, "</tool_response>")) {
			return i
		}
	}
	return len(messages) - 1
}

// splitReasoning divides an assistant turn. Without </think> all of it is the
// answer.
func splitReasoning(content string) (reasoning, answer string) {
	last := strings.LastIndex(content, "</think>")
	if last < 0 {
		return "", content
	}
	answer = strings.TrimLeft(content[last+len("</think>"):], "\n")
	reasoning, _, _ = strings.Cut(content, "</think>")
	if i := strings.LastIndex(reasoning, "<think>"); i >= 0 {
		reasoning = reasoning[i+len("<think>"):]
	}
	return strings.Trim(reasoning, "\n"), answer
}

// EncodeChat returns the ids of messages in the form of [RenderChat], and its
// errors. It also refuses if the vocabulary has no <|role_end|>, or if the
// checkpoint brought a chat template that is not LLaDA2's: a prompt in the wrong
// form gives answers that are bad without being obviously wrong.
func (t *Tokenizer) EncodeChat(messages []Message) ([]int32, error) {
	if t.chatErr != nil {
		return nil, t.chatErr
	}
	text, err := RenderChat(messages)
	if err != nil {
		return nil, err
	}
	return t.Encode(text), nil
}

// checkChat returns why t cannot be used for chat, or nil.
func (t *Tokenizer) checkChat() error {
	if t.special.RoleEnd < 0 {
		return fmt.Errorf("chat: the vocabulary has no %s token, so the model is not made for chat", nameRoleEnd)
	}
	if t.template != "" && !isLLaDA2Template(t.template) {
		return errors.New("chat: the model's chat template is not the LLaDA2 form, and no other is supported")
	}
	return nil
}

// isLLaDA2Template recognises the form by the strings that a template must have to
// produce it. The published templates do not contain "detailed thinking off" as
// one string: 'off' is the value of a variable.
func isLLaDA2Template(template string) bool {
	for _, mark := range []string{markSystem, markHuman, markAssistant, nameRoleEnd, "detailed thinking "} {
		if !strings.Contains(template, mark) {
			return false
		}
	}
	return strings.Contains(template, thinkingOff) ||
		strings.Contains(template, `'off'`) || strings.Contains(template, `"off"`)
}
