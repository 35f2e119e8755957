package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	testRepo   = "owner/tiny.model"
	testToken  = Token("hf_verysecret")
	testCommit = "0123456789012345678901234567890123456789"
	testChunk  = 64 << 10
	signature  = "sig-verysecret"
	large      = "model.safetensors"
)

// fakeHub is a hub, and a store to whose signed addresses it redirects for large files.
type fakeHub struct {
	endpoint, store *httptest.Server
	t               testing.TB

	mu      sync.Mutex
	commit  string
	files   map[string][]byte // those with .safetensors at their end are LFS
	listed  func(all []map[string]any)
	asked   []string // files that the endpoint was asked for
	stored  int      // requests that the store had
	expired int      // signed addresses below this number are not valid any more
	signed  int
	gated   bool // only the list is public

	// The answers to requests for LFS files are functions that are called in turn, the last
	// one again and again.
	answers []answer
}

type answer func(h *fakeHub, w http.ResponseWriter, r *http.Request, data []byte)

func newHub(t testing.TB, answers ...answer) *fakeHub {
	h := &fakeHub{t: t, commit: testCommit, answers: answers, files: map[string][]byte{
		"config.json":     []byte(`{"model_type": "tiny"}`),
		"tokenizer.json":  bytes.Repeat([]byte("token"), 20_000),
		"README.md":       {},
		"weights.bin":     []byte("not wanted"),
		"sub/deep.json":   []byte("not wanted either"),
		large:             noise(1, 5*testChunk+1234),
		"two.safetensors": noise(2, 1000),
	}}
	h.endpoint = httptest.NewServer(http.HandlerFunc(h.ask))
	h.store = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(func() {
		h.endpoint.Close()
		h.store.Close()
	})
	return h
}

func noise(seed uint64, n int) []byte {
	data := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	r.Read(data)
	return data
}

func sha(data []byte) string { s := sha256.Sum256(data); return hex.EncodeToString(s[:]) }

func blob(data []byte) string {
	s := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))
	return hex.EncodeToString(s[:])
}

// ask is the endpoint.
func (h *fakeHub) ask(w http.ResponseWriter, r *http.Request) {
	assert.Equal(h.t, "Bearer "+string(testToken), r.Header.Get("Authorization"), r.URL.Path)
	h.mu.Lock()
	defer h.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/api/models/"+testRepo+"/revision/") {
		assert.Equal(h.t, "true", r.URL.Query().Get("blobs"))
		w.Write(h.listing())
		return
	}
	if h.gated {
		w.Header().Set("X-Error-Code", "GatedRepo")
		w.WriteHeader(http.StatusForbidden)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/"+testRepo+"/resolve/"+h.commit+"/")
	data, there := h.files[name]
	if !ok || !there {
		w.Header().Set("X-Error-Code", "EntryNotFound")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	h.asked = append(h.asked, name)
	if !strings.HasSuffix(name, ".safetensors") {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		return
	}
	h.signed++
	http.Redirect(w, r, fmt.Sprintf("%s/%s?n=%d&sig=%s", h.store.URL, name, h.signed, signature), http.StatusFound)
}

func (h *fakeHub) listing() []byte {
	all := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(h.files)) {
		data := h.files[name]
		f := map[string]any{"rfilename": name, "size": len(data), "blobId": blob(data)}
		if strings.HasSuffix(name, ".safetensors") {
			f["blobId"] = blob([]byte("a pointer"))
			f["lfs"] = map[string]any{"sha256": sha(data), "size": len(data), "pointerSize": 134}
		}
		all = append(all, f)
	}
	if h.listed != nil {
		h.listed(all)
	}
	out, err := json.Marshal(map[string]any{"id": testRepo, "sha": h.commit, "private": false, "siblings": all})
	require.NoError(h.t, err)
	return out
}

// serve is the store.
func (h *fakeHub) serve(w http.ResponseWriter, r *http.Request) {
	assert.Empty(h.t, r.Header.Get("Authorization"), "the token went to another server")
	assert.Empty(h.t, r.Header.Get("Referer"))
	assert.Equal(h.t, signature, r.URL.Query().Get("sig"))
	h.mu.Lock()
	data := h.files[r.URL.Path[1:]]
	h.stored++
	now := whole
	if len(h.answers) > 0 {
		now = h.answers[min(h.stored, len(h.answers))-1]
	}
	var n int
	fmt.Sscan(r.URL.Query().Get("n"), &n)
	late := n <= h.expired
	h.mu.Unlock()
	if late {
		http.Error(w, "expired", http.StatusForbidden)
		return
	}
	now(h, w, r, data)
}

// whole answers as stores do, with ranges.
func whole(_ *fakeHub, w http.ResponseWriter, r *http.Request, data []byte) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// plain answers without ranges.
func plain(_ *fakeHub, w http.ResponseWriter, _ *http.Request, data []byte) { w.Write(data) }

// says answers with a status.
func says(code int, header ...string) answer {
	return func(_ *fakeHub, w http.ResponseWriter, _ *http.Request, _ []byte) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// torn breaks off after n bytes of another answer.
func torn(n int, other answer) answer {
	return func(h *fakeHub, w http.ResponseWriter, r *http.Request, data []byte) {
		other(h, &limited{w, n}, r, data)
		panic(http.ErrAbortHandler)
	}
}

type limited struct {
	http.ResponseWriter
	n int
}

func (l *limited) Write(p []byte) (int, error) {
	n, err := l.ResponseWriter.Write(p[:min(len(p), l.n)])
	l.ResponseWriter.(http.Flusher).Flush()
	if l.n -= n; err == nil && n < len(p) {
		err = http.ErrAbortHandler
	}
	return n, err
}

// options pull the fake hub's files without waiting anywhere.
func (h *fakeHub) options(dir string) Options { return optionsFor(dir, h.endpoint.URL) }

func optionsFor(dir, endpoint string) Options {
	return Options{
		Repo: testRepo, Folder: dir, Endpoint: endpoint, Token: testToken, chunk: testChunk, wait: time.Nanosecond,
		stall: time.Minute, sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

// wanted are the files that a pull without --include brings.
var wanted = []string{"README.md", "config.json", large, "tokenizer.json", "two.safetensors"}

// pulled checks that a folder has exactly the wanted files, and nothing of a pull under way.
func (h *fakeHub) pulled(dir string, result *Result) {
	h.t.Helper()
	var names []string
	for _, f := range result.Files {
		names = append(names, f.Name)
		data, err := os.ReadFile(filepath.Join(dir, f.Name))
		require.NoError(h.t, err)
		assert.True(h.t, bytes.Equal(h.files[f.Name], data), f.Name)
		assert.Equal(h.t, sha(data), f.SHA256)
		assert.Equal(h.t, int64(len(data)), f.Size)
		if strings.HasSuffix(f.Name, ".safetensors") {
			assert.Empty(h.t, f.Blob)
		} else {
			assert.Equal(h.t, blob(data), f.Blob)
		}
	}
	assert.Equal(h.t, wanted, names)
	assert.Equal(h.t, append([]string{stateFolder}, wanted...), list(h.t, dir))
	assert.Equal(h.t, []string{"lock", manifestFile}, list(h.t, filepath.Join(dir, stateFolder)))
	m, err := readManifest(filepath.Join(dir, stateFolder))
	require.NoError(h.t, err)
	assert.Equal(h.t, []any{testRepo, h.commit, true, len(wanted)}, []any{m.Repo, m.Commit, m.Complete, len(m.Files)})
}

// sound checks that whatever has a final name is right.
func (h *fakeHub) sound(dir string) {
	h.t.Helper()
	for name, want := range h.files {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			require.True(h.t, bytes.Equal(want, data), "%s is there and wrong", name)
		}
	}
}

// list returns the names of what a folder has.
func list(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func (h *fakeHub) count() (asked, stored int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.asked), h.stored
}
