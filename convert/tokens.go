package convert

import (
	"fmt"

	"lladakit/internal/gguf"
	"lladakit/internal/tokenizer"
)

// tokenKeys returns the tokenizer's metadata, or for a checkpoint without
// tokenizer the two ids that decoding needs.
func (c *Checkpoint) tokenKeys(opt Options) (gguf.Metadata, error) {
	masks := []claim{{"the options", opt.MaskID}, {"config.json", c.MaskID}}
	ends := []claim{{"the options", opt.EOSID}, {"config.json", c.EOSID}}
	if c.Tokenizer != nil {
		special := c.Tokenizer.Special()
		if special.EOS < 0 {
			return nil, fmt.Errorf("tokenizer.json: there is no end token")
		}
		masks = append(masks, claim{"the tokenizer", &special.Mask})
		ends = append(ends, claim{"the tokenizer", &special.EOS})
	}
	mask, err := agree("mask", c.Config.Vocab, masks)
	if err != nil {
		return nil, err
	}
	eos, err := agree("end", c.Config.Vocab, ends)
	if err != nil {
		return nil, err
	}
	if mask == nil || eos == nil {
		return nil, fmt.Errorf("no tokenizer.json, and config.json lacks mask_token_id or eos_token_id: give both ids")
	}
	if *mask == *eos {
		return nil, fmt.Errorf("mask and end token have the same id %d", *mask)
	}
	if c.Tokenizer == nil {
		return keyValues(tokenizer.NoVocab(*mask, *eos)), nil
	}
	kvs, err := c.Tokenizer.KeyValues(c.Config.Vocab)
	return keyValues(kvs), err
}

// claim is an id that somebody gives for a token; nil when he does not.
type claim struct {
	by string
	id *int32
}

// agree returns the id that all claims give; nil when there is none.
func agree(what string, vocab int, claims []claim) (*int32, error) {
	var first claim
	for _, c := range claims {
		switch {
		case c.id == nil:
		case *c.id < 0 || int(*c.id) >= vocab:
			return nil, fmt.Errorf("%s id %d of %s is outside the vocabulary of %d", what, *c.id, c.by, vocab)
		case first.id == nil:
			first = c
		case *c.id != *first.id:
			return nil, fmt.Errorf("%s id %d of %s is not %d, the one of %s", what, *first.id, first.by, *c.id, c.by)
		}
	}
	return first.id, nil
}

func keyValues(kvs []tokenizer.KeyValue) gguf.Metadata {
	md := make(gguf.Metadata, len(kvs))
	for i, kv := range kvs {
		md[i] = gguf.KeyValue(kv)
	}
	return md
}
