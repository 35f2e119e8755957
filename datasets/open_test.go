package datasets

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// noNetwork fails the test when something is fetched.
func noNetwork(t testing.TB) *http.Client {
	return &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s is asked for", r.URL)
		return nil, errors.New("no network")
	})}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestOpenFile(t *testing.T) {
	dir := t.TempDir()
	text := []byte(gsm8kLine + "\n")
	for file, c := range map[string]struct {
		data []byte
		name string
	}{
		"problems.jsonl":       {text, "problems"},
		"other.v2.jsonl.gz":    {packed(t, text), "other.v2"},
		"named-plain.jsonl":    {packed(t, text), "named-plain"},
		"named-packed.json.gz": {text, "named-packed"},
		"bare":                 {text, "bare"},
		".jsonl":               {text, ".jsonl"},
	} {
		path := write(t, filepath.Join(dir, file), c.data)
		d, err := Open(t.Context(), "gsm8k", Options{File: path, Folder: dir, Client: noNetwork(t)})
		require.NoError(t, err, file)
		assert.Equal(t, Data{Name: c.name, Path: path, Form: GSM8K, SHA256: sum(c.data), Records: []Record{{
			ID: c.name + "/0", SHA256: sum([]byte(gsm8kLine)), Question: "1 + 1?", Answer: "1 + 1 = <<1+1=2>>2\n#### 2",
		}}}, *d, file)
	}

	path := write(t, filepath.Join(dir, "wrong.jsonl"), []byte(gsm8kLine+"\n{}\n"))
	_, err := Open(t.Context(), "", Options{File: path})
	assert.EqualError(t, err, path+`: line 2: there is no "question"`)
	write(t, path, packed(t, text)[:30])
	_, err = Open(t.Context(), "", Options{File: path})
	assert.EqualError(t, err, path+": gzip is torn in or after line 1")
	_, err = Open(t.Context(), "", Options{File: dir})
	assert.ErrorContains(t, err, dir)
	_, err = Open(t.Context(), "", Options{File: filepath.Join(dir, "missing")})
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestOpenSearches(t *testing.T) {
	data, set := fakeSet("http://example.invalid/fake.jsonl")
	folder, cache := t.TempDir(), t.TempDir()
	opt := Options{Folder: folder, Cache: cache, Offline: true, Client: noNetwork(t)}

	_, err := set.open(t.Context(), opt)
	assert.ErrorIs(t, err, ErrMissing)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.EqualError(t, err, "fake: data set is not there: no fake.jsonl in "+folder+" or "+cache+"; its address is http://example.invalid/fake.jsonl")
	assert.Empty(t, list(t, cache))

	write(t, filepath.Join(cache, set.File), data)
	opt.Offline = false // it is there
	d, err := set.open(t.Context(), opt)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(cache, set.File), d.Path)
	assert.Len(t, d.Records, set.Records)
	assert.Equal(t, set.SHA256, d.SHA256)

	write(t, filepath.Join(folder, set.File), data)
	d, err = set.open(t.Context(), opt)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(folder, set.File), d.Path)
	opt.Folder = filepath.Join(folder, "missing")
	d, err = set.open(t.Context(), opt)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(cache, set.File), d.Path)
}

// A file that is another is neither used nor passed over nor replaced.
func TestOpenRefusesOthers(t *testing.T) {
	data, set := fakeSet("http://example.invalid/fake.jsonl")
	flipped := []byte(strings.Replace(string(data), "What", "Who?", 1))
	for want, other := range map[string][]byte{
		"wrong checksum: sha256 is " + sum(flipped) + ", and fake's is " + set.SHA256: flipped,
		"wrong checksum: it has 20 bytes, and fake has ":                              data[:20],
		"wrong checksum: it has 0 bytes":                                              nil,
	} {
		for _, in := range []string{"folder", "cache"} {
			dir := t.TempDir()
			opt := Options{Folder: filepath.Join(dir, "folder"), Cache: filepath.Join(dir, "cache"), Client: noNetwork(t)}
			for _, d := range []string{opt.Folder, opt.Cache} {
				require.NoError(t, os.Mkdir(d, 0o777))
			}
			write(t, filepath.Join(opt.Cache, set.File), data)
			path := write(t, filepath.Join(dir, in, set.File), other)
			_, err := set.open(t.Context(), opt)
			assert.ErrorIs(t, err, ErrChecksum)
			assert.ErrorContains(t, err, path+": "+want)
			assert.ErrorContains(t, err, "remove the file, then llada datasets pull fake fetches it")
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(other), string(after))
		}
	}
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, set.File), 0o777))
	_, err := set.open(t.Context(), Options{Folder: dir, Client: noNetwork(t)})
	assert.ErrorContains(t, err, "not a regular file")
}

func TestOpenUnknown(t *testing.T) {
	_, err := Open(t.Context(), "mmlu", Options{Client: noNetwork(t)})
	assert.ErrorIs(t, err, ErrUnknown)
	assert.ErrorContains(t, err, `unknown data set "mmlu": it is none of gsm8k, gsm8k-train, `)
}

// Without a folder for a cache, files of the folder can be read all the same.
func TestOpenWithoutCache(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("LocalAppData", "")
	data, set := fakeSet("http://example.invalid/fake.jsonl")
	_, err := set.open(t.Context(), Options{Client: noNetwork(t)})
	assert.ErrorIs(t, err, ErrMissing)
	assert.ErrorContains(t, err, "there is no cache folder")
	_, err = set.open(t.Context(), Options{Client: noNetwork(t), Offline: true})
	assert.ErrorContains(t, err, "there is no folder to look in")
	dir := t.TempDir()
	write(t, filepath.Join(dir, set.File), data)
	_, err = set.open(t.Context(), Options{Folder: dir, Client: noNetwork(t)})
	assert.NoError(t, err)
}

func TestOpenCancelled(t *testing.T) {
	_, set := fakeSet("http://example.invalid/fake.jsonl")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cache := filepath.Join(t.TempDir(), "cache")
	_, err := set.open(ctx, Options{Cache: cache, Client: noNetwork(t)})
	assert.ErrorIs(t, err, context.Canceled)
	assert.NoDirExists(t, cache)
}

func TestStatus(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "gsm8k_test.jsonl"), []byte(gsm8kLine))
	for _, f := range Status(Options{Folder: dir, Cache: filepath.Join(dir, "cache"), Client: noNetwork(t)}) {
		switch {
		case f.Name == "gsm8k":
			assert.Equal(t, Damaged, f.State)
			assert.Equal(t, path, f.Path)
			assert.Contains(t, f.Problem, path+": wrong checksum: it has 62 bytes, and gsm8k has 749738")
		case strings.HasPrefix(f.Name, "tiny-"):
			assert.Equal(t, Found{Set: f.Set, State: Embedded}, f)
		default:
			assert.Equal(t, Found{Set: f.Set, State: Missing}, f)
		}
	}
}

func TestStatusOfRealFiles(t *testing.T) {
	dir := testData(t)
	for _, f := range Status(Options{Folder: dir}) {
		if !f.Embedded() {
			assert.Equal(t, Found{Set: f.Set, State: OK, Path: filepath.Join(dir, f.File)}, f)
		}
	}
}
