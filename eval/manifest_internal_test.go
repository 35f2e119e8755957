package eval

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const oneManifest = `{"run":1,"model":{"name":"m"},"settings":{"a":1},"gen_length":0,"repeats":2,"seed":0,"limit":3,"shard":"2/3",
"data":[{"name":"d","sha256":"x","records":9}],
"tasks":[{"task":"t","version":1,"data":"d","asked":"d","gen_length":5,"records":9,"documents":3,"prompts":"y"}]}`

// What is read is written the same again, and nothing that is read can do harm.
func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(oneManifest))
	f.Add([]byte(`{"run":1,"repeats":1,"settings":null}`))
	f.Add([]byte(`{"run":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err != nil {
			return
		}
		m.eval()
		require.GreaterOrEqual(t, m.missing(nil), 0)
		dir := t.TempDir()
		require.NoError(t, m.write(dir))
		again, err := readManifest(dir)
		require.NoError(t, err)
		require.Equal(t, m, again)
		require.Empty(t, m.grow(again))
	})
}

func TestParseManifestRefuses(t *testing.T) {
	for want, change := range map[string][2]string{
		"version 2":     {`"run":1`, `"run":2`},
		"unknown field": {`"limit"`, `"other"`},
		"0 repeats":     {`"repeats":2`, `"repeats":0`},
		"no shard":      {`"2/3"`, `"4/3"`},
		"10 documents":  {`"documents":3`, `"documents":10`},
		"no name":       {`"task":"t"`, `"task":""`},
		"settings":      {`"settings":{"a":1},`, ``},
	} {
		if want == "no shard" {
			want = "is not a shard"
		}
		_, err := parseManifest([]byte(strings.Replace(oneManifest, change[0], change[1], 1)))
		assert.ErrorContains(t, err, want)
	}
	_, err := parseManifest([]byte(strings.Repeat(" ", mostManifest+1)))
	require.ErrorContains(t, err, "MiB")
}

func FuzzParseShard(f *testing.F) {
	f.Add("2/3")
	f.Add("auto")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseShard(text)
		if err != nil {
			return
		}
		again, err := ParseShard(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again)
		for i := range 5 {
			require.Len(t, s.take(make([]int, i)), s.of(i))
		}
	})
}

func TestOneLine(t *testing.T) {
	assert.Equal(t, "a b", oneLine(" a\n\tb "))
	assert.Equal(t, "<f at 0x…>", oneLine("<f at 0x7f001234>"))
	assert.Equal(t, "0x10", oneLine("0x10"))
	long := oneLine(strings.Repeat("ä", 1000))
	assert.LessOrEqual(t, len(long), 303)
	assert.True(t, strings.HasSuffix(long, "ä…"))
	assert.Equal(t, "a�b", oneLine("a\xffb"))
}

func TestSampleSeed(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(3) {
		for _, doc := range []string{"a", "b", "ab"} {
			for repeat := range 3 {
				s := sampleSeed(seed, doc, repeat)
				assert.Equal(t, s, sampleSeed(seed, doc, repeat))
				assert.Less(t, s, uint64(1)<<53)
				seen[s] = true
			}
		}
	}
	assert.Len(t, seen, 27)
}

// A full disk, or whatever else ends the file, is not written behind.
func TestSamplesAfterFailure(t *testing.T) {
	m, err := parseManifest([]byte(oneManifest))
	require.NoError(t, err)
	s, err := openSamples(t.TempDir()+"/samples.jsonl", m)
	require.NoError(t, err)
	require.NoError(t, s.file.Close())
	item := item{}
	first := s.add(&item.sample)
	require.ErrorIs(t, first, os.ErrClosed)
	require.Equal(t, first, s.add(&item.sample))
	require.Empty(t, s.list)
}
