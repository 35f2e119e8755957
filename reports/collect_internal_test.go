package reports

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// found lists what a collection has, kind by kind.
func found(c *Collection) []string {
	all := []string{}
	for _, r := range c.Benches {
		all = append(all, "bench "+r.Path)
	}
	for _, r := range c.Sweeps {
		all = append(all, "sweep "+r.Path)
	}
	for _, r := range c.Evals {
		all = append(all, fmt.Sprintf("eval %s of %s: %d", r.Path, r.Value.Path, len(r.Value.Samples)))
	}
	for _, r := range c.Divergences {
		all = append(all, "kld "+r.Path)
	}
	for _, r := range c.Verifications {
		all = append(all, "verification "+r.Path)
	}
	for _, r := range c.Conversions {
		all = append(all, "conversion "+r.Path)
	}
	for _, r := range c.Traces {
		all = append(all, fmt.Sprintf("trace %s: %d", r.Path, len(r.Value.Steps)))
	}
	return all
}

func problems(c *Collection) []string {
	all := []string{}
	for _, p := range c.Problems {
		all = append(all, p.Path+": "+p.Text)
	}
	return all
}

// folder returns files in memory.
func folder(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func packed(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func stored(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/versions/" + name)
	require.NoError(t, err)
	return string(data)
}

// The golden files have one result of every kind; what is missing in them is told.
func TestCollect(t *testing.T) {
	c, err := Collect("testdata/versions")
	require.NoError(t, err)
	assert.Equal(t, []string{
		"bench bench-1.json", "sweep sweep-1.json", "eval eval-1/results.json of eval-1: 18", "kld kld-1.json",
		"verification verification-1.json", "conversion conversion-1.json", "conversion conversion-2.json", "trace trace-1.jsonl: 2",
	}, found(c))
	assert.Equal(t, []string{
		"bench-1.json: interrupted: 5 of 8 tests",
		"bench-1.json: 1 of 5 tests have fewer repetitions than were asked for, the first cmd'1': it ended with 3",
		"eval-1/results.json: interrupted: 10 of 12 answers of gsm8k",
		"eval-1/results.json: 1 of 10 requests of gsm8k failed, and count as wrong",
		"eval-1/results.json: a part of the data alone: shard 2/3",
		"sweep-1.json: interrupted: 10 of 12 prompts, 3 whole repetitions",
		"verification-1.json: the file is not what its source says: 1 fault, the first fault: swapped: blk.1.ffn_up_exps.weight: expert 3 holds expert 5's weights",
	}, problems(c))
}

// What is no result is passed over, what is a damaged one is told, in the order of names.
func TestCollectKinds(t *testing.T) {
	bench, samples := stored(t, "bench-1.json"), stored(t, "eval-1/samples.jsonl")
	trace := stored(t, "trace-1.jsonl")
	lines := strings.SplitAfter(trace, "\n")
	for name, test := range map[string]struct {
		files           map[string]string
		found, problems []string
	}{
		"nothing": {nil, []string{}, []string{}},
		"no results": {map[string]string{
			"a.json": "", "b.json": "[1]", "c.json": `{"bench":{"x":1},"eval":"1","kld":null}`, "d.json": `{"a":1`, "e.json": "\x1f\x8b\x00", "f.txt": bench,
			"g.json": `{"comparison":1,"eval":1}`, "h.jsonl": `{"bench":1}` + "\n", "i.jsonl.gz": packed(t, `{"task_id":"HumanEval/0"}`), "j.jsonl": "", "tokenizer.json": `{"model":{"trace":1}}`,
			".git/b.json": bench, "x/results.json": "{}",
		}, []string{}, []string{}},
		"sorted keys":  {map[string]string{"a.json": `{"all":{},"by_mask_share":[],"kld":1}`}, []string{"kld a.json"}, []string{}},
		"two versions": {map[string]string{"a.json": `{"kld":1,"eval":1}`}, []string{"kld a.json"}, []string{}},
		"deep": {map[string]string{"1/2/3/4/5/6/7/8/a.json": `{"kld":1}`, "1/2/3/4/5/6/7/8/9/a.json": `{"kld":1}`},
			[]string{"kld 1/2/3/4/5/6/7/8/a.json"}, []string{"1/2/3/4/5/6/7/8/9: it is more than 8 folders deep, and left out"}},
		"damaged": {map[string]string{
			"a.json": bench[:len(bench)/2], "b.json": `{"sweep":2,"cells":1}`, "c.json": `{"kld":0}`, "d.json": `{"conversion":-1}`,
			"e.json": `{"verification":1,"faults":1}`, "f.jsonl": `{"trace":9}` + "\n", "g.jsonl": lines[0] + "x\n", "h.jsonl.gz": "\x1f\x8b", "z.json": `{"kld":1}`,
		}, []string{"kld z.json"}, []string{
			"a.json: no bench result: unexpected end of JSON input",
			"b.json: no result of a sweep: it has version 2, and this program reads up to 1: use a newer one",
			`c.json: no result of kld: it has no version under "kld"`,
			`d.json: no result of convert or quantize: it has no version under "conversion"`,
			"e.json: no result of verify: faults is 1, and 0 findings are some",
			"f.jsonl: no trace: line 1: version 9 is not between 1 and 1",
			"g.jsonl: no trace: line 2: invalid character 'x' looking for beginning of value",
			"h.jsonl.gz: it cannot be unpacked: unexpected EOF",
		}},
		"traces": {map[string]string{
			"a.jsonl.gz": packed(t, trace), "b.jsonl": lines[0] + lines[1], "c.jsonl": lines[0], "d.jsonl": trace[:len(trace)-5], "e.json": trace,
			"f.jsonl": lines[0] + `{"end":"interrupted","error":""}` + "\n", "g.jsonl": lines[0] + `{"end":"length","error":"disk\nfull"}` + "\n",
			"h.jsonl.gz": packed(t, trace)[:len(packed(t, trace))-10],
		}, []string{
			"trace a.jsonl.gz: 2", "trace b.jsonl: 1", "trace c.jsonl: 0", "trace d.jsonl: 2", "trace e.json: 2", "trace f.jsonl: 0", "trace g.jsonl: 0", "trace h.jsonl.gz: 2",
		}, []string{
			"b.jsonl: it is cut off after 1 step", "c.jsonl: it is cut off after 0 steps", "d.jsonl: it is cut off after 2 steps",
			"f.jsonl: interrupted after 0 steps", "g.jsonl: it ended with an error: disk·full",
		}},
		"evaluations": {map[string]string{
			"a/results.json": `{"eval":1}`, "b/samples.jsonl": samples, "c/results.json": `{"eval":1,"interrupted":true}`, "c/samples.jsonl": "{}\n",
			"d/results.json": `{"eval":1,"tasks":[{"task":"gsm8k","n":4,"asked":4}]}`, "d/samples.jsonl": samples + "{",
			"e/results.json": `{"ev`, "e/samples.jsonl": samples,
		}, []string{"eval a/results.json of a: 0", "eval c/results.json of c: 0", "eval d/results.json of d: 18"}, []string{
			"a/samples.jsonl: the samples of the evaluation are not there",
			"b/samples.jsonl: the evaluation has not ended: results.json is not beside it",
			`c/samples.jsonl: no samples: line 1: its key "" is not 64 hexadecimal digits`,
			"c/results.json: interrupted",
			"d/results.json: the last sample is cut off",
			"d/results.json: it is of 4 samples of gsm8k, and beside it are 10",
			"e/results.json: samples are beside it, and it is no result of an evaluation",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := collect(folder(test.files))
			require.NoError(t, err)
			assert.Equal(t, test.found, found(c))
			assert.Equal(t, test.problems, problems(c))
		})
	}
}

// However much there is, what is read is bounded.
func TestCollectBounds(t *testing.T) {
	one := `{"kld":1}`
	three := folder(map[string]string{"a.json": one, "b.json": one, "c.json": one})
	x := &collector{Collection: new(Collection), files: three, left: maxCollectBytes, entries: maxCollectEntries - 1}
	require.NoError(t, fs.WalkDir(x.files, ".", x.visit))
	assert.Equal(t, []string{"kld a.json"}, found(x.Collection))
	assert.Equal(t, []string{"b.json: there are more than 20000 files and folders: this one and what follows is left out"}, problems(x.Collection))

	// A little file can be much when it is unpacked.
	trace := stored(t, "trace-1.jsonl")
	for _, room := range []int{len(trace), len(trace) - 1} {
		x = &collector{Collection: new(Collection), files: folder(map[string]string{"a.jsonl.gz": packed(t, trace)}), left: maxCollectBytes, trace: int64(room)}
		require.NoError(t, fs.WalkDir(x.files, ".", x.visit))
		if room == len(trace) {
			assert.Equal(t, []string{"trace a.jsonl.gz: 2"}, found(x.Collection))
			continue
		}
		assert.Empty(t, found(x.Collection))
		assert.Equal(t, []string{"a.jsonl.gz: no trace: line 4: it is too large for a report, alone or with the results before it"}, problems(x.Collection))
	}

	// What is read before leaves less for what follows.
	x = &collector{Collection: new(Collection), files: three, left: int64(2 * len(one))}
	require.NoError(t, fs.WalkDir(x.files, ".", x.visit))
	assert.Equal(t, []string{"kld a.json", "kld b.json"}, found(x.Collection))
	assert.Equal(t, []string{"c.json: it is too large for a report, alone or with the results before it"}, problems(x.Collection))
}

// Links are not followed, and nothing outside the folder is read.
func TestCollectLinks(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "a.json"), []byte(`{"kld":1}`), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(outside, SamplesFile), nil, 0o666))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "eval"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "eval", ResultsFile), []byte(`{"eval":1}`), 0o666))
	for link, to := range map[string]string{
		"file.json": filepath.Join(outside, "a.json"), "folder": outside, "loop": dir, "eval/" + SamplesFile: filepath.Join(outside, SamplesFile),
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip("no links here: ", err)
		}
	}
	c, err := Collect(dir)
	require.NoError(t, err)
	assert.Equal(t, []string{"eval eval/results.json of eval: 0"}, found(c))
	assert.Equal(t, []string{"eval/samples.jsonl: the samples of the evaluation are not there"}, problems(c))

	_, err = Collect(filepath.Join(dir, "nothing"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = Collect(filepath.Join(outside, "a.json"))
	require.Error(t, err)
}

// Whatever a file has, collecting it neither fails nor lets texts through that are more
// than a line.
func FuzzCollect(f *testing.F) {
	for _, name := range []string{"bench-1.json", "sweep-1.json", "eval-1/results.json", "kld-1.json", "conversion-1.json", "verification-1.json", "trace-1.jsonl"} {
		f.Add(path.Base(name), []byte(stored(f, name)))
	}
	f.Add("x.jsonl.gz", []byte(packed(f, stored(f, "trace-1.jsonl"))))
	f.Add("a.json", []byte(`{"trace":1,"block_length":2}`+"\n"+`{"end":"x","error":"\n\u202e"}`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if !fs.ValidPath(name) || name == "." || strings.Contains(name, "/") {
			t.Skip()
		}
		c, err := collect(fstest.MapFS{"r/" + name: {Data: data}, "r/" + SamplesFile: {Data: data}})
		require.NoError(t, err)
		for _, p := range c.Problems {
			require.LessOrEqual(t, len([]rune(p.Text)), maxProblem+1)
			require.NotEmpty(t, p.Text)
			require.False(t, strings.ContainsFunc(p.Text, unicode.IsControl), "%q", p.Text)
		}
		for _, line := range found(c) {
			require.Contains(t, line, "r/")
		}
	})
}
