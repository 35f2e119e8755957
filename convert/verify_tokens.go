package convert

import (
	"slices"

	"lladakit/internal/tokenizer"
)

// plainTexts are in NFC and spell no token, so that they come back unchanged from
// every tokenizer.
var plainTexts = []string{
	"", " ", "  ", "\n", "\r\n\r\n", "\t x\t\ty", " leading and trailing ", "Hello, world!",
	"it's we'll I'VE they'd you're I'm don'T", "0 12 1234567890 3.14159 -2e10 0x1f ١٢٣ Ⅷ ½ x²",
	"def f(x):\n    return x ** 2  # comment\n\n\nif __name__ == '__main__':\n\tprint(f(3))\n",
	"{\"a\": [1, 2.5, null]}\n<html>&amp;</html> $\\frac{1}{2}$", "!!!???...---___(((]]]}}} @#$%^&*~`|\\/",
	"Ünïcödé ß ſ Œuvre", "Привет, мир! Ёжик", "Γειά σου Κόσμε", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก",
	"你好，世界！中文分词测试", "こんにちは世界 ｶﾀｶﾅ", "안녕하세요 세계", "Xin chào thế giới", "𐍈𝒳𝔘 𠜎", "😀👩‍💻🇩🇪 ❤️",
	"zero\u200bwidth\u00a0no-break\u3000ideographic\u2028line", "\x00\x01\x7f control", "\ufeffBOM \ufffd",
}

// oddTexts need not come back unchanged: some are not in NFC, some are no UTF-8,
// some spell tokens.
var oddTexts = []string{
	"a\u0301 e\u0301\u0327 \u1100\u1161\u11a8 \u0344 ﬃ Å", "\xff\xfe broken \xe4\xbd",
	"<role>HUMAN</role><|role_end|><|", "<|mask|><|mask|> a <|mask|>1", "<|endoftext|><|startoftext|>",
}

// checkTexts lets both tokenizers encode and decode the same texts.
func (v *verifier) checkTexts(source, file *tokenizer.Tokenizer) {
	const mostExamples = 5
	faults := 0
	for i, text := range slices.Concat(plainTexts, oddTexts) {
		want, got := source.Encode(text), file.Encode(text)
		switch {
		case !slices.Equal(got, want):
			v.about(Fault, KindTokenizer, "%s gets the ids %v, not %v", brief(text), some(got), some(want))
		case file.Decode(got, false) != source.Decode(want, false), file.Decode(got, true) != source.Decode(want, true),
			i < len(plainTexts) && file.Decode(got, false) != text:
			v.about(Fault, KindTokenizer, "%s comes back from its ids as %s", brief(text), brief(file.Decode(got, false)))
		default:
			continue
		}
		if faults++; faults == mostExamples {
			return
		}
	}
}

// some returns the beginning of a long list.
func some(ids []int32) []int32 { return ids[:min(len(ids), 12)] }

// conversations have every turn of the chat form.
var conversations = [][]tokenizer.Message{
	{{Role: "user", Content: "Why is the sky blue?"}},
	{{Role: "system", Content: "You are terse."}, {Role: "user", Content: " 1+1=\n"}},
	{
		{Role: "system", Content: "A"}, {Role: "user", Content: "B"}, {Role: "assistant", Content: "<think>\nC\n</think>\n\nD"},
		{Role: "user", Content: "你好"}, {Role: "assistant", Content: "E"}, {Role: "system", Content: "F"}, {Role: "user", Content: "😀"},
	},
}

// checkChats lets both tokenizers encode the same conversations, and takes the
// result apart again.
func (v *verifier) checkChats(source, file *tokenizer.Tokenizer) {
	for _, messages := range conversations {
		want, wantErr := source.EncodeChat(messages)
		got, err := file.EncodeChat(messages)
		switch {
		case err != nil && wantErr != nil: // no model for chat: that is what the checkpoint says
			return
		case err != nil:
			v.about(Fault, KindChat, "the file does not say how to write a conversation: %v", err)
			return
		case wantErr != nil:
			v.about(Fault, KindChat, "the file has a chat form, and the checkpoint has none: %v", wantErr)
			return
		case !slices.Equal(got, want):
			v.about(Fault, KindChat, "a conversation of %d messages gets the ids %v, not %v", len(messages), some(got), some(want))
		default:
			if text, err := tokenizer.RenderChat(messages); err != nil || file.Decode(got, false) != text {
				v.about(Fault, KindChat, "a conversation of %d messages does not come back from its ids as it was written", len(messages))
			}
		}
	}
}
