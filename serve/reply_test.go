package serve

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// steady replaces what differs from answer to answer.
func steady(text string) string {
	text = regexp.MustCompile(`"id":"(chatcmpl|cmpl)-[a-z0-9]{26}"`).ReplaceAllString(text, `"id":"$1-"`)
	return regexp.MustCompile(`"created":\d{10}`).ReplaceAllString(text, `"created":0`)
}

const took = `"usage":{"prompt_tokens":PROMPT,"completion_tokens":5,"total_tokens":TOTAL,"prompt_tokens_details":{"cached_tokens":32},` +
	`"forwards":{"prefill":1,"denoise":2,"commit":2,"fused":1},"tokens_per_forward":2.5}`

func TestAnswerWhole(t *testing.T) {
	s := playing(t, Options{}, says)
	w := post(s, "/v1/chat/completions", hello())
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	used := strings.NewReplacer("PROMPT", "18", "TOTAL", "23").Replace(took)
	assert.Equal(t, `{"id":"chatcmpl-","object":"chat.completion","created":0,"model":"tiny","choices":[{"index":0,`+
		`"message":{"role":"assistant","content":"Hello, world"},"logprobs":null,"finish_reason":"stop"}],`+used+"}\n", steady(w.Body.String()))

	w = post(s, "/v1/completions", `{"prompt":[1,2,3]}`)
	used = strings.NewReplacer("PROMPT", "3", "TOTAL", "8").Replace(took)
	assert.Equal(t, `{"id":"cmpl-","object":"text_completion","created":0,"model":"tiny","choices":[{"index":0,`+
		`"text":"Hello, world","logprobs":null,"finish_reason":"stop"}],`+used+"}\n", steady(w.Body.String()))
}

func TestAnswerStream(t *testing.T) {
	s := playing(t, Options{}, says)
	w := post(s, "/v1/chat/completions", hello(`"stream":true,"stream_options":{"include_usage":true,"include_steps":true}`))
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "text/event-stream", w.Header().Get("Content-Type"))
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	const head = `data: {"id":"chatcmpl-","object":"chat.completion.chunk","created":0,"model":"tiny","choices":[`
	assert.Equal(t, []string{
		head + `{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}`,
		head + `{"index":0,"delta":{"content":"Hello, "},"logprobs":null,"finish_reason":null}]}`,
		head + `],"llada":{"step":{"block":1,"step":2,"forwards":3,"tokens":[{"text":"wor","p":0.5,"wrote":true},{"text":"ld","p":0.25,"masked":true}]}}}`,
		head + `{"index":0,"delta":{"content":"world"},"logprobs":null,"finish_reason":null}]}`,
		head + `{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}`,
		head + `],` + strings.NewReplacer("PROMPT", "18", "TOTAL", "23").Replace(took) + `}`,
		`data: [DONE]`, "",
	}, strings.Split(steady(w.Body.String()), "\n\n"))

	w = post(s, "/v1/completions", `{"prompt":"Hello","stream":true}`)
	const text = `data: {"id":"cmpl-","object":"text_completion","created":0,"model":"tiny","choices":[`
	assert.Equal(t, []string{
		text + `{"index":0,"text":"Hello, ","logprobs":null,"finish_reason":null}]}`,
		text + `{"index":0,"text":"world","logprobs":null,"finish_reason":null}]}`,
		text + `{"index":0,"text":"","logprobs":null,"finish_reason":"stop"}]}`,
		`data: [DONE]`, "",
	}, strings.Split(steady(w.Body.String()), "\n\n"))
}

// An answer that fails has no regular end: the error is the last event, or the answer.
func TestAnswerFails(t *testing.T) {
	s := playing(t, Options{}, func(_ context.Context, _ Request, emit func(Event)) {
		emit(Event{Text: "Hel"})
		emit(Event{Done: &Done{Finish: "interrupted", Err: errors.New("the logits are not finite")}})
	})
	w := post(s, "/v1/chat/completions", hello(`"stream":true`))
	assert.NotContains(t, w.Body.String(), "[DONE]")
	assert.True(t, strings.HasSuffix(w.Body.String(), "\n\ndata: "+`{"error":{"message":"the logits are not finite","type":"server_error","param":null,"code":null}}`+"\n\n"), w.Body)

	w = post(s, "/v1/chat/completions", hello())
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.Equal(t, "the logits are not finite", complaintOf(t, w.Body.Bytes()).Error.Message)
	assert.Contains(t, get(s, "/metrics").Body.String(), `llada_http_requests_total{code="500",route="/v1/chat/completions"} 2`)
}

func TestAnswerRefused(t *testing.T) {
	for _, c := range []struct {
		err              error
		status           int
		code, typ, retry string
	}{
		{ErrBusy, 429, "queue_full", "rate_limit_error", "1"},
		{ErrClosed, 503, "shutting_down", "server_error", "5"},
		{&Failure{Value: "x"}, 500, "model_failed", "server_error", ""},
		{errors.New("stop text 1 is empty"), 400, "", "invalid_request_error", ""},
	} {
		s := refusing(t, Options{}, c.err, says)
		for _, stream := range []string{`"stream":false`, `"stream":true`} {
			w := post(s, "/v1/chat/completions", hello(stream))
			assert.Equal(t, c.status, w.Code)
			f := complaintOf(t, w.Body.Bytes())
			assert.Equal(t, c.code, f.code())
			assert.Equal(t, c.typ, f.Error.Type)
			assert.Equal(t, c.retry, w.Header().Get("Retry-After"))
		}
	}
}

func TestAnswerDeadline(t *testing.T) {
	s := playing(t, Options{Deadline: time.Millisecond}, waits)
	w := post(s, "/v1/chat/completions", hello())
	assert.Equal(t, http.StatusGatewayTimeout, w.Code)
	assert.Equal(t, "deadline_exceeded", complaintOf(t, w.Body.Bytes()).code())
	assert.Equal(t, "false", w.Header().Get("X-Should-Retry"))
	assert.Contains(t, post(s, "/v1/chat/completions", hello(`"stream":true`)).Body.String(), `"code":"deadline_exceeded"`)
}

// While nothing happens, comments say that the connection is alive.
func TestStreamKeepAlive(t *testing.T) {
	seen := make(chan struct{})
	s := playing(t, Options{}, func(_ context.Context, _ Request, emit func(Event)) {
		<-seen
		emit(Event{Done: &Done{Finish: "length"}})
	})
	s.keepAlive = time.Millisecond
	web := httptest.NewServer(s)
	defer web.Close()
	r, err := http.Post(web.URL+"/v1/chat/completions", "application/json", strings.NewReader(hello(`"stream":true`)))
	require.NoError(t, err)
	defer r.Body.Close()
	var all strings.Builder
	for buf, open := make([]byte, 4096), true; ; {
		n, err := r.Body.Read(buf)
		all.Write(buf[:n])
		if open && strings.Count(all.String(), ": waiting\n\n") > 2 {
			close(seen)
			open = false
		}
		if err != nil {
			break
		}
	}
	assert.Contains(t, all.String(), `"finish_reason":"length"`)
	assert.True(t, strings.HasSuffix(all.String(), "data: [DONE]\n\n"))
}

// A reader that never reads, and one that goes away, end their answers.
func TestStreamLost(t *testing.T) {
	ended := make(chan error, 1)
	begun := make(chan struct{}, 1)
	s := playing(t, Options{}, func(ctx context.Context, r Request, emit func(Event)) {
		begun <- struct{}{}
		for ctx.Err() == nil && r.Steps {
			emit(Event{Text: strings.Repeat("x", 1<<16)})
		}
		<-ctx.Done()
		emit(Event{Done: &Done{Finish: "interrupted", Err: ctx.Err()}})
		ended <- ctx.Err()
	})
	s.writeTimeout = 50 * time.Millisecond
	web := httptest.NewServer(s)
	defer web.Close() // which waits for handlers

	r, err := http.Post(web.URL+"/v1/chat/completions", "application/json", strings.NewReader(hello(`"stream":true,"stream_options":{"include_steps":true}`)))
	require.NoError(t, err)
	<-begun
	assert.ErrorIs(t, <-ended, context.Canceled, "nobody has read")
	r.Body.Close()

	for _, stream := range []string{"true", "false"} {
		ctx, cancel := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, web.URL+"/v1/chat/completions", strings.NewReader(hello(`"stream":`+stream)))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/json")
		go func() { <-begun; cancel() }()
		r, err := http.DefaultClient.Do(request)
		if err == nil {
			r.Body.Close()
		}
		assert.ErrorIs(t, <-ended, context.Canceled)
		cancel()
	}
	require.Eventually(t, func() bool {
		return strings.Contains(get(s, "/metrics").Body.String(), `llada_http_requests_total{code="499",route="/v1/chat/completions"} 3`)
	}, 10*time.Second, time.Millisecond)
}
