package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		token  Token
		status int
		code   string
		want   string
	}{
		{"", 401, "", "private or gated and needs a token: set HF_TOKEN"},
		{"", 401, "GatedRepo", "accept its licence at ENDPOINT/owner/x and set HF_TOKEN"},
		{"t", 403, "GatedRepo", "accept its licence at ENDPOINT/owner/x with the account of the token"},
		{"t", 401, "", "the token is not valid; see ENDPOINT/settings/tokens"},
		{"t", 403, "", "the token may not read it"},
		{"", 404, "", "there is no such repository or revision, or it is private and needs a token: set HF_TOKEN"},
		{"t", 404, "", "or the token may not see it"},
		{"t", 404, "RevisionNotFound", "--revision names a branch, tag or commit"},
		{"", 418, "", "418 I'm a teapot"},
		{"", 503, "", `the server says 503 Service Unavailable, after 6 tries`},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "/api/models/owner/x/revision/refs%2Fpr%2F1", r.URL.EscapedPath())
			w.Header().Set("X-Error-Code", c.code)
			w.Header().Set("X-Error-Message", "evil\nwords")
			w.WriteHeader(c.status)
		}))
		_, err := Pull(t.Context(), Options{
			Repo: "owner/x", Revision: "refs/pr/1", Folder: filepath.Join(t.TempDir(), "x"), Endpoint: s.URL + "/", Token: c.token, wait: 1,
		})
		s.Close()
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorIs(t, err, fs.ErrNotExist, "exit code 3")
		assert.ErrorContains(t, err, strings.ReplaceAll(c.want, "ENDPOINT", s.URL))
		assert.ErrorContains(t, err, "owner/x, refs/pr/1")
		assert.NotContains(t, err.Error(), "evil")
	}
}

// TestTokenGoesNowhereElse: names and ports beside the endpoint's are others, and so is http.
func TestTokenGoesNowhereElse(t *testing.T) {
	var seen []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		if back := r.URL.Query().Get("back"); back != "" {
			http.Redirect(w, r, back, http.StatusFound)
		}
	}))
	defer elsewhere.Close()
	var home *httptest.Server
	home = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		if r.URL.Path == "/1" {
			http.Redirect(w, r, elsewhere.URL+"/2?back="+url.QueryEscape(home.URL+"/3"), http.StatusFound)
		}
	}))
	defer home.Close()
	get := func(o Options, address string) {
		seen = nil
		require.NoError(t, o.check())
		c, err := newClient(&o)
		require.NoError(t, err)
		defer c.close()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		require.NoError(t, err)
		resp, err := c.do(req)
		require.NoError(t, err)
		resp.Body.Close()
	}
	o := Options{Repo: "o/x", Folder: "x", Endpoint: home.URL, Token: testToken}
	get(o, home.URL+"/1")
	assert.Equal(t, []string{"Bearer " + string(testToken), "", "Bearer " + string(testToken)}, seen)
	get(o, strings.Replace(home.URL, "127.0.0.1", "localhost", 1)+"/0")
	assert.Equal(t, []string{""}, seen, "another name is another server")

	for endpoint, want := range map[string]bool{
		"": true, "https://hub.example": true, "https://hub.example:8443/prefix": true, "http://127.0.0.1:9": true, "http://[::1]:9": true,
		"http://localhost": true, "http://hub.example": false, "http://10.0.0.1": false, "http://localhost.example": false,
	} {
		o.Endpoint = endpoint
		c, err := newClient(&o)
		require.NoError(t, err)
		assert.Equal(t, want, c.token, endpoint)
		assert.Equal(t, want, c.http.Transport.(*guard).token != "", endpoint)
	}
	for a, b := range map[string]string{
		"https://x": "http://x", "https://x:443": "https://x:444", "https://sub.x": "https://x", "http://x:443": "https://x",
	} {
		u, err := url.Parse(a)
		require.NoError(t, err)
		v, err := url.Parse(b)
		require.NoError(t, err)
		assert.NotEqual(t, originOf(u), originOf(v))
		assert.Equal(t, originOf(u), originOf(u.JoinPath("y")))
	}
}

func TestCheckRedirect(t *testing.T) {
	request := func(address string) *http.Request {
		u, err := url.Parse(address)
		require.NoError(t, err)
		return &http.Request{URL: u}
	}
	safe, open := request("https://a"), request("http://a")
	assert.NoError(t, checkRedirect(request("https://b/x"), []*http.Request{safe}))
	assert.NoError(t, checkRedirect(request("http://b"), []*http.Request{open}))
	assert.ErrorIs(t, checkRedirect(request("http://b"), []*http.Request{safe}), errRedirect)
	assert.ErrorIs(t, checkRedirect(request("file:///etc/passwd"), []*http.Request{safe}), errRedirect)
	assert.ErrorIs(t, checkRedirect(safe, make([]*http.Request, maxRedirects+1)), errRedirect)
}

func TestTokenDoesNotPrint(t *testing.T) {
	o := Options{Token: testToken}
	data, err := json.Marshal(map[string]any{"t": testToken})
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", o, o, o.Token, o.Token), string(data)} {
		assert.NotContains(t, text, "verysecret")
		assert.Contains(t, text, "(token)")
	}
}

func TestEnvironment(t *testing.T) {
	home := t.TempDir()
	write := func(text string, path ...string) {
		name := filepath.Join(append([]string{home}, path...)...)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o777))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	clear := func() {
		for _, name := range []string{"HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "XDG_CACHE_HOME"} {
			t.Setenv(name, "")
		}
		t.Setenv("HOME", home)
		t.Setenv("USERPROFILE", home)
	}
	clear()
	_, token, err := Environment()
	require.NoError(t, err)
	assert.Empty(t, token)
	write("hf_default\n", ".cache", "huggingface", "token")
	write("hf_xdg", "xdg", "huggingface", "token")
	write(" hf_home ", "own", "token")
	write("hf_path", "path")
	write("two\nlines", "bad")
	// Each goes before those above it.
	for _, c := range []struct{ name, value, want string }{
		{"HF_ENDPOINT", "https://mirror.example", "hf_default"},
		{"XDG_CACHE_HOME", filepath.Join(home, "xdg"), "hf_xdg"},
		{"HF_HOME", "~/own", "hf_home"},
		{"HF_TOKEN_PATH", filepath.Join(home, "path"), "hf_path"},
		{"HUGGING_FACE_HUB_TOKEN", "hf_old", "hf_old"},
		{"HF_TOKEN", " hf_new\n", "hf_new"},
	} {
		t.Setenv(c.name, c.value)
		endpoint, token, err := Environment()
		require.NoError(t, err)
		assert.Equal(t, Token(c.want), token, c.name)
		assert.Equal(t, "https://mirror.example", endpoint)
	}
	t.Setenv("HF_TOKEN", "very secret")
	_, _, err = Environment()
	require.ErrorContains(t, err, "HF_TOKEN: this is not a token")
	assert.NotContains(t, err.Error(), "secret")
	clear()
	t.Setenv("HF_TOKEN_PATH", filepath.Join(home, "bad"))
	_, _, err = Environment()
	require.ErrorContains(t, err, "this is not a token")
	assert.NotContains(t, err.Error(), "two")
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{}, {Repo: "a/b/c", Folder: "x"}, {Repo: "a//b", Folder: "x"}, {Repo: "../x", Folder: "x"}, {Repo: "a/..", Folder: "x"}, {Repo: "a b", Folder: "x"},
		{Repo: "a/b?x", Folder: "x"}, {Repo: "https://huggingface.co/a/b", Folder: "x"}, {Repo: "-a/b", Folder: "x"}, {Repo: "a/b"},
		{Repo: "a/b", Folder: "x", Revision: "../../x"}, {Repo: "a/b", Folder: "x", Revision: "a b"}, {Repo: "a/b", Folder: "x", Revision: "a\n"},
		{Repo: "a/b", Folder: "x", Include: []string{"["}}, {Repo: "a/b", Folder: "x", Exclude: []string{""}},
		{Repo: "a/b", Folder: "x", Parallel: -1}, {Repo: "a/b", Folder: "x", Parallel: MaxParallel + 1},
		{Repo: "a/b", Folder: "x", Endpoint: "ftp://x"}, {Repo: "a/b", Folder: "x", Endpoint: "https://user:verysecret@x"}, {Repo: "a/b", Folder: "x", Endpoint: "https://"},
		{Repo: "a/b", Folder: "x", Endpoint: "https://x/?verysecret"}, {Repo: "a/b", Folder: "x", Endpoint: "%zz"},
	} {
		_, err := Pull(t.Context(), o)
		assert.ErrorIs(t, err, ErrOption, "%+v", o)
		assert.NotContains(t, err.Error(), "verysecret")
	}
	assert.Equal(t, "b", FolderOf("a/b"))
	assert.Equal(t, "gpt2", FolderOf("gpt2"))
}

func TestAddress(t *testing.T) {
	c := &client{endpoint: "https://hub.example/prefix", repo: "o/x"}
	assert.Equal(t, "https://hub.example/prefix/o/x/resolve/abc/a%20b/100%25%23.txt", c.resolve("abc", "a b/100%#.txt"))
}

// TestNoServer: one error, soon, for a name that there is not.
func TestNoServer(t *testing.T) {
	_, err := Pull(t.Context(), Options{Repo: "o/x", Folder: t.TempDir(), Endpoint: "http://127.0.0.1:1", wait: 1})
	require.ErrorIs(t, err, ErrUnavailable)
	assert.ErrorContains(t, err, "127.0.0.1:1 does not answer")
}

type stuckBody struct{ closed chan struct{} }

func (s stuckBody) Read([]byte) (int, error) { <-s.closed; return 0, errors.New("closed") }
func (s stuckBody) Close() error             { close(s.closed); return nil }

func TestPatient(t *testing.T) {
	p := newPatient(stuckBody{make(chan struct{})}, time.Millisecond)
	defer p.stop()
	_, err := io.ReadAll(p)
	require.EqualError(t, err, "nothing came for 1ms")
}
