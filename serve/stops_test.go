package serve

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStops holds the search against its rule, said in another way: for texts of few
// letters, in pieces of any length.
func TestStops(t *testing.T) {
	rng := rand.New(rand.NewPCG(52, 1))
	word := func(most int) string {
		b := make([]byte, 1+rng.IntN(most))
		for i := range b {
			b[i] = "aab"[rng.IntN(3)]
		}
		return string(b)
	}
	cut, held := 0, 0
	for range 5000 {
		var texts []string
		for range rng.IntN(4) {
			texts = append(texts, word(6))
		}
		s := newStops(texts)
		stream, seen, out := word(30), "", ""
		for rest := stream; rest != ""; {
			n := 1 + rng.IntN(len(rest))
			for _, c := range []byte(rest[:n]) { // what is seen ends with the first stop
				if !s.cut && !stopped(seen, texts) {
					seen += string(c)
				}
			}
			out += s.write(rest[:n])
			rest = rest[n:]
			require.Equal(t, before(seen, texts), out, "%q of %q", texts, stream)
			require.Equal(t, stopped(seen, texts), s.cut)
			if len(out) < len(seen) && !s.cut {
				held++
			}
		}
		out += s.flush()
		if s.cut {
			cut++
			require.Equal(t, before(seen, texts), out)
		} else {
			require.Equal(t, stream, out)
		}
	}
	require.Greater(t, cut, 1000)
	require.Greater(t, held, 500)
}

// stopped reports whether a text ends with a stop.
func stopped(seen string, texts []string) bool {
	for _, text := range texts {
		if strings.HasSuffix(seen, text) {
			return true
		}
	}
	return false
}

// before returns what may be shown of what was seen, in which only the end may be a stop.
func before(seen string, texts []string) string {
	hold := 0
	ended := stopped(seen, texts)
	for _, text := range texts {
		for n := len(text); n > 0; n-- {
			if strings.HasSuffix(seen, text[:n]) && (!ended || n == len(text)) {
				hold = max(hold, n)
			}
		}
	}
	return seen[:len(seen)-hold]
}

func FuzzStops(f *testing.F) {
	f.Add("abcabd", "abd", "c", 2)
	f.Add("ééé", "é", "xé", 3)
	f.Fuzz(func(t *testing.T, stream, one, two string, piece int) {
		if one == "" || two == "" || piece < 1 {
			t.Skip()
		}
		s := newStops([]string{one, two})
		out := ""
		for rest := stream; rest != ""; {
			n := min(piece, len(rest))
			out += s.write(rest[:n])
			rest = rest[n:]
		}
		out += s.flush()
		require.True(t, strings.HasPrefix(stream, out))
		require.Equal(t, strings.Contains(stream, one) || strings.Contains(stream, two), s.cut)
		require.NotContains(t, out, one)
		require.NotContains(t, out, two)
	})
}
