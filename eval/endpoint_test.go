package eval_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/eval"
)

var (
	sum = eval.Prompt{Messages: []eval.Message{{Role: "user", Content: "1+1?"}}}
	two = `{"choices":[{"message":{"role":"assistant","content":"2"},"finish_reason":"stop"}]}`
)

// serve starts a server that answers posts by a function, and nothing else.
func serve(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

func endpoint(t *testing.T, opt eval.EndpointOptions) *eval.Endpoint {
	t.Helper()
	if opt.Model == "" {
		opt.Model = "m"
	}
	e, err := eval.NewEndpoint(opt)
	require.NoError(t, err)
	return e
}

// requests returns n of a prompt, one by one.
func requests(p eval.Prompt, n int) func() (eval.Request, bool) {
	i := 0
	return func() (eval.Request, bool) {
		i++
		return eval.Request{Index: i - 1, Prompt: p, GenLength: 16, Seed: uint64(i)}, i <= n
	}
}

// collect returns a done that keeps the answers.
func collect(answers *[]eval.Answer) func(eval.Answer) error {
	return func(a eval.Answer) error {
		*answers = append(*answers, a)
		return nil
	}
}

// ask returns the answer to one prompt; failures that end a run are its Err too.
func ask(t *testing.T, e *eval.Endpoint, p eval.Prompt) eval.Answer {
	t.Helper()
	var answers []eval.Answer
	if err := e.Generate(t.Context(), requests(p, 1), collect(&answers)); err != nil {
		require.Empty(t, answers)
		return eval.Answer{Err: err}
	}
	require.Len(t, answers, 1)
	return answers[0]
}

func TestEndpointAddress(t *testing.T) {
	for _, c := range []struct{ url, api, want, path string }{
		{"http://h:1", "", "http://h:1/v1/chat/completions", ""},
		{"http://h:1/", "completions", "http://h:1/v1/completions", ""},
		{"https://h/v1/", "chat", "https://h/v1/chat/completions", ""},
		{"https://h/proxy", "", "https://h/proxy/v1/chat/completions", ""},
		{"https://h/api/paas/v4", "", "https://h/api/paas/v4/chat/completions", ""},
		{"https://h/x/chat/completions", "", "https://h/x/chat/completions", ""},
		{"https://h/v1/completions", "", "https://h/v1/completions", ""},
		{"https://user:word@h/v1?key=secret#x", "", "https://h/v1/chat/completions", ""},
	} {
		t.Run(c.url, func(t *testing.T) {
			none := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.EOF })}
			e := endpoint(t, eval.EndpointOptions{URL: c.url, API: c.api, Client: none})
			assert.Equal(t, c.want, e.Identity().Endpoint)
		})
	}
}

func TestEndpointOptions(t *testing.T) {
	for name, c := range map[string]struct {
		opt  eval.EndpointOptions
		want string
	}{
		"no address":    {eval.EndpointOptions{Model: "m"}, "address"},
		"no scheme":     {eval.EndpointOptions{URL: "localhost:8080", Model: "m"}, "http://"},
		"other scheme":  {eval.EndpointOptions{URL: "ftp://h", Model: "m"}, "http://"},
		"secret port":   {eval.EndpointOptions{URL: "http://user:pa/ss@h", Model: "m"}, "address"},
		"no model":      {eval.EndpointOptions{URL: "http://h"}, "model"},
		"interface":     {eval.EndpointOptions{URL: "http://h", Model: "m", API: "responses"}, "chat or completions"},
		"contradiction": {eval.EndpointOptions{URL: "http://h/v1/completions", Model: "m", API: "chat"}, "completions, not of chat"},
		"prefix mode":   {eval.EndpointOptions{URL: "http://h", Model: "m", PrefixMode: "user"}, "assistant or none"},
		"temperature":   {eval.EndpointOptions{URL: "http://h", Model: "m", Temperature: -1}, "temperature"},
		"top-p":         {eval.EndpointOptions{URL: "http://h", Model: "m", TopP: 1.5}, "top-p"},
		"concurrency":   {eval.EndpointOptions{URL: "http://h", Model: "m", Concurrency: -1}, "1 to 1024"},
		"time limit":    {eval.EndpointOptions{URL: "http://h", Model: "m", Timeout: -1}, "negative"},
		"key":           {eval.EndpointOptions{URL: "http://h", Model: "m", Key: "sk-pa/ss\nX: y"}, "key"},
		"own field":     {eval.EndpointOptions{URL: "http://h", Model: "m", Extra: map[string]any{"stream": true}}, `"stream"`},
		"no JSON":       {eval.EndpointOptions{URL: "http://h", Model: "m", Extra: map[string]any{"f": func() {}}}, `"f"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := eval.NewEndpoint(c.opt)
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "pa/ss")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestEndpointRequest(t *testing.T) {
	prefixed := sum
	prefixed.Prefix, prefixed.Stops = "The sum is ", []string{"\n"}
	text := eval.Prompt{Text: "1+1=", Prefix: " "}
	const common = `"model":"m","max_tokens":16,"stream":false,`
	for name, c := range map[string]struct {
		opt    eval.EndpointOptions
		prompt eval.Prompt
		path   string
		want   string
	}{
		"chat": {eval.EndpointOptions{}, sum, "/v1/chat/completions",
			`{` + common + `"temperature":0,"messages":[{"role":"user","content":"1+1?"}]}`},
		"sampling": {eval.EndpointOptions{Temperature: 0.2, TopP: 0.95}, sum, "/v1/chat/completions",
			`{` + common + `"temperature":0.2,"top_p":0.95,"seed":1,"messages":[{"role":"user","content":"1+1?"}]}`},
		"extra": {eval.EndpointOptions{Extra: map[string]any{"chat_template_kwargs": map[string]any{"enable_thinking": false}}}, sum, "/v1/chat/completions",
			`{` + common + `"temperature":0,"chat_template_kwargs":{"enable_thinking":false},"messages":[{"role":"user","content":"1+1?"}]}`},
		"prefix": {eval.EndpointOptions{}, prefixed, "/v1/chat/completions",
			`{` + common + `"temperature":0,"stop":["\n"],"continue_final_message":true,"add_generation_prompt":false,
			"messages":[{"role":"user","content":"1+1?"},{"role":"assistant","content":"The sum is "}]}`},
		"no prefix": {eval.EndpointOptions{PrefixMode: "none"}, prefixed, "/v1/chat/completions",
			`{` + common + `"temperature":0,"stop":["\n"],"messages":[{"role":"user","content":"1+1?"}]}`},
		"completions": {eval.EndpointOptions{API: "completions"}, text, "/v1/completions",
			`{` + common + `"temperature":0,"prompt":"1+1= "}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				assert.JSONEq(t, c.want, string(body))
				assert.Equal(t, c.path, r.URL.Path)
				assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
				assert.Equal(t, "Bearer sk-secret", r.Header.Get("Authorization"))
				io.WriteString(w, `{"choices":[{"text":"2","finish_reason":"stop"}]}`)
			})
			c.opt.URL, c.opt.Key = s.URL, "sk-secret"
			require.NoError(t, ask(t, endpoint(t, c.opt), c.prompt).Err)
		})
	}
	assert.Len(t, sum.Messages, 1)
}

func TestEndpointSeedFits31Bits(t *testing.T) {
	seen := map[float64]bool{}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var v map[string]float64
		json.NewDecoder(r.Body).Decode(&v)
		seen[v["seed"]] = true
		io.WriteString(w, two)
	})
	e := endpoint(t, eval.EndpointOptions{URL: s.URL, Temperature: 1, Concurrency: 1})
	seeds := []uint64{0, 1 << 40, 1<<64 - 1, 1<<64 - 2}
	err := e.Generate(t.Context(), func() (r eval.Request, ok bool) {
		if ok = len(seeds) > 0; ok {
			r, seeds = eval.Request{Prompt: sum, GenLength: 1, Seed: seeds[0]}, seeds[1:]
		}
		return r, ok
	}, func(a eval.Answer) error { return a.Err })
	require.NoError(t, err)
	assert.Equal(t, map[float64]bool{0: true, 256: true, 1: true}, seen)
}

func TestEndpointIdentity(t *testing.T) {
	models := `{"data":[{"id":"other","owned_by":"x"},
		{"id":"m","owned_by":"llamacpp","meta":{"n_params":1234,"size":5678}}]}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/v1/models", r.URL.Path)
		assert.Equal(t, "q=1", r.URL.RawQuery)
		io.WriteString(w, models)
	}))
	defer s.Close()
	opt := eval.EndpointOptions{
		URL:   strings.Replace(s.URL, "//", "//me:hunter2@", 1) + "?q=1",
		Key:   "sk-secret",
		TopP:  0.5,
		Extra: map[string]any{"b": 1, "a": map[string]any{"z": true, "y": nil}},
	}
	id := endpoint(t, opt).Identity()
	assert.Equal(t, "m", id.Model)
	assert.Equal(t, s.URL+"/v1/chat/completions", id.Endpoint)
	assert.Equal(t, "llamacpp, 1234 parameters", id.Type)
	assert.Equal(t, uint64(5678), id.Size)
	settings, err := json.Marshal(id.Settings)
	require.NoError(t, err)
	assert.Equal(t, `{"api":"chat","prefix_mode":"assistant","temperature":0,"top_p":0.5,"extra":{"a":{"y":null,"z":true},"b":1}}`, string(settings))
	all := fmt.Sprintf("%+v", id)
	for _, secret := range []string{"hunter2", "sk-secret", "q=1"} {
		assert.NotContains(t, all, secret)
	}

	for _, models = range []string{"", "<html>", `{"data":{}}`, `{"data":[{"id":"m","meta":{"size":-1}}]}`, `null`} {
		id := endpoint(t, opt).Identity()
		assert.Empty(t, id.Type, models)
		assert.Zero(t, id.Size, models)
	}
	models = `{"data":[{"id":"alias","owned_by":"vllm"}]}`
	assert.Equal(t, "vllm", endpoint(t, opt).Identity().Type, "a server of one model")
}

func TestEndpointConcurrency(t *testing.T) {
	const limit, n = 3, 12
	var now, most atomic.Int32
	var mu sync.Mutex
	arrived, full := 0, make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		defer now.Add(-1)
		for v := now.Add(1); v > most.Load(); {
			most.Store(v)
		}
		mu.Lock()
		if arrived++; arrived == limit {
			close(full)
		}
		mu.Unlock()
		<-full // none is answered before so many have come
		io.WriteString(w, two)
	})
	e := endpoint(t, eval.EndpointOptions{URL: s.URL, Concurrency: limit})
	var answers []eval.Answer
	require.NoError(t, e.Generate(t.Context(), requests(sum, n), collect(&answers)))
	assert.EqualValues(t, limit, most.Load())
	seen := map[int]bool{}
	for _, a := range answers {
		require.NoError(t, a.Err)
		assert.Equal(t, "2", a.Text)
		assert.Equal(t, uint64(a.Index+1), a.Seed)
		seen[a.Index] = true
	}
	assert.Len(t, seen, n)
}

func TestEndpointCancel(t *testing.T) {
	const limit = 3
	arrived, ended := make(chan struct{}, limit), make(chan struct{}, limit)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // else the server does not see that the client went away
		arrived <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range limit {
			<-arrived
		}
		cancel()
	}()
	e := endpoint(t, eval.EndpointOptions{URL: s.URL, Concurrency: limit})
	var answers []eval.Answer
	err := e.Generate(ctx, requests(sum, 10), collect(&answers))
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, answers)
	for range limit {
		<-ended
	}
}

func TestEndpointEndsWithErrorOfDone(t *testing.T) {
	s := serve(t, says(two))
	e := endpoint(t, eval.EndpointOptions{URL: s.URL, Concurrency: 2})
	full, calls := errors.New("disk full"), 0
	err := e.Generate(t.Context(), requests(sum, 100), func(eval.Answer) error {
		calls++
		return full
	})
	require.ErrorIs(t, err, full)
	assert.Equal(t, 1, calls)
	require.NoError(t, e.Generate(t.Context(), requests(sum, 0), nil), "nothing to ask")
}

func TestReadKey(t *testing.T) {
	for content, want := range map[string]string{"sk-1\n": "sk-1", "  sk-2\r\n\n": "sk-2"} {
		path := filepath.Join(t.TempDir(), "key")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		key, err := eval.ReadKey(path)
		require.NoError(t, err)
		assert.Equal(t, want, key)
	}
	for content, want := range map[string]string{"": "empty", " \n": "empty", "sk-secret\nsk-secret": "one line", strings.Repeat("x", 20<<10): "bytes"} {
		path := filepath.Join(t.TempDir(), "key")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := eval.ReadKey(path)
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "sk-secret")
	}
	_, err := eval.ReadKey(filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
