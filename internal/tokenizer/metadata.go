package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrNoVocab is returned by [FromMetadata] for a GGUF file that says it has no
// vocabulary, or says nothing. Such a file can be run on ids.
var ErrNoVocab = errors.New("the file has no vocabulary")

// Metadata is where GGUF key-values are found. A value is a uint32, an int32, a
// string, a bool, a []string, a []int32 and so on, as in the file.
type Metadata interface {
	Lookup(key string) (value any, ok bool)
}

// KeyValue is one GGUF key with its value: a string, bool, uint32, []string or
// []int32.
type KeyValue struct {
	Key   string
	Value any
}

// The GGUF keys. Those under llada2 are our own, for what GGUF cannot say; they
// are written only where needed.
const (
	keyModel      = "tokenizer.ggml.model"
	keyPre        = "tokenizer.ggml.pre"
	keyTokens     = "tokenizer.ggml.tokens"
	keyTypes      = "tokenizer.ggml.token_type"
	keyMerges     = "tokenizer.ggml.merges"
	keyBOS        = "tokenizer.ggml.bos_token_id"
	keyEOS        = "tokenizer.ggml.eos_token_id"
	keyEOT        = "tokenizer.ggml.eot_token_id"
	keyPad        = "tokenizer.ggml.padding_token_id"
	keyMask       = "tokenizer.ggml.mask_token_id"
	keyAddBOS     = "tokenizer.ggml.add_bos_token"
	keyAddEOS     = "tokenizer.ggml.add_eos_token"
	keyTemplate   = "tokenizer.chat_template"
	keyNormalizer = "llada2.tokenizer.normalizer"        // "nfc"
	keyNormalized = "llada2.tokenizer.normalized_tokens" // added tokens to find after normalisation
)

// The values of tokenizer.ggml.token_type.
const (
	typeNormal  = 1
	typeUnknown = 2
	typeControl = 3
	typeUser    = 4
	typeUnused  = 5
	typeByte    = 6
)

// preNames are the names that llama.cpp gives to the pre-tokenizer of this
// package. The first is written.
var preNames = []string{"bailingmoe2", "bailingmoe", "llada-moe"}

// KeyValues returns the vocabulary as GGUF key-values, in the form that llama.cpp
// reads. Ids without a token, up to vocabSize, get an unused token "[PADn]". It
// is an error if the vocabulary has more than vocabSize ids.
//
// GGUF has no key for a normaliser; NFC is written under
// "llada2.tokenizer.normalizer", which other programs do not know.
func (t *Tokenizer) KeyValues(vocabSize int) ([]KeyValue, error) {
	if len(t.tokens) > vocabSize {
		return nil, fmt.Errorf("the vocabulary has %d ids, more than the model's %d", len(t.tokens), vocabSize)
	}
	if vocabSize > maxTokens {
		return nil, fmt.Errorf("a vocabulary of %d ids is not supported, at most %d are", vocabSize, maxTokens)
	}
	tokens := make([]string, vocabSize)
	types := make([]int32, vocabSize)
	var normalized []int32
	for id := range tokens {
		tokens[id], types[id] = fmt.Sprintf("[PAD%d]", id), typeUnused
		if !t.has(int32(id)) {
			continue
		}
		tok := t.tokens[id]
		tokens[id] = tok.text
		switch tok.kind {
		case kindControl:
			types[id] = typeControl
		case kindUser:
			types[id] = typeUser
		default:
			types[id] = typeNormal
		}
		if tok.added() && tok.normalized {
			normalized = append(normalized, int32(id))
		}
	}
	merges := make([]string, len(t.bpe.pairs))
	for rank, p := range t.bpe.pairs {
		left, right := t.tokens[p.left].text, t.tokens[p.right].text
		if strings.Contains(left, " ") || strings.Contains(right, " ") {
			return nil, fmt.Errorf("merge %d of %.80q and %.80q cannot be written to GGUF: it has a space", rank, left, right)
		}
		merges[rank] = left + " " + right
	}

	kvs := []KeyValue{
		{keyModel, "gpt2"},
		{keyPre, preNames[0]},
		{keyTokens, tokens},
		{keyTypes, types},
		{keyMerges, merges},
	}
	for _, c := range []struct {
		key string
		id  int32
	}{
		{keyBOS, t.special.BOS},
		{keyEOS, t.special.EOS},
		{keyEOT, t.special.RoleEnd},
		{keyPad, t.special.Pad},
		{keyMask, t.special.Mask},
	} {
		if c.id >= 0 {
			kvs = append(kvs, KeyValue{c.key, uint32(c.id)})
		}
	}
	kvs = append(kvs, KeyValue{keyAddBOS, false}, KeyValue{keyAddEOS, false})
	if t.template != "" {
		kvs = append(kvs, KeyValue{keyTemplate, t.template})
	}
	if t.nfc {
		kvs = append(kvs, KeyValue{keyNormalizer, "nfc"})
	}
	if len(normalized) > 0 {
		kvs = append(kvs, KeyValue{keyNormalized, normalized})
	}
	return kvs, nil
}

// FromMetadata makes a Tokenizer from the key-values of a GGUF file, written by
// [Tokenizer.KeyValues] or by llama.cpp's converter. The error is [ErrNoVocab] if
// tokenizer.ggml.model is absent or "no_vocab". Other models than "gpt2" and
// pre-tokenizers other than LLaDA2's are errors, and so is anything that does not
// fit together.
//
// BOS, EOS, Pad and Mask are the ids in the file or, where it has none, the tokens
// with LLaDA2's names; RoleEnd always goes by its name. The keys add_bos_token
// and add_eos_token are passed over, as LLaDA2 prompts have neither.
func FromMetadata(m Metadata) (*Tokenizer, error) {
	model, ok, err := value[string](m, keyModel)
	switch {
	case err != nil:
		return nil, err
	case !ok || model == "no_vocab":
		return nil, ErrNoVocab
	case model != "gpt2":
		return nil, fmt.Errorf("%s: %.80q is not supported, only gpt2 is", keyModel, model)
	}
	pre, _, err := value[string](m, keyPre)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(preNames, pre) {
		return nil, fmt.Errorf("%s: %.80q is not supported, only %s are", keyPre, pre, strings.Join(preNames, ", "))
	}
	v := &vocabulary{what: keyMerges}
	if err := v.readTokens(m); err != nil {
		return nil, err
	}
	if err := v.readKeys(m); err != nil {
		return nil, err
	}
	t, err := v.tokenizer()
	if err != nil {
		return nil, fmt.Errorf("GGUF vocabulary: %w", err)
	}
	return t, nil
}

func (v *vocabulary) readTokens(m Metadata) error {
	tokens, ok, err := value[[]string](m, keyTokens)
	if err != nil {
		return err
	}
	if !ok || len(tokens) == 0 || len(tokens) > maxTokens {
		return fmt.Errorf("%s: has %d tokens, 1 to %d are supported", keyTokens, len(tokens), maxTokens)
	}
	types, _, err := value[[]int32](m, keyTypes)
	if err != nil {
		return err
	}
	if len(types) != len(tokens) {
		return fmt.Errorf("%s: has %d elements for %d tokens", keyTypes, len(types), len(tokens))
	}
	v.spelling = make(map[string]int32, len(tokens))
	for id, text := range tokens {
		tok := token{text: text}
		switch types[id] {
		case typeUnused:
			continue
		case typeNormal:
			tok.kind = kindNormal
		case typeByte:
			// In this kind of vocabulary a byte is a symbol of the alphabet
			// like any other token.
			if len(spelledBytes(text)) != 1 {
				return fmt.Errorf("%s: token %d, %.80q, is not a byte", keyTypes, id, text)
			}
			tok.kind = kindNormal
		case typeControl, typeUnknown:
			tok.kind = kindControl
		case typeUser:
			tok.kind = kindUser
		default:
			return fmt.Errorf("%s: token %d, %.80q, has the unknown type %d", keyTypes, id, text, types[id])
		}
		if text == "" || !utf8.ValidString(text) {
			return fmt.Errorf("%s: token %d, %.80q, is empty or not UTF-8", keyTokens, id, text)
		}
		if first, ok := v.spelling[text]; ok {
			return fmt.Errorf("%s: tokens %d and %d are both %.80q", keyTokens, first, id, text)
		}
		v.spelling[text] = int32(id)
		if err := v.put(int64(id), tok); err != nil {
			return fmt.Errorf("%s: %w", keyTokens, err)
		}
	}
	merges, ok, err := value[[]string](m, keyMerges)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s: is missing", keyMerges)
	}
	v.merges = make([][2]string, len(merges))
	for rank, s := range merges {
		if v.merges[rank], ok = splitMerge(s); !ok {
			return fmt.Errorf("%s: merge %d: %.80q is not two tokens", keyMerges, rank, s)
		}
	}
	return nil
}

// readKeys reads the keys with a single value, and normalized_tokens.
func (v *vocabulary) readKeys(m Metadata) error {
	for _, c := range []struct {
		key  string
		name string // without a word from the file
		id   *int32
	}{
		{keyBOS, nameBOS, &v.special.BOS},
		{keyEOS, nameEOS, &v.special.EOS},
		{keyPad, nameEOS, &v.special.Pad},
		{keyMask, nameMask, &v.special.Mask},
	} {
		id, ok, err := value[uint32](m, c.key)
		switch {
		case err != nil:
			return err
		case !ok:
			*c.id = v.find(c.name)
		case int64(id) >= int64(len(v.tokens)) || v.tokens[id].kind == kindNone:
			return fmt.Errorf("%s: the id %d has no token", c.key, id)
		default:
			*c.id = int32(id)
		}
	}
	var err error
	if v.template, _, err = value[string](m, keyTemplate); err != nil {
		return err
	}
	normalizer, ok, err := value[string](m, keyNormalizer)
	if err != nil {
		return err
	}
	if ok && normalizer != "nfc" {
		return fmt.Errorf("%s: %.80q is not supported, only nfc is", keyNormalizer, normalizer)
	}
	v.nfc = ok
	normalized, _, err := value[[]int32](m, keyNormalized)
	if err != nil {
		return err
	}
	for _, id := range normalized {
		if id < 0 || int(id) >= len(v.tokens) || !v.tokens[id].added() {
			return fmt.Errorf("%s: the id %d is not of an added token", keyNormalized, id)
		}
		v.tokens[id].normalized = true
	}
	return nil
}

// value looks up a key whose value must be a T.
func value[T any](m Metadata, key string) (v T, ok bool, err error) {
	raw, ok := m.Lookup(key)
	if !ok {
		return v, false, nil
	}
	if v, ok = raw.(T); !ok {
		return v, false, fmt.Errorf("%s: is a %T, not a %T", key, raw, v)
	}
	return v, true, nil
}
