package convert_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/arch"
	"lladakit/internal/gguf"
)

func TestVerifyFindsMetadata(t *testing.T) {
	dir := toy().write(t)
	honest := load(t, dir, gguf.F16)
	cfg := configOf(t, dir)
	about := func(key string) []found { return []found{{convert.KindMetadata, "", -1, key}} }
	check := func(m *model, key string) {
		v := verify(t, dir, m.file(t), convert.VerifyOptions{})
		require.Equal(t, 1, v.Faults, key)
		require.Equal(t, convert.KindMetadata, v.Findings[0].Kind)
		if _, err := arch.FromMetadata(m.md); err == nil { // else the reader says what is wrong
			require.Contains(t, v.Findings[0].Text, key)
		}
	}
	for _, kv := range cfg.Metadata() {
		if kv.Key == "general.name" {
			continue
		}
		m := honest.clone()
		switch v := kv.Value.(type) {
		case uint32:
			m.set(kv.Key, v+1)
		case float32:
			m.set(kv.Key, v*1.5)
		case bool:
			m.set(kv.Key, !v)
		case string:
			m.set(kv.Key, v+"x")
		}
		check(m, kv.Key)
		m.set(kv.Key, []int32{1})
		check(m, kv.Key)
		m.set(kv.Key, nil)
		v := verify(t, dir, m.file(t), convert.VerifyOptions{})
		got, err := arch.FromMetadata(m.md) // readers assume the right value, another one, or none
		got.Name = cfg.Name
		require.Equal(t, err != nil || !reflect.DeepEqual(got.Metadata(), cfg.Metadata()), v.Faults == 1, kv.Key)
		require.Len(t, v.Findings, v.Faults)
	}
	m := honest.clone()
	m.set("llada2.nextn_predict_layers", uint32(1))
	require.Empty(t, missed(verify(t, dir, m.file(t), convert.VerifyOptions{}), about("nextn_predict_layers")))
	m = load(t, dir, gguf.Q8_0)
	m.set("general.quantization_version", uint32(3))
	require.Empty(t, missed(verify(t, dir, m.file(t), convert.VerifyOptions{}), about("quantization_version")))
	m.set("general.quantization_version", nil)
	require.Equal(t, convert.Warning, verify(t, dir, m.file(t), convert.VerifyOptions{}).Findings[0].Severity)
	// The two ids of a file without vocabulary.
	for _, name := range []string{"mask", "eos"} {
		m := honest.clone()
		m.set("tokenizer.ggml."+name+"_token_id", uint32(7))
		require.Empty(t, missed(verify(t, dir, m.file(t), convert.VerifyOptions{}), []found{{convert.KindTokenID, "", -1, "7"}}))
		m.set("tokenizer.ggml."+name+"_token_id", nil)
		v := verify(t, dir, m.file(t), convert.VerifyOptions{})
		require.Positive(t, v.Faults)
		require.Equal(t, convert.KindTokenID, v.Findings[0].Kind)
	}
}

func TestVerifyFindsTokenizer(t *testing.T) {
	dir := verified(t)["tiny"]
	honest := load(t, dir, gguf.Q8_0)
	list := func(m *model, key string) []string {
		v, ok := m.md.Lookup(key)
		require.True(t, ok)
		all := slices.Clone(v.([]string))
		m.set(key, all)
		return all
	}
	const tokens, merges, types = "tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.token_type"
	for name, c := range map[string]struct {
		damage func(m *model)
		kind   convert.Kind
		text   string
	}{
		"tokens swapped": {func(m *model) { x := list(m, tokens); x[40], x[41] = x[41], x[40] },
			convert.KindTokenizer, tokens + " has 2 of "},
		"merges swapped": {func(m *model) { x := list(m, merges); x[3], x[4] = x[4], x[3] },
			convert.KindTokenizer, merges + " has 2 of "},
		"merge missing": {func(m *model) { x := list(m, merges); m.set(merges, x[:len(x)-1]) },
			convert.KindTokenizer, merges + " has "},
		"text as control token": {func(m *model) {
			v, _ := m.md.Lookup(types)
			x := slices.Clone(v.([]int32))
			x[slices.Index(x, 1)] = 3
			m.set(types, x)
		}, convert.KindTokenizer, types},
		"normaliser":      {func(m *model) { toggle(m, "llada2.tokenizer.normalizer", "nfc") }, convert.KindTokenizer, "normalizer"},
		"no template":     {func(m *model) { m.set("tokenizer.chat_template", nil) }, convert.KindTokenizer, "chat_template is missing"},
		"other template":  {func(m *model) { m.set("tokenizer.chat_template", "{{ messages }}") }, convert.KindChat, "conversation"},
		"mask":            {func(m *model) { m.set("tokenizer.ggml.mask_token_id", uint32(9)) }, convert.KindTokenID, "mask_token_id is 9, not"},
		"end":             {func(m *model) { m.set("tokenizer.ggml.eos_token_id", uint32(9)) }, convert.KindTokenID, "eos_token_id is 9, not"},
		"pre-tokenizer":   {func(m *model) { m.set("tokenizer.ggml.pre", "gpt-2") }, convert.KindTokenizer, "gpt-2"},
		"no vocabulary":   {func(m *model) { m.set("tokenizer.ggml.model", "no_vocab") }, convert.KindTokenizer, "no vocabulary"},
		"broken":          {func(m *model) { m.set(types, []int32{1}) }, convert.KindTokenizer, types},
		"list of numbers": {func(m *model) { m.set(tokens, []int32{1}) }, convert.KindTokenizer, tokens},
	} {
		t.Run(name, func(t *testing.T) {
			m := honest.clone()
			c.damage(m)
			v := verify(t, dir, m.file(t), convert.VerifyOptions{})
			require.Positive(t, v.Faults)
			require.True(t, slices.ContainsFunc(v.Findings, func(f convert.Finding) bool {
				return f.Kind == c.kind && strings.Contains(f.Text, c.text)
			}), "%v", v.Findings)
		})
	}
	toyDir := toy().write(t) // without a tokenizer
	m := load(t, toyDir, gguf.F32)
	for _, kv := range honest.md {
		if strings.HasPrefix(kv.Key, "tokenizer.") {
			m.set(kv.Key, kv.Value)
		}
	}
	v := verify(t, toyDir, m.file(t), convert.VerifyOptions{})
	require.Equal(t, 1, v.Faults)
	require.Contains(t, v.Findings[0].Text, "the checkpoint has no tokenizer.json")
}

// toggle removes a key, or sets it where there is none.
func toggle(m *model, key, value string) {
	if _, ok := m.md.Lookup(key); ok {
		m.set(key, nil)
		return
	}
	m.set(key, value)
}
