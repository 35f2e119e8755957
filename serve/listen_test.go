package serve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/runtime"
)

// serving is a server with a real engine, on a port of its own.
type serving struct {
	url   string
	model *runtime.Model
	stop  func()       // ends the server, if it has not ended
	end   func() error // stop, and how it ended
	log   *lockedBuffer
}

// serveTiny serves the trained checkpoint until end is called.
func serveTiny(t testing.TB, engine EngineOptions, opt Options) *serving {
	t.Helper()
	v := &serving{model: loadTiny(t), log: &lockedBuffer{}}
	opt.Name, opt.Log = "tiny", slog.New(slog.NewTextHandler(v.log, nil))
	e := NewEngine(v.model, engine)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- NewServer(e, opt).Serve(ctx, l) }()
	v.url, v.stop = "http://"+l.Addr().String(), cancel
	v.end = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		holdsNothing(t, e)
		return err
	})
	t.Cleanup(func() { v.end() })
	return v
}

// lockedBuffer is for logs of several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// ask sends a chat and returns the status and what is answered.
func (v *serving) ask(t testing.TB, body string) (int, string) {
	t.Helper()
	r, err := http.Post(v.url+"/v1/chat/completions", "application/json", strings.NewReader(body))
	require.NoError(t, err)
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, string(data)
}

// What the server answers is what the model does, and nobody learns of it from the log.
func TestServe(t *testing.T) {
	v := serveTiny(t, EngineOptions{}, Options{})
	q, err := parse(t, &Server{model: v.model, opt: Options{Name: "tiny"}}, hello(`"max_tokens":64`))
	require.NoError(t, err)
	status, body := v.ask(t, hello(`"max_tokens":64`))
	assert.Equal(t, http.StatusOK, status, body)
	_, events := v.ask(t, hello(`"max_tokens":64`, `"stream":true`, `"stream_options":{"include_usage":true}`))
	require.NoError(t, v.end())

	result, err := v.model.Generate(t.Context(), q.Prompt, q.Options)
	require.NoError(t, err)
	text := v.model.Text(result.IDs)
	require.NotEmpty(t, text)
	answer := decode[document](t, body)
	assert.Equal(t, text, *answer.Choices[0].Message.Content)
	assert.Equal(t, result.Forwards.Denoise, answer.Usage.Forwards.Denoise)
	assert.Equal(t, len(q.Prompt), answer.Usage.Prompt)
	assert.Equal(t, len(v.model.Turn(result.IDs)), answer.Usage.Completion)

	var streamed strings.Builder
	chunks := strings.Split(strings.TrimSuffix(events, "\n\n"), "\n\n")
	assert.Equal(t, "data: [DONE]", chunks[len(chunks)-1])
	for _, chunk := range chunks[:len(chunks)-1] {
		d := decode[document](t, strings.TrimPrefix(chunk, "data: "))
		if len(d.Choices) > 0 && d.Choices[0].Delta.Content != nil {
			streamed.WriteString(*d.Choices[0].Delta.Content)
		}
		if d.Usage != nil {
			assert.Equal(t, answer.Usage, d.Usage)
		}
	}
	assert.Equal(t, text, streamed.String())

	assert.Contains(t, v.log.String(), "route=/v1/chat/completions status=200")
	assert.Contains(t, v.log.String(), "finish=stop")
	assert.NotContains(t, v.log.String(), "Hello")
	assert.NotContains(t, v.log.String(), text)
}

// A server that is ended finishes its answers, and takes no others.
func TestServeDrains(t *testing.T) {
	v := serveTiny(t, EngineOptions{Batch: 1}, Options{})
	r, err := http.Post(v.url+"/v1/chat/completions", "application/json", strings.NewReader(hello(`"stream":true`)))
	require.NoError(t, err)
	defer r.Body.Close()
	v.stop()
	require.NoError(t, v.end())
	data, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(string(data), "data: [DONE]\n\n"), string(data))
	_, err = http.Get(v.url + "/health")
	assert.Error(t, err)
}

// A listener that fails ends the server.
func TestServeFails(t *testing.T) {
	e := NewEngine(loadTiny(t), EngineOptions{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	assert.ErrorIs(t, NewServer(e, Options{}).Serve(t.Context(), l), net.ErrClosed)
	assert.ErrorIs(t, e.Err(), ErrClosed)
}

func TestHealth(t *testing.T) {
	s := playing(t, Options{}, says)
	w := get(s, "/health")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, `{"status":"ok"}`+"\n", w.Body.String())
	s.closing.Store(true)
	assert.Equal(t, http.StatusServiceUnavailable, get(s, "/health").Code)
	w = get(refusing(t, Options{}, &Failure{Value: errors.New("index")}, says), "/health")
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Equal(t, "model_failed", complaintOf(t, w.Body.Bytes()).code())
}

func TestModels(t *testing.T) {
	s := playing(t, Options{Name: "a/b"}, says)
	m := s.model
	w := get(s, "/v1/models/a/b")
	assert.Equal(t, http.StatusOK, w.Code)
	one := decode[modelEntry](t, w.Body.String())
	assert.Equal(t, "a/b", one.ID)
	assert.Equal(t, m.Defaults(), one.LLaDA.Settings)
	assert.Equal(t, m.Config.Context, one.LLaDA.Context)
	assert.Equal(t, m.Config.BlockLength, one.LLaDA.BlockLength)
	assert.Equal(t, "q8_0", one.LLaDA.Type)
	assert.Equal(t, policyInfo{"threshold", runtime.ClassExact, runtime.Policies()[0].About}, one.LLaDA.Policies[0])
	assert.Equal(t, []runtime.Profile{runtime.Exact, runtime.Balanced, runtime.Turbo}, one.LLaDA.Profiles)
	list := decode[struct {
		Object string       `json:"object"`
		Data   []modelEntry `json:"data"`
	}](t, get(s, "/v1/models").Body.String())
	assert.Equal(t, "list", list.Object)
	assert.Equal(t, []modelEntry{one}, list.Data)
	w = get(s, "/v1/models/other")
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Equal(t, "model_not_found", complaintOf(t, w.Body.Bytes()).code())
}

func TestMetrics(t *testing.T) {
	s := playing(t, Options{}, says)
	post(s, "/v1/completions", `{"prompt":[1,2,3]}`)
	get(s, "/v1/models/"+strings.Repeat("x", 100))
	get(s, "/v1/"+strings.Repeat("y", 100))
	text := get(s, "/metrics").Body.String()
	for _, line := range []string{
		`llada_http_requests_total{code="200",route="/v1/completions"} 1`, `llada_http_requests_total{code="404",route="/v1/models/{id...}"} 1`,
		`llada_answers_total{finish="stop"} 1`, `llada_tokens_total{kind="prompt"} 3`, `llada_tokens_total{kind="cached"} 32`, `llada_tokens_total{kind="answer"} 5`,
		`llada_forwards_total{kind="denoise"} 2`, `llada_queue_length 3`, `llada_running 2`, `llada_kv_positions 7`, `llada_busy_total 5`, `llada_passes_total 10`,
		`llada_pass_sequences_total 25`, `llada_pass_seconds_total 1.5`, `llada_answer_seconds_count 1`, `llada_first_text_seconds_count 1`, `llada_queue_seconds_count 1`,
		`go_build_info{`, `go_goroutines `,
	} {
		assert.Contains(t, text, "\n"+line)
	}
	assert.NotContains(t, text, "xxx")
	assert.NotContains(t, text, "yyy")
}
