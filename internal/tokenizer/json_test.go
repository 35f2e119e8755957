package tokenizer

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestBadJSON changes one thing in a good file. The error must name it.
func TestBadJSON(t *testing.T) {
	type object = map[string]any
	list := func(v ...any) []any { return v }
	for _, c := range []struct {
		name   string
		change func(d document)
		want   string
	}{
		{"unknown field", func(d document) { d["extra"] = 1 }, `tokenizer.json: extra: is not a known field`},
		{"case of a field", func(d document) { d["Model"] = d["model"]; delete(d, "model") }, `model: is missing`},
		{"version", func(d document) { d["version"] = "2.0" }, `version: "2.0" is not supported`},
		{"truncation", func(d document) { d["truncation"] = object{"max_length": 3} }, `truncation: {"max_length":3} is not supported`},
		{"padding", func(d document) { d["padding"] = object{} }, `padding: {} is not supported`},

		{"normalizer", func(d document) { d["normalizer"] = object{"type": "NFKC"} }, `normalizer.type: "NFKC" is not supported`},
		{"normalizer option", func(d document) { d["normalizer"] = object{"type": "NFC", "x": 1} }, `normalizer.x: is not a known field`},
		{"normalizer list", func(d document) {
			d["normalizer"] = object{"type": "Sequence", "normalizers": list(object{"type": "NFC"}, object{"type": "NFC"})}
		}, `normalizer.normalizers: has 2 elements`},
		{"normalizer in list", func(d document) {
			d["normalizer"] = object{"type": "Sequence", "normalizers": list(object{"type": "Lowercase"})}
		}, `normalizer.normalizers[0].type: "Lowercase" is not supported`},

		{"no pre-tokenizer", func(d document) { d["pre_tokenizer"] = nil }, `pre_tokenizer: is missing`},
		{"pre-tokenizer", func(d document) { d["pre_tokenizer"] = object{"type": "ByteLevel"} }, `pre_tokenizer.type: "ByteLevel" is not supported`},
		{"pre-tokenizer list", func(d document) {
			p := d.at("pre_tokenizer")
			p["pretokenizers"] = p["pretokenizers"].([]any)[1:]
		}, `pre_tokenizer.pretokenizers: has 1 elements`},
		{"pattern", func(d document) { d.at("pre_tokenizer", "pretokenizers", 0, "pattern")["Regex"] = `\s+` },
			`pre_tokenizer.pretokenizers[0].pattern.Regex: "\\s+" is not the expression`},
		{"pattern kind", func(d document) { d.at("pre_tokenizer", "pretokenizers", 0)["pattern"] = object{"String": " "} },
			`pre_tokenizer.pretokenizers[0].pattern.Regex: is missing`},
		{"behavior", func(d document) { d.at("pre_tokenizer", "pretokenizers", 0)["behavior"] = "Removed" },
			`pre_tokenizer.pretokenizers[0].behavior: "Removed"`},
		{"invert", func(d document) { d.at("pre_tokenizer", "pretokenizers", 0)["invert"] = true },
			`pre_tokenizer.pretokenizers[0].invert: true`},
		{"prefix space", func(d document) { d.at("pre_tokenizer", "pretokenizers", 1)["add_prefix_space"] = true },
			`pre_tokenizer.pretokenizers[1].add_prefix_space: true`},
		{"use_regex", func(d document) { delete(d.at("pre_tokenizer", "pretokenizers", 1), "use_regex") },
			`pre_tokenizer.pretokenizers[1].use_regex: is missing`},

		{"post-processor", func(d document) { d["post_processor"] = object{"type": "TemplateProcessing"} },
			`post_processor.type: "TemplateProcessing" is not supported`},
		{"decoder", func(d document) { d["decoder"] = object{"type": "WordPiece"} }, `decoder.type: "WordPiece" is not supported`},
		{"no decoder", func(d document) { delete(d, "decoder") }, `decoder: is missing`},

		{"model type", func(d document) { d.at("model")["type"] = "Unigram" }, `model.type: "Unigram" is not supported`},
		{"model field", func(d document) { d.at("model")["x"] = 1 }, `model.x: is not a known field`},
		{"dropout", func(d document) { d.at("model")["dropout"] = 0.1 }, `model.dropout: 0.1 is not supported`},
		{"unk_token", func(d document) { d.at("model")["unk_token"] = "<unk>" }, `model.unk_token: "\u003cunk\u003e" is not supported`},
		{"prefix", func(d document) { d.at("model")["continuing_subword_prefix"] = "##" }, `model.continuing_subword_prefix: "##"`},
		{"byte_fallback", func(d document) { d.at("model")["byte_fallback"] = true }, `model.byte_fallback: true`},
		{"ignore_merges", func(d document) { d.at("model")["ignore_merges"] = true }, `model.ignore_merges: true`},

		{"id in use", func(d document) { d.at("model", "vocab")["new"] = 3 }, `both have the id 3`},
		{"negative id", func(d document) { d.at("model", "vocab")["new"] = -1 }, `model.vocab: id -1 of token "new" is not between`},
		{"huge id", func(d document) { d.at("model", "vocab")["new"] = 1 << 40 }, `model.vocab: id 1099511627776`},
		{"id of another type", func(d document) { d.at("model", "vocab")["new"] = 1.5 }, `model.vocab: the id 1.5 of token "new"`},
		{"no vocab", func(d document) { delete(d.at("model"), "vocab") }, `model.vocab: is missing`},
		{"byte missing", func(d document) {
			vocab := d.at("model", "vocab")
			vocab["xx"] = vocab["Ā"]
			delete(vocab, "Ā")
		}, `no symbol "Ā" for byte 0x00`},
		{"merge of unknown", func(d document) { d.at("model")["merges"] = list("e zzz") }, `model.merges: merge 0: "zzz" is not in the vocabulary`},
		{"merge into unknown", func(d document) { d.at("model")["merges"] = list("ÿ ÿ") }, `model.merges: merge 0: its result "ÿÿ"`},
		{"merge of three", func(d document) { d.at("model")["merges"] = list("a b c") }, `model.merges: merge 0: "a b c" is not two tokens`},
		{"merge list of three", func(d document) { d.at("model")["merges"] = list(list("a", "b", "c")) }, `model.merges: merge 0: ["a" "b" "c"]`},
		{"merge twice", func(d document) { d.at("model")["merges"] = list("i n", "i n") }, `model.merges: merge 1 repeats merge 0`},
		{"mixed merges", func(d document) { d.at("model")["merges"] = list("i n", list("i", "n")) }, `model.merges: is neither`},

		{"no added tokens", func(d document) { delete(d, "added_tokens") }, `added_tokens: is missing`},
		{"single_word", func(d document) { d.at("added_tokens", 2)["single_word"] = true }, `added_tokens[2].single_word: true`},
		{"lstrip", func(d document) { d.at("added_tokens", 2)["lstrip"] = true }, `added_tokens[2].lstrip: true`},
		{"rstrip", func(d document) { d.at("added_tokens", 2)["rstrip"] = true }, `added_tokens[2].rstrip: true`},
		{"normalized", func(d document) { delete(d.at("added_tokens", 2), "normalized") }, `added_tokens[2].normalized: is missing`},
		{"added field", func(d document) { d.at("added_tokens", 2)["x"] = 1 }, `added_tokens[2].x: is not a known field`},
		{"empty", func(d document) { d.at("added_tokens", 2)["content"] = "" }, `added_tokens[2].content: is empty`},
		{"twice", func(d document) { d.at("added_tokens", 2)["content"] = "<|mask|>" }, `added_tokens[4].content: token "<|mask|>" occurs twice`},
		{"id of a plain token", func(d document) { d.at("added_tokens", 2)["id"] = 0 }, `added_tokens[2].id: tokens "!" and "[CLS]" both have the id 0`},
		{"id unlike vocab", func(d document) { d.at("added_tokens", 2)["content"] = "!" }, `added_tokens[2].id: token "!" has the id 1002 here and 0`},

		{"no mask", func(d document) { d.at("added_tokens", 4)["content"] = "<|other|>" }, `no <|mask|> token: it is not of a LLaDA2 model`},
		{"LLaDA2.2", func(d document) { d.at("added_tokens", 2)["content"] = "<|delete|>" }, `LLaDA2.2 is not supported`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := tinyDocument(t)
			c.change(d)
			_, err := FromJSON(d.bytes(t), nil)
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
			assert.True(t, strings.HasPrefix(err.Error(), "tokenizer.json: "), err)
		})
	}
}

func TestBadJSONText(t *testing.T) {
	good := string(read(t, tinyModel+"tokenizer.json"))
	for text, want := range map[string]string{
		"":                         "ends early",
		"{":                        "ends early",
		"[]":                       "is not a JSON object",
		"null":                     "is not a JSON object",
		`{"version" 1}`:            "expected colon",
		`{"version":"1.0",}`:       "invalid character",
		"{\"a\":\"\xff\"}":         "is not UTF-8",
		good[:len(good)/2]:         "ends early",
		good + "{}":                "has data after",
		`{"model":{},"model":{}}`:  `field "model" occurs twice`,
		`{"version":1}`:            "version: is not a string",
		`{"version":"1.0","x\n":1`: "ends early",
	} {
		_, err := FromJSON([]byte(text), nil)
		assert.ErrorContains(t, err, want, "%.40s", text)
	}
}

// TestGoodJSON reads the other ways to write the same vocabulary.
func TestGoodJSON(t *testing.T) {
	want := tiny(t)
	for name, change := range map[string]func(d document){
		"pairs": func(d document) {
			var pairs []any
			for _, m := range d.at("model")["merges"].([]any) {
				pairs = append(pairs, strings.Split(m.(string), " "))
			}
			d.at("model")["merges"] = pairs
		},
		"absent options": func(d document) {
			delete(d, "truncation")
			delete(d, "padding")
			delete(d, "normalizer")
			delete(d, "post_processor")
			delete(d.at("model"), "dropout")
		},
		"more options": func(d document) {
			d["post_processor"] = map[string]any{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}
			d.at("model")["ignore_merges"] = false
			d.at("model")["end_of_word_suffix"] = ""
		},
		"added tokens in the vocabulary": func(d document) {
			for _, a := range d["added_tokens"].([]any) {
				a := a.(map[string]any)
				d.at("model", "vocab")[a["content"].(string)] = a["id"]
			}
		},
		"NFC": func(d document) { d["normalizer"] = map[string]any{"type": "NFC"} },
		"NFC in a list": func(d document) {
			d["normalizer"] = map[string]any{"type": "Sequence", "normalizers": []any{map[string]any{"type": "NFC"}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := tinyDocument(t)
			change(d)
			got, err := FromJSON(d.bytes(t), nil)
			require.NoError(t, err)
			assert.Equal(t, want.Special(), got.Special())
			assert.Equal(t, want.bpe, got.bpe)
			assert.Equal(t, want.tokens, got.tokens)
			assert.Equal(t, strings.HasPrefix(name, "NFC"), got.nfc)
		})
	}
}

// TestNormalizedTokens has an added token that is found after normalisation and
// one that is found before.
func TestNormalizedTokens(t *testing.T) {
	d := tinyDocument(t)
	d["normalizer"] = map[string]any{"type": "NFC"}
	d.at("added_tokens", 2)["content"] = "[é]"
	d.at("added_tokens", 2)["normalized"] = true
	d.at("added_tokens", 3)["content"] = "[ü]"
	tok, err := FromJSON(d.bytes(t), nil)
	require.NoError(t, err)
	for _, tok := range []*Tokenizer{tok, fromMetadata(t, toMetadata(t, tok, 1024))} {
		assert.Equal(t, []int32{1002}, tok.Encode("[é]"))
		assert.Equal(t, []int32{1002}, tok.Encode("[e\u0301]"))
		assert.Equal(t, []int32{1003}, tok.Encode("[ü]"))
		assert.NotContains(t, tok.Encode("[u\u0308]"), int32(1003))
		assert.Equal(t, "[ü]x é", tok.Decode(tok.Encode("[u\u0308]x e\u0301"), false))
	}
}

func TestConfig(t *testing.T) {
	for config, want := range map[string]Special{
		``:                   {BOS: 1000, EOS: 1001, Pad: 1001, Mask: 1004, RoleEnd: 1009},
		`{"eos_token":null}`: {BOS: 1000, EOS: 1001, Pad: 1001, Mask: 1004, RoleEnd: 1009},
		`{"eos_token":"[CLS]","pad_token":{"content":"[gMASK]","lstrip":false}}`: {BOS: 1000, EOS: 1002, Pad: 1003, Mask: 1004, RoleEnd: 1009},
	} {
		tok, err := FromJSON(read(t, tinyModel+"tokenizer.json"), []byte(config))
		require.NoError(t, err)
		assert.Equal(t, want, tok.Special(), config)
	}
	for config, want := range map[string]string{
		`{`:                             "tokenizer_config.json: ",
		`[]`:                            "tokenizer_config.json: ",
		`{"eos_token":"<eos>"}`:         `eos_token: "<eos>" is not in the vocabulary`,
		`{"eos_token":7}`:               `eos_token: is neither`,
		`{"bos_token":{"x":"y"}}`:       `bos_token: is neither`,
		`{"pad_token":"<|mask|>"}`:      `the mask token has the id 1004 of another control token`,
		`{"mask_token":"<|role_end|>"}`: `mask_token: "<|role_end|>" is not <|mask|>`,
		`{"chat_template":1}`:           `chat_template: is neither`,
		`{"chat_template":[{"name":"tool_use","template":""}]}`: `chat_template: has no template named "default"`,
	} {
		_, err := FromJSON(read(t, tinyModel+"tokenizer.json"), []byte(config))
		assert.ErrorContains(t, err, want)
	}
}

// TestNamedTokensAreSpecial: what a checkpoint names as EOS is special, whatever
// tokenizer.json says.
func TestNamedTokensAreSpecial(t *testing.T) {
	tok, err := FromJSON(read(t, tinyModel+"tokenizer.json"), []byte(`{"eos_token":"<tool_call>"}`))
	require.NoError(t, err)
	assert.Equal(t, "x", tok.Decode(tok.Encode("x<tool_call>"), true))
}

// requireOneLine fails for an error that would fill a screen.
func requireOneLine(t *testing.T, err error) {
	t.Helper()
	require.NotContains(t, err.Error(), "\n")
	require.Less(t, len(err.Error()), 1500) // of 80 bytes each, four a byte
}

// Texts of a file's own choice are quoted in errors, and not at full length.
func TestErrorsAreOneLine(t *testing.T) {
	for _, text := range []string{"a\nb", "\x1b[2J", strings.Repeat("x\n", 1<<15)} {
		for _, change := range []func(d document){
			func(d document) { d[text] = 1 },
			func(d document) { d.at("model")[text] = 1 },
			func(d document) { d.at("model")["type"] = text },
			func(d document) { d.at("model")["merges"] = []string{text} },
			func(d document) { d.at("model")["merges"] = [][]string{{text, text}} },
			func(d document) { d.at("model", "vocab")[text] = -1 },
			func(d document) { d.at("model", "vocab")[text] = text },
			func(d document) { d.at("added_tokens", 0)["content"] = text },
		} {
			d := tinyDocument(t)
			change(d)
			if _, err := FromJSON(d.bytes(t), nil); err != nil {
				requireOneLine(t, err)
				require.NotContains(t, err.Error(), "\x1b")
			}
		}
		config, err := json.Marshal(map[string]string{"eos_token": text})
		require.NoError(t, err)
		_, err = FromJSON(read(t, tinyModel+"tokenizer.json"), config)
		require.Error(t, err)
		requireOneLine(t, err)

		good := toMetadata(t, tiny(t), 1024)
		tokens := func(change func(tokens []string)) []string {
			all := slices.Clone(good[keyTokens].([]string))
			change(all)
			return all
		}
		for key, value := range map[string]any{
			keyModel: text, keyPre: text, keyNormalizer: text, keyMerges: []string{text},
			keyTokens: tokens(func(all []string) { all[700], all[701] = text, text }),
		} {
			m := maps.Clone(good)
			m[key] = value
			_, err := FromMetadata(m)
			require.Error(t, err, key)
			requireOneLine(t, err)
		}
	}
}

// FuzzFromJSON looks for panics, here and in the use of what could be read, and
// for errors of several lines.
func FuzzFromJSON(f *testing.F) {
	d := tinyDocument(f)
	vocab := make(map[string]any)
	for c, r := range alphabet {
		vocab[string(r)] = c
	}
	vocab["in"] = 256
	d.at("model")["vocab"], d.at("model")["merges"] = vocab, []string{"i n"}
	small, err := json.Marshal(d)
	require.NoError(f, err)
	config := read(f, tinyModel+"tokenizer_config.json")
	f.Add(small, config)
	f.Add(small, []byte(nil))
	f.Add([]byte(`{"model":{"vocab":{"a":1},"merges":[["a","b"]]}}`), []byte(`{"chat_template":[]}`))
	f.Fuzz(func(t *testing.T, tokenizer, config []byte) {
		tok, err := FromJSON(tokenizer, config)
		if err != nil {
			requireOneLine(t, err)
			return
		}
		text := "in <|mask|>" + string(config)
		tok.Decode(tok.Encode(text), true)
		_, _ = tok.EncodeChat([]Message{{"user", text}})
		kvs, err := tok.KeyValues(tok.Size() + 1)
		if err != nil {
			return
		}
		m := make(metadata)
		for _, kv := range kvs {
			m[kv.Key] = kv.Value
		}
		again, err := FromMetadata(m)
		require.NoError(t, err)
		require.Equal(t, tok.Encode(text), again.Encode(text))
	})
}
