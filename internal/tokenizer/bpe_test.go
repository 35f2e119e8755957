package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// naive is the definition of byte pair encoding.
func naive(b *bpe, word string) []int32 {
	var ids []int32
	for i := range len(word) {
		ids = append(ids, b.symbols[word[i]])
	}
	for {
		best, at := merged{rank: noRank}, 0
		for i := 1; i < len(ids); i++ {
			if m := b.merge(ids[i-1], ids[i]); m.rank < best.rank {
				best, at = m, i-1
			}
		}
		if best.rank == noRank {
			return ids
		}
		ids = append(append(ids[:at:at], best.id), ids[at+2:]...)
	}
}

func TestAppendWord(t *testing.T) {
	b := &tiny(t).bpe
	r := rand.New(rand.NewPCG(7, 8))
	letters := " aeinorstthlddu"
	for range 5000 {
		word := make([]byte, 1+r.IntN(2*shortWord))
		for i := range word {
			word[i] = letters[r.IntN(len(letters))]
		}
		want := naive(b, string(word))
		require.Equal(t, want, b.appendWord(nil, string(word)), "%q", word)
		require.Equal(t, want, b.appendLong(nil, string(word)), "%q", word)
		if len(word) <= shortWord {
			require.Equal(t, want, b.appendShort(nil, string(word)), "%q", word)
		}
	}
}

// TestSelfOverlap has a vocabulary in which a pair overlaps itself, so that the
// leftmost must win, and in which merging makes new pairs of lower rank.
func TestSelfOverlap(t *testing.T) {
	tokens := make(map[string]int32)
	for c, r := range alphabet {
		tokens[string(r)] = int32(c)
	}
	merges := [][2]string{{"aa", "b"}, {"a", "a"}, {"aa", "aa"}, {"b", "aa"}}
	for i, m := range merges {
		tokens[m[0]+m[1]] = int32(256 + i)
	}
	b, err := newBPE(tokens, merges, "merges")
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(9, 10))
	for n := range 2 * shortWord {
		word := strings.Repeat("a", n+1)
		require.Equal(t, naive(&b, word), b.appendWord(nil, word), "%d", n+1)
		mixed := []byte(word)
		for i := range mixed {
			mixed[i] = "aaab"[r.IntN(4)]
		}
		require.Equal(t, naive(&b, string(mixed)), b.appendWord(nil, string(mixed)), "%s", mixed)
		require.Equal(t, naive(&b, string(mixed)), b.appendLong(nil, string(mixed)), "%s", mixed)
	}
}

func TestLongWord(t *testing.T) {
	tok := tiny(t)
	for _, letters := range []string{"a", "in", "the", "\u0301"} {
		text := strings.Repeat(letters, 1<<20/len(letters))
		start := time.Now()
		ids := tok.Encode(text)
		assert.Less(t, time.Since(start), 10*time.Second, "much more than the usual fraction of a second")
		assert.Equal(t, text, tok.Decode(ids, false))
	}
}
