package runtime_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/internal/tiny"
	"lladakit/internal/tokenizer"
)

// solution is what the oracle made of a held-out problem of the tiny checkpoint.
type solution struct {
	Task     string  `json:"task"`
	Prompt   []int   `json:"prompt"`
	Tokens   []int   `json:"tokens"`
	Forwards int     `json:"forwards"`
	Margin   float64 `json:"smallest_margin"`
	Text     string  `json:"text"`
	Correct  bool    `json:"correct"`
}

// solved returns the oracle's answers: 200 word problems, then 100 code ones.
func solved(t testing.TB) []solution {
	t.Helper()
	data, err := os.ReadFile("../internal/tiny/testdata/expected.jsonl")
	require.NoError(t, err)
	var all []solution
	for line := range strings.Lines(string(data)) {
		var s solution
		require.NoError(t, json.Unmarshal([]byte(line), &s))
		all = append(all, s)
	}
	require.Len(t, all, 300)
	return all
}

// fullVariable names the environment variable that makes tests run on all data
// instead of a part.
const fullVariable = "LLADA_TEST_FULL"

// TestTinyProblems answers held-out problems at the recommended settings,
// through the chat form. Every answer must be the oracle's to the token, unless
// one of its decisions was closer than float32 can tell; and at least as many
// must be right as the oracle had right (91 of 200 and 96 of 100 in all).
func TestTinyProblems(t *testing.T) {
	m := loadTiny(t, gguf.BF16)
	words, err := tiny.WordProblems()
	require.NoError(t, err)
	codes, err := tiny.CodeProblems()
	require.NoError(t, err)
	expected := solved(t)

	numbers := map[string][2]int{"tiny-gsm8k": {0, 20}, "tiny-humaneval": {0, 20}}
	if os.Getenv(fullVariable) != "" {
		numbers = map[string][2]int{"tiny-gsm8k": {0, 200}, "tiny-humaneval": {0, 100}}
	}
	right, want := map[string]int{}, map[string]int{}
	for i, x := range expected {
		n := i
		if x.Task == "tiny-humaneval" {
			n = i - len(words)
		}
		if n >= numbers[x.Task][1] {
			continue
		}
		user := ""
		if x.Task == "tiny-gsm8k" {
			user = words[n].User()
		} else {
			user = codes[n].User()
		}
		prompt, err := m.Tokenizer.EncodeChat([]tokenizer.Message{{Role: "user", Content: user}})
		require.NoError(t, err)
		require.Equal(t, toIDs(x.Prompt), prompt, "%s %d", x.Task, n)

		opt := m.Defaults()
		require.Equal(t, []any{32, 32, float32(0.95)}, []any{opt.BlockLength, opt.Steps, opt.Threshold})
		opt.GenLength = 96
		got, err := m.Generate(t.Context(), prompt, opt)
		require.NoError(t, err)
		text := m.Tokenizer.Decode(got.IDs, true)
		if x.Margin > 1e-4 {
			assert.Equal(t, toIDs(x.Tokens), got.IDs, "%s %d", x.Task, n)
			assert.Equal(t, x.Forwards, got.Forwards.Denoise, "%s %d", x.Task, n)
			assert.Equal(t, x.Text, text)
		}
		if x.Correct {
			want[x.Task]++
		}
		// Model-written code is not run here: what the oracle's run of the same
		// text said, stands; another text must have the canonical solution.
		switch {
		case x.Task == "tiny-gsm8k" && strings.Contains(text, `\boxed{`+words[n].Result()+`}`),
			x.Task == "tiny-humaneval" && (text == x.Text && x.Correct || strings.Contains(text, strings.TrimSpace(codes[n].CanonicalSolution))):
			right[x.Task]++
		}
	}
	for task := range numbers {
		t.Logf("%s: %d of %d right, the oracle had %d", task, right[task], numbers[task][1], want[task])
		assert.GreaterOrEqual(t, right[task], want[task], task)
		assert.Positive(t, want[task])
	}
}
