package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// FromJSON makes a Tokenizer from the contents of a Hugging Face checkpoint's
// tokenizer.json and tokenizer_config.json. The second may be nil.
//
// Every part of tokenizer.json must be one that LLaDA2 vocabularies have:
//
//   - model: BPE without dropout, unknown token, affixes and byte fallback
//   - normalizer: none or NFC
//   - pre_tokenizer: Split by the LLaDA2 expression, then ByteLevel
//   - post_processor: none or ByteLevel
//   - decoder: ByteLevel
//   - added_tokens: without single_word, lstrip and rstrip
//   - truncation, padding: none
//
// Anything else is an error that names the part. Of tokenizer_config.json only
// the names of the control tokens and the chat template are read; without them
// BOS is <|startoftext|> and EOS and Pad are <|endoftext|>. A name it gives must
// be in the vocabulary.
//
// Vocabularies without <|mask|>, with <|role_end|> in its place (Ling) or with
// tokens for insertion and deletion (LLaDA2.2) are refused.
func FromJSON(tokenizerJSON, tokenizerConfig []byte) (*Tokenizer, error) {
	v, err := readTokenizerJSON(tokenizerJSON)
	if err != nil {
		return nil, err
	}
	if err := v.readConfig(tokenizerConfig); err != nil {
		return nil, err
	}
	t, err := v.tokenizer()
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return t, nil
}

func readTokenizerJSON(data []byte) (*vocabulary, error) {
	v := &vocabulary{spelling: make(map[string]int32), what: "model.merges"}
	root := readObject("tokenizer.json", data)
	root.require("version", "1.0")
	root.allow("truncation")
	root.allow("padding")
	v.nfc = readNormalizer(root)
	readPreTokenizer(root)
	readPostProcessor(root)
	readDecoder(root)
	v.readModel(root)
	v.readAddedTokens(root)
	root.done()
	return v, *root.err
}

func readNormalizer(root *object) (nfc bool) {
	n := root.optional("normalizer")
	if n == nil {
		return false
	}
	if kind := n.text("type"); kind == "Sequence" {
		list := n.objects("normalizers")
		if len(list) != 1 {
			n.fail("normalizers", "has %d elements, only NFC alone is supported", len(list))
			return false
		}
		n.done()
		n = list[0]
		n.require("type", "NFC")
	} else if kind != "NFC" {
		n.fail("type", "%.80q is not supported, only NFC is", kind)
	}
	n.done()
	return true
}

func readPreTokenizer(root *object) {
	p := root.object("pre_tokenizer")
	p.require("type", "Sequence")
	list := p.objects("pretokenizers")
	p.done()
	if len(list) != 2 {
		p.fail("pretokenizers", "has %d elements, only Split and ByteLevel are supported", len(list))
		return
	}
	split, bytes := list[0], list[1]
	split.require("type", "Split")
	pattern := split.object("pattern")
	if got := pattern.text("Regex"); got != splitPattern {
		pattern.fail("Regex", "%.80q is not the expression of LLaDA2 vocabularies", got)
	}
	pattern.done()
	split.require("behavior", "Isolated")
	split.allow("invert", "false")
	split.done()

	bytes.require("type", "ByteLevel")
	bytes.allow("trim_offsets", "true", "false") // moves offsets, not tokens
	if bytes.flag("add_prefix_space") {
		bytes.fail("add_prefix_space", "true is not supported")
	}
	if bytes.flag("use_regex") { // the default is true
		bytes.fail("use_regex", "true is not supported")
	}
	bytes.done()
}

func readPostProcessor(root *object) {
	if p := root.optional("post_processor"); p != nil {
		readByteLevel(p)
	}
}

func readDecoder(root *object) { readByteLevel(root.object("decoder")) }

// readByteLevel reads a ByteLevel post-processor or decoder. Their options have
// no effect on ids and text.
func readByteLevel(o *object) {
	o.require("type", "ByteLevel")
	for _, key := range []string{"add_prefix_space", "trim_offsets", "use_regex"} {
		o.allow(key, "true", "false")
	}
	o.done()
}

func (v *vocabulary) readModel(root *object) {
	m := root.object("model")
	m.require("type", "BPE")
	m.allow("dropout")
	m.allow("unk_token")
	m.allow("continuing_subword_prefix", `""`)
	m.allow("end_of_word_suffix", `""`)
	m.allow("fuse_unk", "false")
	m.allow("byte_fallback", "false")
	m.allow("ignore_merges", "false")
	if raw := m.take("vocab"); raw == nil {
		m.fail("vocab", "is missing")
	} else if err := v.readVocab(raw); err != nil {
		m.fail("vocab", "%w", err)
	}
	if raw := m.take("merges"); raw == nil {
		m.fail("merges", "is missing")
	} else if err := v.readMerges(raw); err != nil {
		m.fail("merges", "%w", err)
	}
	m.done()
}

func (v *vocabulary) readVocab(raw json.RawMessage) error {
	return eachField(raw, func(text string, value json.RawMessage) error {
		id, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return fmt.Errorf("the id %s of token %.80q is not an integer", shorten(value), text)
		}
		if _, ok := v.spelling[text]; ok {
			return fmt.Errorf("token %.80q occurs twice", text)
		}
		if err := v.put(id, token{text: text, kind: kindNormal}); err != nil {
			return err
		}
		v.spelling[text] = int32(id)
		return nil
	})
}

// readMerges reads both forms there are: strings "a b", and since version 0.20
// of the tokenizers library lists ["a", "b"].
func (v *vocabulary) readMerges(raw json.RawMessage) error {
	var joined []string
	if json.Unmarshal(raw, &joined) == nil {
		for rank, s := range joined {
			m, ok := splitMerge(s)
			if !ok {
				return fmt.Errorf("merge %d: %.80q is not two tokens", rank, s)
			}
			v.merges = append(v.merges, m)
		}
		return nil
	}
	var lists [][]string
	if json.Unmarshal(raw, &lists) != nil {
		return errors.New("is neither a list of strings nor a list of pairs")
	}
	for rank, l := range lists {
		if len(l) != 2 {
			return fmt.Errorf("merge %d: %.80q is not two tokens", rank, l)
		}
		v.merges = append(v.merges, [2]string{l[0], l[1]})
	}
	return nil
}

func (v *vocabulary) readAddedTokens(root *object) {
	seen := make(map[string]bool)
	for _, o := range root.objects("added_tokens") {
		var id int64
		o.decode("id", &id, "an integer")
		tok := token{text: o.text("content"), kind: kindUser, normalized: o.flag("normalized")}
		if o.flag("special") {
			tok.kind = kindControl
		}
		o.allow("single_word", "false")
		o.allow("lstrip", "false")
		o.allow("rstrip", "false")
		o.done()
		if *o.err != nil {
			return
		}
		switch plain, ok := v.spelling[tok.text]; {
		case tok.text == "":
			o.fail("content", "is empty")
		case seen[tok.text]:
			o.fail("content", "token %.80q occurs twice", tok.text)
		case ok && int64(plain) != id:
			o.fail("id", "token %.80q has the id %d here and %d in the vocabulary", tok.text, id, plain)
		default:
			if err := v.put(id, tok); err != nil {
				o.fail("id", "%w", err)
			}
		}
		seen[tok.text] = true
	}
}

// readConfig reads tokenizer_config.json. Transformers puts many things there
// that do not change ids, so fields it does not know are passed over.
func (v *vocabulary) readConfig(data []byte) error {
	const file = "tokenizer_config.json"
	var config struct {
		BOS      json.RawMessage `json:"bos_token"`
		EOS      json.RawMessage `json:"eos_token"`
		Pad      json.RawMessage `json:"pad_token"`
		Mask     json.RawMessage `json:"mask_token"`
		Template json.RawMessage `json:"chat_template"`
	}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &config); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, c := range []struct {
		key  string
		raw  json.RawMessage
		name string // without a word from the file
		id   *int32
	}{
		{"bos_token", config.BOS, nameBOS, &v.special.BOS},
		{"eos_token", config.EOS, nameEOS, &v.special.EOS},
		{"pad_token", config.Pad, nameEOS, &v.special.Pad},
		{"mask_token", config.Mask, nameMask, &v.special.Mask},
	} {
		name, err := tokenName(c.raw)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", file, c.key, err)
		}
		if name == "" {
			*c.id = v.find(c.name)
			continue
		}
		if c.key == "mask_token" && name != nameMask {
			return fmt.Errorf("%s: mask_token: %.80q is not %s: it is not of a LLaDA2 model", file, name, nameMask)
		}
		if *c.id = v.find(name); *c.id < 0 {
			return fmt.Errorf("%s: %s: %.80q is not in the vocabulary", file, c.key, name)
		}
	}
	template, err := defaultTemplate(config.Template)
	if err != nil {
		return fmt.Errorf("%s: chat_template: %w", file, err)
	}
	v.template = template
	return nil
}

// tokenName reads a token's name, a string or an object with the string in
// "content". It is "" if raw is absent or null.
func tokenName(raw json.RawMessage) (string, error) {
	if raw == nil {
		return "", nil
	}
	var name string
	if json.Unmarshal(raw, &name) == nil {
		return name, nil
	}
	var added struct{ Content string }
	if json.Unmarshal(raw, &added) != nil || added.Content == "" {
		return "", errors.New("is neither a string nor an object with a content")
	}
	return added.Content, nil
}

// defaultTemplate reads a chat template, a string or a list of named ones. It is
// "" if raw is absent or null.
func defaultTemplate(raw json.RawMessage) (string, error) {
	if raw == nil {
		return "", nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var named []struct{ Name, Template string }
	if json.Unmarshal(raw, &named) != nil {
		return "", errors.New("is neither a string nor a list of named templates")
	}
	for _, n := range named {
		if n.Name == "default" {
			return n.Template, nil
		}
	}
	return "", errors.New(`has no template named "default"`)
}
