package tokenizer

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const tinyModel = "../tiny/model/"

// tiny returns the tokenizer of the tiny checkpoint.
func tiny(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := FromJSON(read(t, tinyModel+"tokenizer.json"), read(t, tinyModel+"tokenizer_config.json"))
	require.NoError(t, err)
	return tok
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return data
}

// document is a JSON file that a test may change before it is read.
type document map[string]any

func tinyDocument(t testing.TB) document {
	t.Helper()
	var d document
	require.NoError(t, json.Unmarshal(read(t, tinyModel+"tokenizer.json"), &d))
	return d
}

func (d document) bytes(t testing.TB) []byte {
	t.Helper()
	data, err := json.Marshal(d)
	require.NoError(t, err)
	return data
}

// at returns the object under the given keys; numbers index lists.
func (d document) at(path ...any) map[string]any {
	var v any = map[string]any(d)
	for _, p := range path {
		switch p := p.(type) {
		case string:
			v = v.(map[string]any)[p]
		case int:
			v = v.([]any)[p]
		}
	}
	return v.(map[string]any)
}

// metadata is the key-values of a GGUF file.
type metadata map[string]any

func (m metadata) Lookup(key string) (any, bool) {
	v, ok := m[key]
	return v, ok
}

func toMetadata(t testing.TB, tok *Tokenizer, vocabSize int) metadata {
	t.Helper()
	kvs, err := tok.KeyValues(vocabSize)
	require.NoError(t, err)
	m := make(metadata)
	for _, kv := range kvs {
		m[kv.Key] = kv.Value
	}
	return m
}

// odd holds characters on which pre-tokenizers and decoders differ.
var odd = strings.Split("'|'|'|s|S|ſ|d|ll|LL|ve|Re|t|m|K|a|é|ß|字|か|١|5|7|²|Ⅷ|½| | | |  |\t|\n|\r|\r\n|"+
	"\u0085|\u00a0|\u1680|\u2003|\u2028|\u202f|\u3000|\u200b|\ufeff|\u001c|\u180e|.|,|!|-|_|{}|\u0301|\u0327|\u0344|\u0e31|"+
	"👩\u200d💻|😀|🇩🇪|\U000e0100|\ufffd|\x00|ǆ|ﬃ|\u1100\u1161\u11a8|<|\\|", "|")

// randomText returns up to n characters, most of them odd.
func randomText(r *rand.Rand, n int) string {
	var b strings.Builder
	for range r.IntN(n + 1) {
		switch r.IntN(8) {
		case 0:
			b.WriteRune(rune('a' + r.IntN(26)))
		case 1: // WriteRune makes U+FFFD of surrogates
			b.WriteRune(rune(r.IntN(0x11000)))
		default:
			b.WriteString(odd[r.IntN(len(odd))])
		}
	}
	return b.String()
}
