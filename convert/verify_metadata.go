package convert

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/internal/tokenizer"
)

// checkMetadata compares the model's numbers as a reader takes them with those
// of the checkpoint.
func (v *verifier) checkMetadata() {
	cfg, err := arch.FromMetadata(v.file.Metadata)
	if err != nil {
		v.about(Fault, KindMetadata, "%v", err)
	} else {
		cfg.Name = v.source.Config.Name // for people; the folder may have been renamed
		v.compareKeys(KindMetadata, cfg.Metadata(), v.source.Config.Metadata())
	}
	if what, ok := v.file.Metadata.Lookup("general.type"); ok && what != "model" {
		v.about(Fault, KindMetadata, "general.type is %s, not \"model\"", brief(what))
	}
	const key, want = "general.quantization_version", 2
	version, err := v.file.Metadata.Uint(key)
	if err == nil && version != want {
		v.about(Fault, KindMetadata, "%s is %d, not %d", key, version, want)
	}
	for i := range v.file.Tensors {
		if n, _ := v.file.Tensors[i].Type.Block(); n > 1 && err != nil {
			v.about(Warning, KindMetadata, "%v, which some readers need for quantized tensors", err)
			return
		}
	}
}

// checkTokens compares the ids that decoding needs and the vocabulary as a
// reader takes them, and then what tokenizers made of both do.
func (v *verifier) checkTokens() error {
	source, vocab := v.source.Tokenizer, v.source.Config.Vocab
	file, err := tokenizer.FromMetadata(v.file.Metadata)
	var got []tokenizer.KeyValue
	switch {
	case errors.Is(err, tokenizer.ErrNoVocab) && source != nil:
		v.about(Fault, KindTokenizer, "the file has no vocabulary, the checkpoint has one")
		return nil
	case errors.Is(err, tokenizer.ErrNoVocab):
		var ids tokenizer.Special
		ids, err = tokenizer.NoVocabIDs(v.file.Metadata)
		if err == nil && min(ids.Mask, ids.EOS) < 0 {
			v.about(Fault, KindTokenID, "the file does not name both mask and end token")
			return nil
		}
		got = tokenizer.NoVocab(ids.Mask, ids.EOS)
	case err == nil && source == nil:
		v.about(Fault, KindTokenizer, "the file has a vocabulary, the checkpoint has no tokenizer.json")
		return nil
	case err == nil:
		got, err = file.KeyValues(vocab)
	}
	if err != nil {
		v.about(Fault, KindTokenizer, "%v", err)
		return nil
	}
	given := func(option, config *int32) bool { return source != nil || option != nil || config != nil }
	if !given(v.opt.MaskID, v.source.MaskID) || !given(v.opt.EOSID, v.source.EOSID) {
		v.about(Warning, KindTokenID, "the ids of mask and end token are not checked: config.json does not name both; give them")
		return nil
	}
	want, err := v.source.tokenKeys(Options{MaskID: v.opt.MaskID, EOSID: v.opt.EOSID})
	if err != nil {
		return err
	}
	v.compareKeys(KindTokenizer, keyValues(got), want)
	if source != nil {
		v.checkTexts(source, file)
		v.checkChats(source, file)
	}
	return nil
}

// compareKeys reports the keys that differ.
func (v *verifier) compareKeys(kind Kind, got, want gguf.Metadata) {
	about := func(key, format string, args ...any) {
		k := kind
		if strings.HasSuffix(key, "_token_id") {
			k = KindTokenID
		}
		v.about(Fault, k, key+" "+format, args...)
	}
	for _, kv := range want {
		value, ok := got.Lookup(kv.Key)
		if !ok {
			about(kv.Key, "is missing; it is %s", brief(kv.Value))
		} else if text := difference(value, kv.Value); text != "" {
			about(kv.Key, "%s", text)
		}
	}
	for _, kv := range got {
		if _, ok := want.Lookup(kv.Key); !ok {
			about(kv.Key, "is %s, and the checkpoint has nothing that it could be from", brief(kv.Value))
		}
	}
}

// difference says how a value or a list differs from the one that is wanted, of
// the same type; "" if it does not.
func difference(got, want any) string {
	a, b := reflect.ValueOf(got), reflect.ValueOf(want)
	switch {
	case reflect.DeepEqual(got, want):
		return ""
	case a.Kind() != reflect.Slice || b.Kind() != reflect.Slice:
		return fmt.Sprintf("is %s, not %s", brief(got), brief(want))
	case a.Len() != b.Len():
		return fmt.Sprintf("has %d elements, not %d", a.Len(), b.Len())
	}
	count, first := 0, 0
	for i := a.Len() - 1; i >= 0; i-- {
		if !a.Index(i).Equal(b.Index(i)) {
			count, first = count+1, i
		}
	}
	return fmt.Sprintf("has %d of %d elements that differ, the first, number %d, is %s, not %s",
		count, a.Len(), first, brief(a.Index(first).Interface()), brief(b.Index(first).Interface()))
}

// brief shows a value in a sentence.
func brief(v any) string {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice:
		return fmt.Sprintf("a list of %d", r.Len())
	case reflect.String:
		s := r.String()
		if len(s) > 60 {
			s = s[:60] + "…"
		}
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
}
