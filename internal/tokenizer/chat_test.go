package tokenizer

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRenderChat(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages []Message
		want     string
	}{
		{
			"one question", []Message{{"user", " Hello\n"}},
			"<role>SYSTEM</role>detailed thinking off<|role_end|><role>HUMAN</role> Hello\n<|role_end|><role>ASSISTANT</role>",
		},
		{
			"several turns",
			[]Message{{"system", "You are a helpful assistant"}, {"user", "Hello"}, {"assistant", "Hi there"}, {"user", "How are you?"}},
			"<role>SYSTEM</role>You are a helpful assistant\ndetailed thinking off<|role_end|><role>HUMAN</role>Hello<|role_end|>" +
				"<role>ASSISTANT</role>Hi there<|role_end|><role>HUMAN</role>How are you?<|role_end|><role>ASSISTANT</role>",
		},
		{
			"second system message",
			[]Message{{"system", "A"}, {"system", "B"}, {"user", "C"}},
			"<role>SYSTEM</role>A\ndetailed thinking off<|role_end|><role>SYSTEM</role>B<|role_end|><role>HUMAN</role>C<|role_end|><role>ASSISTANT</role>",
		},
		{
			"reasoning is dropped",
			[]Message{{"user", "A"}, {"assistant", "<think>\nhm\n</think>\n\nB\n"}, {"user", "C"}},
			"<role>SYSTEM</role>detailed thinking off<|role_end|><role>HUMAN</role>A<|role_end|>" +
				"<role>ASSISTANT</role>B\n<|role_end|><role>HUMAN</role>C<|role_end|><role>ASSISTANT</role>",
		},
		{
			"reasoning after the last question stays",
			[]Message{{"user", "A"}, {"assistant", "<think>hm\n</think>B"}, {"user", "<tool_response>7</tool_response>"}},
			"<role>SYSTEM</role>detailed thinking off<|role_end|><role>HUMAN</role>A<|role_end|>" +
				"<role>ASSISTANT</role>\n<think>\nhm\n</think>\n\nB<|role_end|>" +
				"<role>HUMAN</role><tool_response>7</tool_response><|role_end|><role>ASSISTANT</role>",
		},
		{
			"empty reasoning",
			[]Message{{"user", "A"}, {"assistant", "<think>\n</think>\nB"}},
			"<role>SYSTEM</role>detailed thinking off<|role_end|><role>HUMAN</role>A<|role_end|>" +
				"<role>ASSISTANT</role>B<|role_end|><role>ASSISTANT</role>",
		},
		{
			"no question",
			[]Message{{"assistant", "a</think>b</think>c"}},
			"<role>SYSTEM</role>detailed thinking off<|role_end|><role>ASSISTANT</role>c<|role_end|><role>ASSISTANT</role>",
		},
	} {
		got, err := RenderChat(c.messages)
		require.NoError(t, err, c.name)
		assert.Equal(t, c.want, got, c.name)
	}
}

func TestRenderChatErrors(t *testing.T) {
	_, err := RenderChat(nil)
	assert.ErrorContains(t, err, "no messages")
	_, err = RenderChat([]Message{{"user", "A"}, {"tool", "B"}})
	assert.ErrorContains(t, err, `message 1: role "tool" is not supported`)
}

func TestEncodeChat(t *testing.T) {
	tok := tiny(t)
	messages := []Message{{"system", "A"}, {"user", "B"}}
	ids, err := tok.EncodeChat(messages)
	require.NoError(t, err)
	text, err := RenderChat(messages)
	require.NoError(t, err)
	assert.Equal(t, text, tok.Decode(ids, false))
	assert.Equal(t, "SYSTEMA\ndetailed thinking offHUMANBASSISTANT", tok.Decode(ids, true))
	_, err = tok.EncodeChat([]Message{{"developer", "A"}})
	assert.ErrorContains(t, err, `role "developer"`)
}

func TestEncodeChatWithoutRoleEnd(t *testing.T) {
	d := tinyDocument(t)
	d.at("added_tokens", 9)["content"] = "<|other|>"
	tok, err := FromJSON(d.bytes(t), nil)
	require.NoError(t, err)
	assert.Equal(t, int32(-1), tok.Special().RoleEnd)
	_, err = tok.EncodeChat([]Message{{"user", "A"}})
	assert.ErrorContains(t, err, "no <|role_end|> token")
	assert.NotContains(t, toMetadata(t, tok, 1024), "tokenizer.ggml.eot_token_id")
}

func TestEncodeChatTemplates(t *testing.T) {
	const turns = "<role>SYSTEM</role> <role>HUMAN</role> <role>ASSISTANT</role> <|role_end|> "
	for template, good := range map[string]bool{
		"":                              true,
		turns + "detailed thinking off": true,
		"{% set thinking_option = 'off' %}" + turns + "{{ 'detailed thinking ' + thinking_option }}": true,
		"{% set thinking_option = 'on' %}" + turns + "{{ 'detailed thinking ' + thinking_option }}":  false,
		turns:                            false,
		"<|im_start|>{{ message.role }}": false,
		"<role>HUMAN</role> <role>ASSISTANT</role> detailed thinking off": false,
	} {
		for _, form := range []any{template, []any{map[string]any{"name": "tools", "template": "x"}, map[string]any{"name": "default", "template": template}}} {
			config, err := json.Marshal(map[string]any{"chat_template": form})
			require.NoError(t, err)
			tok, err := FromJSON(read(t, tinyModel+"tokenizer.json"), config)
			require.NoError(t, err)
			_, err = tok.EncodeChat([]Message{{"user", "A"}})
			if good {
				assert.NoError(t, err, template)
			} else {
				assert.ErrorContains(t, err, "not the LLaDA2 form", template)
			}
		}
	}
}
