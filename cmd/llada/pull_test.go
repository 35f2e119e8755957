package main

import (
	"context"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/convert/hub"
)

const pulledCommit = "89abcdef0189abcdef0189abcdef0189abcdef01"

// serveHub serves a checkpoint folder as the hub does, its weights from another server.
func serveHub(t *testing.T, dir string) {
	t.Helper()
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Authorization"))
		http.ServeFile(w, r, filepath.Join(dir, filepath.Base(r.URL.Path)))
	}))
	t.Cleanup(store.Close)
	var siblings []map[string]any
	for _, name := range files(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		f := map[string]any{"rfilename": name, "size": len(data), "blobId": fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...)))}
		if strings.HasSuffix(name, ".safetensors") {
			f["lfs"] = map[string]any{"sha256": digest(t, filepath.Join(dir, name)), "size": len(data)}
		}
		siblings = append(siblings, f)
	}
	siblings = append(siblings, map[string]any{"rfilename": "pytorch_model.bin"})
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, resolve := strings.CutPrefix(r.URL.Path, "/some/tiny/resolve/"+pulledCommit+"/")
		switch {
		case r.Header.Get("Authorization") != "Bearer hf_secret":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/api/models/some/tiny/revision/v1", r.URL.Path == "/api/models/some/tiny/revision/main":
			assert.NoError(t, json.NewEncoder(w).Encode(map[string]any{"sha": pulledCommit, "siblings": siblings}))
		case resolve && strings.HasSuffix(name, ".safetensors"):
			http.Redirect(w, r, store.URL+"/"+name+"?signature=x", http.StatusFound)
		case resolve:
			http.ServeFile(w, r, filepath.Join(dir, name))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(endpoint.Close)
	t.Setenv("HF_ENDPOINT", endpoint.URL)
	t.Setenv("HF_TOKEN", "hf_secret")
}

// TestPull: what is pulled is a checkpoint, and converts to the same file as the original.
func TestPull(t *testing.T) {
	serveHub(t, models.tinyDir)
	t.Chdir(t.TempDir())
	first := document[hub.Result](t, "pull some/tiny --revision v1 --to got/here --json --parallel 2")
	assert.Equal(t, []any{"some/tiny", "v1", pulledCommit, "got/here"}, []any{first.Repo, first.Revision, first.Commit, first.Folder})
	assert.Len(t, first.Files, len(files(t, models.tinyDir)))
	for _, f := range first.Files {
		assert.Equal(t, hub.Fetched, f.State)
		assert.Equal(t, digest(t, filepath.Join(models.tinyDir, f.Name)), f.SHA256)
		assert.Equal(t, f.SHA256, digest(t, filepath.Join("got", "here", f.Name)))
	}
	done(t, "convert --type bf16 --from got/here --out pulled.gguf")
	assert.Equal(t, sizeOf(t, models.tiny), sizeOf(t, "pulled.gguf"))
	done(t, "verify --source "+models.tinyDir+" --gguf pulled.gguf")

	again := done(t, "pull --to got/here some/tiny")
	assert.Regexp(t, `^got/here: \d+ files, \S+ [KM]iB, of some/tiny at `+pulledCommit+`; 0 fetched, 0 B\n$`, again)
	o := llada(t, "pull some/tiny --include config.json --exclude x")
	require.NoError(t, o.err)
	assert.Equal(t, []string{".llada-pull", "config.json"}, files(t, "tiny"), "the repository's last name, in the current folder")
	assert.Empty(t, o.stderr)
}

// TestPullWaits: who waits is told what for.
func TestPullWaits(t *testing.T) {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer endpoint.Close()
	t.Setenv("HF_ENDPOINT", endpoint.URL)
	t.Setenv("HF_TOKEN", "hf_secret")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stderr lockedBuilder
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"llada", "pull", "some/tiny", "--to", t.TempDir()}, strings.NewReader(""), io.Discard, &stderr)
	}()
	require.Eventually(t, func() bool { return stderr.String() != "" }, 20*time.Second, time.Millisecond)
	cancel()
	assert.Equal(t, 4, exitCode(<-ended))
	assert.Regexp(t, `^llada: some/tiny, main: not available: .*503 Service Unavailable.*; again in 2s\n`, stderr.String())
	assert.NotContains(t, stderr.String(), "hf_secret")
}

// TestPullReplace: a file of the user's is lost only when that is asked for.
func TestPullReplace(t *testing.T) {
	serveHub(t, models.tinyDir)
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("tiny", 0o777))
	mine := filepath.Join("tiny", "config.json")
	require.NoError(t, os.WriteFile(mine, []byte("mine"), 0o666))
	o := llada(t, "pull some/tiny")
	assert.Equal(t, 2, o.code)
	assert.ErrorContains(t, o.err, mine+" is there")
	assert.ErrorContains(t, o.err, "--replace")
	assert.Equal(t, []string{".llada-pull", "config.json"}, files(t, "tiny"))
	assert.EqualValues(t, 4, sizeOf(t, mine))
	done(t, "pull some/tiny --replace")
	assert.Equal(t, digest(t, filepath.Join(models.tinyDir, "config.json")), digest(t, mine))
}

func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

func TestPullMistakes(t *testing.T) {
	serveHub(t, models.tinyDir)
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		line string
		code int
		want string
	}{
		{"pull", 2, "REPO is missing; see llada pull --help"},
		{"pull a/b c/d", 2, `"c/d" is one too many`},
		{"pull a/b --to=", 2, "--to is empty"},
		{"pull a/b --to", 2, "-to"},
		{"pull a/b/c", 2, `"a/b/c" is not the name of a repository`},
		{"pull a/b --parallel 0", 2, "--parallel: 0 is not between 1 and 32"},
		{"pull a/b --parallel 99", 2, "99 connections are not between 1 and 32"},
		{"pull a/b --include [", 2, `"[" is not a glob`},
		{"pull a/b --revision a\\b", 2, "is not a branch, tag or commit"},
		{"pull a/b --nonsense", 2, "see llada pull --help"},
		{"pull a/b", 3, "a/b, main: not available (404): there is no such repository or revision"},
		{"pull some/tiny --include *.gguf", 3, "none of its"},
		{"pull some/tiny --include *.bin", 1, "no size or no digest"},
	} {
		o := llada(t, c.line)
		assert.Equal(t, c.code, o.code, "%s: %v", c.line, o.err)
		assert.ErrorContains(t, o.err, c.want, c.line)
		assert.Empty(t, o.stdout)
	}
	assert.Empty(t, files(t, "."), "what fails so early leaves nothing")
	t.Setenv("HF_TOKEN", "hf_wrong")
	o := llada(t, "pull some/tiny")
	assert.Equal(t, 3, o.code)
	assert.ErrorContains(t, o.err, "the token is not valid")
	assert.NotContains(t, o.err.Error(), "hf_wrong")
	t.Setenv("HF_TOKEN", "two words")
	o = llada(t, "pull some/tiny")
	assert.Equal(t, 2, o.code)
	assert.ErrorContains(t, o.err, "HF_TOKEN: this is not a token")
	t.Setenv("HF_TOKEN", "hf_secret")

	ctx, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	err := run(ctx, []string{"llada", "pull", "some/tiny"}, strings.NewReader(""), io.Discard, io.Discard)
	assert.Equal(t, 4, exitCode(err))
}
