package tokenizer

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func fromMetadata(t testing.TB, m metadata) *Tokenizer {
	t.Helper()
	tok, err := FromMetadata(m)
	require.NoError(t, err)
	return tok
}

func TestKeyValues(t *testing.T) {
	m := toMetadata(t, tiny(t), 1024)
	assert.Equal(t, "gpt2", m["tokenizer.ggml.model"])
	assert.Equal(t, "bailingmoe2", m["tokenizer.ggml.pre"])
	tokens := m["tokenizer.ggml.tokens"].([]string)
	types := m["tokenizer.ggml.token_type"].([]int32)
	require.Len(t, tokens, 1024)
	require.Len(t, types, 1024)
	for id, want := range map[int]struct {
		text string
		kind int32
	}{
		0:    {"!", 1},
		999:  {"[PAD999]", 5},
		1004: {"<|mask|>", 3},
		1005: {"<tool_call>", 4},
		1023: {"[PAD1023]", 5},
	} {
		assert.Equal(t, want.text, tokens[id])
		assert.Equal(t, want.kind, types[id], want.text)
	}
	assert.Equal(t, "i n", m["tokenizer.ggml.merges"].([]string)[0])
	for key, want := range map[string]any{
		"tokenizer.ggml.bos_token_id":     uint32(1000),
		"tokenizer.ggml.eos_token_id":     uint32(1001),
		"tokenizer.ggml.padding_token_id": uint32(1001),
		"tokenizer.ggml.mask_token_id":    uint32(1004),
		"tokenizer.ggml.eot_token_id":     uint32(1009),
		"tokenizer.ggml.add_bos_token":    false,
		"tokenizer.ggml.add_eos_token":    false,
	} {
		assert.Equal(t, want, m[key], key)
	}
	assert.Contains(t, m["tokenizer.chat_template"], "<role>HUMAN</role>")
	assert.NotContains(t, m, "llada2.tokenizer.normalizer")

	_, err := tiny(t).KeyValues(1011)
	assert.ErrorContains(t, err, "1012 ids, more than the model's 1011")
}

func TestMetadataRoundTrip(t *testing.T) {
	for _, normalizer := range []any{nil, map[string]any{"type": "NFC"}} {
		d := tinyDocument(t)
		d["normalizer"] = normalizer
		want, err := FromJSON(d.bytes(t), read(t, tinyModel+"tokenizer_config.json"))
		require.NoError(t, err)
		m := toMetadata(t, want, 1100)
		got := fromMetadata(t, m)
		assert.Equal(t, want.Special(), got.Special())
		assert.Equal(t, want.Size(), got.Size())
		assert.Equal(t, m, toMetadata(t, got, 1100))
		r := rand.New(rand.NewPCG(13, 14))
		for range 2000 {
			s := randomText(r, 30) + "<role>" + randomText(r, 5) + "<|mask|>"
			ids := want.Encode(s)
			require.Equal(t, ids, got.Encode(s))
			require.Equal(t, want.Decode(ids, true), got.Decode(ids, true))
		}
		chat := []Message{{"system", "Be brief."}, {"user", "How many?"}}
		a, err := want.EncodeChat(chat)
		require.NoError(t, err)
		b, err := got.EncodeChat(chat)
		require.NoError(t, err)
		assert.Equal(t, a, b)
	}
}

func TestNoVocab(t *testing.T) {
	for _, m := range []metadata{{}, {"tokenizer.ggml.model": "no_vocab"}} {
		_, err := FromMetadata(m)
		assert.ErrorIs(t, err, ErrNoVocab)
	}
}

// TestMetadataForms reads what other converters write.
func TestMetadataForms(t *testing.T) {
	want := tiny(t)
	for name, change := range map[string]func(m metadata){
		"no ids": func(m metadata) {
			for _, key := range []string{keyBOS, keyEOS, keyEOT, keyPad, keyMask} {
				delete(m, key)
			}
		},
		"other name":   func(m metadata) { m[keyPre] = "llada-moe" },
		"byte tokens":  func(m metadata) { m[keyTypes].([]int32)[0] = typeByte },
		"normal mask":  func(m metadata) { m[keyTypes].([]int32)[1004] = typeNormal },
		"unknown type": func(m metadata) { m[keyTypes].([]int32)[1002] = typeUnknown },
	} {
		t.Run(name, func(t *testing.T) {
			m := toMetadata(t, want, 1024)
			change(m)
			got := fromMetadata(t, m)
			assert.Equal(t, want.Special(), got.Special())
			const text = "!<|mask|>[CLS] many<|role_end|>"
			assert.Equal(t, want.Encode(text), got.Encode(text))
			assert.Equal(t, "! many", got.Decode(got.Encode(text), true))
		})
	}
}

func TestUnusedToken(t *testing.T) {
	m := toMetadata(t, tiny(t), 1024)
	m[keyTypes].([]int32)[1002] = typeUnused // [CLS]
	tok := fromMetadata(t, m)
	assert.NotContains(t, tok.Encode("[CLS]"), int32(1002))
	assert.Equal(t, "", tok.Decode([]int32{1002}, false))
	_, ok := tok.Piece(1002)
	assert.False(t, ok)
}

func TestBadMetadata(t *testing.T) {
	good := toMetadata(t, tiny(t), 1024)
	tokens := func(id int, text string) func(m metadata) {
		return func(m metadata) {
			list := append([]string(nil), m[keyTokens].([]string)...)
			list[id] = text
			m[keyTokens] = list
		}
	}
	types := func(id int, kind int32) func(m metadata) {
		return func(m metadata) {
			list := append([]int32(nil), m[keyTypes].([]int32)...)
			list[id] = kind
			m[keyTypes] = list
		}
	}
	set := func(key string, v any) func(m metadata) { return func(m metadata) { m[key] = v } }
	unset := func(key string) func(m metadata) { return func(m metadata) { delete(m, key) } }
	for _, c := range []struct {
		name   string
		change func(m metadata)
		want   string
	}{
		{"model", set(keyModel, "llama"), `tokenizer.ggml.model: "llama" is not supported`},
		{"model type", set(keyModel, 7), `tokenizer.ggml.model: is a int, not a string`},
		{"pre", set(keyPre, "qwen2"), `tokenizer.ggml.pre: "qwen2" is not supported`},
		{"no pre", unset(keyPre), `tokenizer.ggml.pre: ""`},
		{"no tokens", unset(keyTokens), `tokenizer.ggml.tokens: has 0 tokens`},
		{"tokens type", set(keyTokens, "x"), `tokenizer.ggml.tokens: is a string, not a []string`},
		{"no types", unset(keyTypes), `tokenizer.ggml.token_type: has 0 elements for 1024 tokens`},
		{"types", set(keyTypes, []int32{1}), `tokenizer.ggml.token_type: has 1 elements for 1024 tokens`},
		{"unknown type", types(5, 9), `tokenizer.ggml.token_type: token 5, "&", has the unknown type 9`},
		{"byte type", types(1005, typeByte), `token 1005, "<tool_call>", is not a byte`},
		{"empty", tokens(5, ""), `tokenizer.ggml.tokens: token 5, "", is empty`},
		{"invalid", tokens(5, "\xff"), `tokenizer.ggml.tokens: token 5, "\xff", is empty or not UTF-8`},
		{"twice", tokens(1005, "<role>"), `tokenizer.ggml.tokens: tokens 1005 and 1010 are both "<role>"`},
		{"byte missing", types(5, typeUnused), `no symbol "&" for byte 0x26`},
		{"no merges", unset(keyMerges), `tokenizer.ggml.merges: is missing`},
		{"merge", set(keyMerges, []string{"in"}), `tokenizer.ggml.merges: merge 0: "in" is not two tokens`},
		{"merge of unknown", set(keyMerges, []string{"zz z"}), `tokenizer.ggml.merges: merge 0: "zz" is not in`},
		{"id too high", set(keyEOS, uint32(1024)), `tokenizer.ggml.eos_token_id: the id 1024 has no token`},
		{"id far too high", set(keyEOS, uint32(1<<31)), `tokenizer.ggml.eos_token_id: the id 2147483648 has no token`},
		{"id of padding", set(keyEOS, uint32(999)), `tokenizer.ggml.eos_token_id: the id 999 has no token`},
		{"Ling", set(keyMask, uint32(1009)), `<|role_end|> has the id 1009 of the mask token: this is a Ling vocabulary`},
		{"no mask", func(m metadata) { delete(m, keyMask); tokens(1004, "x|y")(m) }, `no <|mask|> token`},
		{"LLaDA2.2", tokens(1002, "<|insert|>"), `LLaDA2.2 is not supported`},
		{"normalizer", set(keyNormalizer, "nfkc"), `llada2.tokenizer.normalizer: "nfkc"`},
		{"normalized", set(keyNormalized, []int32{0}), `llada2.tokenizer.normalized_tokens: the id 0 is not of an added token`},
		{"template", set(keyTemplate, 1), `tokenizer.chat_template: is a int`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := maps.Clone(good)
			c.change(m)
			_, err := FromMetadata(m)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

// FuzzFromMetadata looks for panics and for errors of several lines. Lists come as text with an element a line,
// types as a byte each; the rest of a good vocabulary is put before the tokens.
func FuzzFromMetadata(f *testing.F) {
	good := toMetadata(f, tiny(f), 1024)
	f.Add("[x]\n<|tool|>", "\x04\x05", "i n\ni n", uint32(5), "nfc")
	f.Add("<|delete|>", "\x03", "Ġ a", uint32(1<<31), "")
	f.Fuzz(func(t *testing.T, tokens, types, merges string, id uint32, normalizer string) {
		m := maps.Clone(good)
		m[keyTokens] = append(slices.Clone(good[keyTokens].([]string)), strings.Split(tokens, "\n")...)
		kinds := slices.Clone(good[keyTypes].([]int32))
		for _, c := range []byte(types) {
			kinds = append(kinds, int32(c))
		}
		m[keyTypes] = kinds
		m[keyMerges] = strings.Split(merges, "\n")
		m[keyEOS] = id
		if normalizer != "" {
			m[keyNormalizer] = normalizer
			m[keyNormalized] = []int32{int32(id)}
		}
		tok, err := FromMetadata(m)
		if err != nil {
			requireOneLine(t, err)
			return
		}
		ids := tok.Encode(tokens + merges)
		tok.Decode(ids, true)
		again := fromMetadata(t, toMetadata(t, tok, len(kinds)))
		require.Equal(t, ids, again.Encode(tokens+merges))
	})
}
