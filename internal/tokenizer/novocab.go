package tokenizer

// NoVocab returns the key-values of a file without a vocabulary, which can only
// be run on ids: the two that decoding needs.
func NoVocab(mask, eos int32) []KeyValue {
	return []KeyValue{
		{keyModel, "no_vocab"},
		{keyEOS, uint32(eos)},
		{keyMask, uint32(mask)},
	}
}

// NoVocabIDs returns the ids that a file without a vocabulary names; -1 for the
// others.
func NoVocabIDs(m Metadata) (Special, error) {
	s := Special{BOS: -1, EOS: -1, Pad: -1, Mask: -1, RoleEnd: -1}
	for _, c := range []struct {
		key string
		id  *int32
	}{{keyEOS, &s.EOS}, {keyMask, &s.Mask}} {
		id, ok, err := value[uint32](m, c.key)
		if err != nil {
			return s, err
		}
		if ok {
			*c.id = int32(min(id, 1<<31-1))
		}
	}
	return s, nil
}
