package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tokenizeDocument is the contract of tokenize --json.
type tokenizeDocument struct {
	IDs    []int    `json:"ids"`
	Pieces []string `json:"pieces"`
	Text   string   `json:"text"`
}

func TestTokenize(t *testing.T) {
	tokenize := "tokenize --model " + models.tiny
	for _, text := range []string{"", "Hello, world", "6 + 10 = 16\n", "世界 🙂 é", "  \t\n", "<role>HUMAN</role>x<|role_end|>"} {
		got := document[tokenizeDocument](t, tokenize+" --json", "--text", text)
		assert.Equal(t, text, got.Text)
		require.Len(t, got.Pieces, len(got.IDs))
		assert.Equal(t, ids(got.IDs)+"\n", done(t, tokenize, "--text", text))
		assert.Equal(t, text+"\n", done(t, tokenize+" --ids="+ids(got.IDs)))
		assert.Equal(t, got, document[tokenizeDocument](t, tokenize+" --json --ids="+ids(got.IDs)))

		path := filepath.Join(t.TempDir(), "text")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		assert.Equal(t, got, document[tokenizeDocument](t, tokenize+" --json --text-file "+path))
		o := lladaInput(t, text, append(strings.Fields(tokenize), "--text-file", "-")...)
		require.NoError(t, o.err)
		assert.Equal(t, ids(got.IDs)+"\n", o.stdout)
	}
	got := document[tokenizeDocument](t, tokenize+" --json --text Hello")
	assert.Equal(t, "Hello", strings.Join(got.Pieces, ""))
	chat := document[tokenizeDocument](t, tokenize+" --json --chat --text Hello")
	assert.Equal(t, "<role>SYSTEM</role>detailed thinking off<|role_end|><role>HUMAN</role>Hello<|role_end|><role>ASSISTANT</role>", chat.Text)
}

func TestTokenizeWithoutVocabulary(t *testing.T) {
	for _, line := range []string{" --text x", " --ids 1", " --chat --text x"} {
		o := llada(t, "tokenize --model "+models.narrow+line)
		assert.Equal(t, 1, o.code)
		assert.EqualError(t, o.err, models.narrow+" has no vocabulary: it was converted from a checkpoint without tokenizer.json")
		assert.Empty(t, o.stdout)
	}
}
