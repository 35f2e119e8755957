package tokenizer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The questions of the tiny checkpoint's two tasks.
const (
	mathUser = "%s\nPlease reason step by step, and put your final answer within \\boxed{}."
	codeUser = "Read the following function signature and docstring, and fully implement the function described. " +
		"Your response should only contain the code for this function.\n%s"
)

// lines decodes a JSON value of each line.
func lines[T any](t *testing.T, name string) (out []T) {
	t.Helper()
	s := bufio.NewScanner(bytes.NewReader(read(t, name)))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var v T
		require.NoError(t, json.Unmarshal(s.Bytes(), &v))
		out = append(out, v)
	}
	return out
}

// TestReference compares with what the reference implementation, written in
// Python, made of the tiny checkpoint's tasks.
func TestReference(t *testing.T) {
	expected := lines[struct {
		Task           string
		Prompt, Tokens []int32
		Text           string
	}](t, "../tiny/testdata/expected.jsonl")
	questions := make(map[string][]string)
	for _, r := range lines[struct{ Question string }](t, tinyModel+"tiny-gsm8k.jsonl") {
		questions["tiny-gsm8k"] = append(questions["tiny-gsm8k"], strings.Replace(mathUser, "%s", r.Question, 1))
	}
	for _, r := range lines[struct{ Prompt string }](t, tinyModel+"tiny-humaneval.jsonl") {
		questions["tiny-humaneval"] = append(questions["tiny-humaneval"], strings.Replace(codeUser, "%s", r.Prompt, 1))
	}
	require.Len(t, expected, 300)

	tok := tiny(t)
	for i, e := range expected {
		require.NotEmpty(t, questions[e.Task], "line %d: %s", i+1, e.Task)
		ids, err := tok.EncodeChat([]Message{{"user", questions[e.Task][0]}})
		questions[e.Task] = questions[e.Task][1:]
		require.NoError(t, err)
		require.Equal(t, e.Prompt, ids, "line %d", i+1)
		require.Equal(t, e.Text, tok.Decode(e.Tokens, true), "line %d", i+1)
	}
}

func TestSpecial(t *testing.T) {
	tok := tiny(t)
	assert.Equal(t, Special{BOS: 1000, EOS: 1001, Pad: 1001, Mask: 1004, RoleEnd: 1009}, tok.Special())
	assert.Equal(t, 1012, tok.Size())
}

func TestPiece(t *testing.T) {
	tok := tiny(t)
	text, ok := tok.Piece(tok.Special().Mask)
	assert.True(t, ok)
	assert.Equal(t, "<|mask|>", text)
	ids := tok.Encode("é")
	require.Len(t, ids, 2)
	text, ok = tok.Piece(ids[0])
	assert.True(t, ok)
	assert.Equal(t, "\xc3", text, "half a character")
	for _, id := range []int32{-1, 999, 1012, 1 << 30, -1 << 31} {
		_, ok = tok.Piece(id)
		assert.False(t, ok, "%d", id)
	}
}

func TestEncodeAddedTokens(t *testing.T) {
	tok := tiny(t)
	s := tok.Special()
	assert.Empty(t, tok.Encode(""))
	assert.Equal(t, []int32{s.Mask, s.Mask}, tok.Encode("<|mask|><|mask|>"))
	ids := tok.Encode("a<|mask|> b")
	assert.Equal(t, s.Mask, ids[1])
	assert.Equal(t, "a b", tok.Decode(ids, true))
	assert.Equal(t, "a<|mask|> b", tok.Decode(ids, false))
	// tool_call is an added token, but not special.
	assert.Equal(t, "<tool_call>x", tok.Decode(tok.Encode("<tool_call>x"), true))
}

func TestDecodeOfIDsWithoutToken(t *testing.T) {
	assert.Equal(t, "", tiny(t).Decode([]int32{999, -1, 5000}, false))
}

func TestRoundTrip(t *testing.T) {
	tok := tiny(t)
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		s := randomText(r, 40)
		require.Equal(t, s, tok.Decode(tok.Encode(s), false))
	}
}

func TestInvalidUTF8(t *testing.T) {
	tok := tiny(t)
	// The number of replacements is that of Python's errors="replace".
	for in, want := range map[string]string{
		"a\xff\xfeb":               "a\ufffd\ufffdb",
		"\xe2\x82":                 "\ufffd",
		"\xe2\x82x":                "\ufffdx",
		"\xf0\x9f\x98\xf0\x9f":     "\ufffd\ufffd",
		"\xe0\x80\x80":             "\ufffd\ufffd\ufffd",
		"\xed\xa0\x80":             "\ufffd\ufffd\ufffd",
		"\xf4\x90\x80\x80":         "\ufffd\ufffd\ufffd\ufffd",
		"\xc0\xaf\xc3\xa9\xef\xbf": "\ufffd\ufffdé\ufffd",
	} {
		ids := tok.Encode(in)
		var raw string
		for _, id := range ids {
			p, _ := tok.Piece(id)
			raw += p
		}
		assert.Equal(t, in, raw, "the bytes are kept")
		assert.Equal(t, want, tok.Decode(ids, false), "%q", in)
	}
}

// TestDecoder cuts random ids, whose bytes are mostly no UTF-8, into random parts.
func TestDecoder(t *testing.T) {
	tok := tiny(t)
	r := rand.New(rand.NewPCG(5, 6))
	for range 5000 {
		var ids []int32
		if r.IntN(2) == 0 {
			ids = tok.Encode(randomText(r, 12))
		}
		for range r.IntN(12) {
			ids = append(ids, int32(r.IntN(1024)))
		}
		skip := r.IntN(2) == 0
		d := tok.NewDecoder(skip)
		var got strings.Builder
		for at := 0; at < len(ids); {
			n := min(r.IntN(4), len(ids)-at)
			part := d.Write(ids[at : at+n]...)
			require.True(t, utf8.ValidString(part))
			got.WriteString(part)
			at += n
		}
		got.WriteString(d.Flush())
		require.Equal(t, tok.Decode(ids, skip), got.String())
		require.Empty(t, d.Flush())
	}
}

func TestDecoderHoldsBack(t *testing.T) {
	tok := tiny(t)
	d := tok.NewDecoder(true)
	ids := tok.Encode("😀")
	require.Len(t, ids, 4)
	assert.Equal(t, "", d.Write(ids[:3]...))
	assert.Equal(t, "😀", d.Write(ids[3]))
	assert.Equal(t, "", d.Write(ids[:2]...))
	assert.Equal(t, "\ufffd", d.Flush())
}

func TestConcurrentUse(t *testing.T) {
	tok := tiny(t)
	text := "Ada has 12 apples.\n" + strings.Repeat("abc", 100)
	want := tok.Encode(text)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				assert.Equal(t, want, tok.Encode(text))
				assert.Equal(t, text, tok.Decode(want, true))
			}
		})
	}
	wg.Wait()
}

func BenchmarkEncode(b *testing.B) {
	tok := tiny(b)
	text := strings.Repeat("Ada has 12 apples and gives 5 of them to Ben. How many are left?\n", 100)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tok.Encode(text)
	}
}
