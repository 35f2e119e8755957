package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// served runs llada serve --json until end is called, which returns how it ended.
func served(t *testing.T, args ...string) (at listening, end func() outcome) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	var stderr lockedBuilder
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"llada", "serve", "--json", "--listen", "127.0.0.1:0", "--model", models.tiny}, args...), strings.NewReader(""), stdout, &stderr)
		stdout.CloseWithError(io.EOF)
		ended <- err
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatal(<-ended, stderr.String())
	}
	require.NoError(t, json.Unmarshal([]byte(line), &at))
	end = sync.OnceValue(func() outcome {
		cancel()
		err := <-ended
		return outcome{line, stderr.String(), err, exitCode(err)}
	})
	t.Cleanup(func() { end() })
	return at, end
}

// lockedBuilder is for texts of several goroutines.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// ask sends a request and returns the status and the body.
func ask(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer w.Body.Close()
	data, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return w.StatusCode, string(data)
}

func TestServe(t *testing.T) {
	at, end := served(t)
	assert.Regexp(t, `^127\.0\.0\.1:\d+$`, at.Address)
	assert.Equal(t, listening{at.Address, "http://" + at.Address, "tiny"}, at)
	status, body := ask(t, "GET", at.URL+"/health", "")
	assert.Equal(t, http.StatusOK, status, body)
	status, body = ask(t, "GET", at.URL+"/v1/models", "")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, `"id":"tiny"`)
	status, body = ask(t, "POST", at.URL+"/v1/chat/completions", `{"messages":[{"role":"user","content":"Hello"}],"max_tokens":32}`)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, `"object":"chat.completion"`)
	status, body = ask(t, "GET", at.URL+"/", "")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "<html")
	o := end()
	assert.NoError(t, o.err, "whoever ends it wants that")
	assert.Zero(t, o.code)
	assert.NotContains(t, strings.ToLower(o.stderr), "warning")
	assert.Contains(t, o.stderr, "is served at http://"+at.Address+"/\nTry it: curl http://"+at.Address+"/v1/chat/completions -H 'Content-Type: application/json' -d '{")
	assert.Regexp(t, `(?m)^time=\S+ level=INFO msg=request method=GET route=/health status=200 took=\S+ from=127\.0\.0\.1:\d+$`, o.stderr)
	_, err := http.Get(at.URL + "/health")
	assert.Error(t, err, "nobody listens")
}

func TestServeKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, []byte("secret\n"), 0o600))
	at, end := served(t, "--api-key-file", path, "--name", "other/name")
	status, body := ask(t, "GET", at.URL+"/v1/models", "")
	assert.Equal(t, http.StatusUnauthorized, status, body)
	status, body = ask(t, "GET", at.URL+"/v1/models/other/name", "", "Authorization", "Bearer secret")
	assert.Equal(t, http.StatusOK, status, body)
	o := end()
	assert.NoError(t, o.err)
	assert.NotContains(t, o.stderr, "secret")
	assert.NotContains(t, o.stderr, "warning")
	assert.Contains(t, o.stderr, `-H "Authorization: Bearer $(cat '`+path+`')"`)
}

// Other machines, and other users, are warned of.
func TestServeWarnings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, []byte("secret\n"), 0o644))
	at, end := served(t, "--listen", "0.0.0.0:0", "--api-key-file", path)
	status, body := ask(t, "GET", at.URL+"/v1/models", "", "Authorization", "Bearer secret")
	assert.Equal(t, http.StatusOK, status, "%s is where it is said to be: %s", at.URL, body)
	o := end()
	assert.NoError(t, o.err)
	assert.Contains(t, o.stderr, "warning: other machines can reach")
	assert.Contains(t, o.stderr, "can be read by others (mode 0644)")
	assert.NotContains(t, o.stderr, "WARNING")
	_, end = served(t, "--listen", ":0")
	assert.Contains(t, end().stderr, "WARNING: without --api-key-file")
	_, end = served(t, "--prompt-cache", path)
	before, after, ok := strings.Cut(end().stderr, "is served at")
	assert.True(t, ok)
	assert.Contains(t, before, "warning: the prompt cache's folder is not used: ", "before it is served without")
	assert.NotContains(t, after, "prompt cache", "once")
}

func TestServeErrors(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": " \n", "lines": "a\nb\n", "long": strings.Repeat("x", 5000), "umlaut": "ü"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	at, _ := served(t)
	for flags, want := range map[string]struct {
		code    int
		message string
	}{
		"":                                          {2, "flag --model is missing"},
		"--model x y":                               {2, "one too many"},
		"--model x --listen 8080":                   {2, "not an address such as"},
		"--model x --listen ":                       {2, "--listen is empty"},
		"--model x --batch 0":                       {2, "--batch: 0 is not between"},
		"--model x --queue 0":                       {2, "--queue: 0 is not between"},
		"--model x --positions 0":                   {2, "--positions: 0 is not between"},
		"--model x --deadline -1s":                  {2, "--deadline: -1s is negative"},
		"--model x --max-body 0":                    {2, "--max-body"},
		"--model x --max-body 2GiB":                 {2, "--max-body: 2.00 GiB is more than 1.00 GiB"},
		"--model x --host ":                         {2, "--host: \"\" is not a name"},
		"--model x --host llm.example:443":          {2, "--host: \"llm.example:443\" is not a name"},
		"--model x --host https://llm.example":      {2, "without scheme and port"},
		"--model x --host ::1 --host a.b --queue 0": {2, "--queue: 0"},
		"--model x --name ":                         {2, "--name is empty"},
		"--model x --api-key-file missing":          {3, "missing"},
		"--model x --api-key-file DIR/empty":        {1, "is empty: write a key"},
		"--model x --api-key-file DIR/lines":        {1, "more than one word"},
		"--model x --api-key-file DIR/umlaut":       {1, "more than one word of ASCII"},
		"--model x --api-key-file DIR/long":         {1, "more than 4096 bytes"},
		"--model missing --listen 127.0.0.1:0":      {3, "missing"},
		"--model x --listen " + at.Address:          {3, "--listen: "},
		"--model NARROW --listen 127.0.0.1:0":       {2, "has no vocabulary"},
	} {
		args := []string{"serve"}
		for _, word := range strings.Split(flags, " ") {
			if flags != "" {
				args = append(args, strings.NewReplacer("DIR", dir, "NARROW", models.narrow).Replace(word))
			}
		}
		o := lladaInput(t, "", args...)
		assert.Equal(t, want.code, o.code, flags)
		if assert.Error(t, o.err, flags) {
			assert.Contains(t, o.err.Error(), want.message, flags)
			assert.NotContains(t, o.err.Error(), "\n")
		}
	}
}
