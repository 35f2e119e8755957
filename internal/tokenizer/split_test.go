package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func pieces(s string) (out []string) {
	for s != "" {
		n := pieceLen(s)
		out = append(out, s[:n])
		s = s[n:]
	}
	return out
}

// oracle cuts text with the expression itself.
func oracle(t testing.TB, s string) (out []string) {
	m, err := splitRegexp.FindStringMatch(s)
	for ; m != nil && err == nil; m, err = splitRegexp.FindNextMatch(m) {
		out = append(out, m.String())
	}
	require.NoError(t, err)
	return out
}

var splitRegexp = regexp2.MustCompile(splitPattern)

func TestPieces(t *testing.T) {
	for _, want := range [][]string{
		{"Hello", ",", " world", "!"},
		{"don", "'t", " WE", "'LL", " he", "'s", "tar"},
		{"o", "'ſ", "x"}, // (?i) folds the long s to s
		{"'hello", "'"},  // no contraction: the apostrophe goes with the word
		{"1", "2", "3", "٤"},
		{"x", " ", "1"},
		{"a", "  ", " b"},
		{"a", " \n\n", " ", " b"},
		{"a", "\t", "\tb"},
		{"end", ".\n\n", " ", " Next"},
		{" ...\r\n", "\u0085", "5"},
		{"e", "\u0301te"}, // a combining mark is no letter
		{"  "},
		{"\u00a0word"},
		{" 👩\u200d💻", " ok"},
	} {
		assert.Equal(t, want, pieces(strings.Join(want, "")), "%q", want)
	}
}

func TestPiecesOfInvalidUTF8(t *testing.T) {
	assert.Equal(t, []string{"a", " \xff\xc3"}, pieces("a \xff\xc3"))
	assert.Equal(t, []string{"\xffa"}, pieces("\xffa"))
}

func TestPiecesLikeRegexp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		s := randomText(r, 24)
		require.Equal(t, oracle(t, s), pieces(s), "%q", s)
	}
}

func FuzzPieces(f *testing.F) {
	for _, s := range odd {
		f.Add(s + "a'" + s + " " + s)
	}
	f.Add("a \xff\xc3")
	f.Fuzz(func(t *testing.T, s string) {
		got := pieces(s)
		require.Equal(t, s, strings.Join(got, ""))
		if utf8.ValidString(s) {
			require.Equal(t, oracle(t, s), got)
		}
	})
}
