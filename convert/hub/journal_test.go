package hub

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSpans compares spans with one flag a byte.
func TestSpans(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		const size = 40
		var has [size]bool
		var s spans
		for range r.IntN(12) {
			from := r.Int64N(size)
			to := from + r.Int64N(size-from+1)
			s = s.add(span{from, to})
			for i := from; i < to; i++ {
				has[i] = true
			}
		}
		for i := 1; i < len(s); i++ {
			require.Less(t, s[i-1].to, s[i].from, "apart, in order")
		}
		limit := 1 + r.Int64N(10)
		gaps := s.missing(size, limit)
		var got [size]bool
		for i := range got {
			got[i] = true
		}
		for _, g := range gaps {
			require.True(t, g.from < g.to && g.to-g.from <= limit)
			for i := g.from; i < g.to; i++ {
				require.True(t, got[i], "twice")
				got[i] = false
			}
		}
		require.Equal(t, has, got)
		require.EqualValues(t, size, s.bytes()+gaps.bytes())
	}
}

var journalled = remote{Name: "x", Size: 1000, SHA256: strings.Repeat("a", 64)}

func journal(parts ...span) string {
	head := journalHead(&journalled)
	text := head
	for _, s := range parts {
		text += journalLine(head, s)
	}
	return text
}

// TestParseJournal: of a journal that was torn anywhere, or damaged, what is before that counts.
func TestParseJournal(t *testing.T) {
	parts := []span{{0, 100}, {200, 300}, {100, 150}}
	text := journal(parts...)
	ends := []int{len(journal()), len(journal(parts[:1]...)), len(journal(parts[:2]...)), len(text)}
	for cut := range len(text) + 1 {
		done, valid := parseJournal([]byte(text[:cut]), &journalled)
		want, n := spans(nil), 0
		for i, end := range ends {
			if cut >= end {
				if n = end; i > 0 {
					want = want.add(parts[i-1])
				}
			}
		}
		require.Equal(t, n, valid, "cut at %d", cut)
		require.Equal(t, want, done)
	}
	for at := range len(text) {
		bad := []byte(text)
		bad[at] ^= 0x10
		_, valid := parseJournal(bad, &journalled)
		require.LessOrEqual(t, valid, at, "damaged at %d", at)
	}
	other := journalled
	other.Size = 999
	_, valid := parseJournal([]byte(text), &other)
	assert.Zero(t, valid)
	for _, s := range []span{{5, 5}, {-1, 5}, {0, 1001}, {9, 8}} {
		done, _ := parseJournal([]byte(journal(s)), &journalled)
		assert.Empty(t, done, "%v", s)
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(journal()))
	f.Add([]byte(journal(span{0, 100}, span{100, 1000})))
	f.Add([]byte(journal(span{0, 100}) + "100 1000 00000000\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		done, valid := parseJournal(data, &journalled)
		require.LessOrEqual(t, valid, len(data))
		require.LessOrEqual(t, done.bytes(), journalled.Size)
		if valid == 0 {
			require.Empty(t, done)
			return
		}
		again, n := parseJournal(data[:valid], &journalled)
		require.Equal(t, valid, n)
		require.Equal(t, done, again)
		more := journalLine(journalHead(&journalled), span{7, 9})
		again, n = parseJournal(append(data[:valid:valid], more...), &journalled)
		require.Equal(t, valid+len(more), n, "a journal goes on behind what is believed of it")
		require.Equal(t, done.add(span{7, 9}), again)
	})
}

// TestPartial: the journal counts only with its file, and the file with its journal.
func TestPartial(t *testing.T) {
	none := func(string) {}
	for name, hurt := range map[string]func(t *testing.T, base string){
		"":                func(*testing.T, string) {},
		"without file":    func(t *testing.T, base string) { require.NoError(t, os.Remove(base+partialEnd)) },
		"without journal": func(t *testing.T, base string) { require.NoError(t, os.Remove(base+journalEnd)) },
		"other length":    func(t *testing.T, base string) { require.NoError(t, os.Truncate(base+partialEnd, 999)) },
		"other journal": func(t *testing.T, base string) {
			require.NoError(t, os.WriteFile(base+journalEnd, []byte("x"), 0o666))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p, err := openPartial(dir, &journalled, none)
			require.NoError(t, err)
			require.NoError(t, p.commit(span{10, 20}))
			require.NoError(t, p.commit(span{30, 30}))
			p.close()
			hurt(t, p.base)
			p, err = openPartial(dir, &journalled, none)
			require.NoError(t, err)
			if name == "" {
				assert.Equal(t, spans{{10, 20}}, p.done)
			} else {
				assert.Empty(t, p.done)
			}
			require.NoError(t, p.commit(span{40, 50}))
			done, valid := partialDone(dir, &journalled)
			assert.Equal(t, p.done, done)
			data, err := os.ReadFile(p.base + journalEnd)
			require.NoError(t, err)
			assert.Len(t, data, valid)
			assert.Len(t, list(t, dir), 2)
			require.NoError(t, p.finish(filepath.Join(dir, "sub", "x")))
			assert.Equal(t, []string{"sub"}, list(t, dir))
		})
	}
}
