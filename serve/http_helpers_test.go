package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/runtime"
)

// playing returns a server whose answers are what the script emits.
func playing(t testing.TB, opt Options, script func(ctx context.Context, r Request, emit func(Event))) *Server {
	return refusing(t, opt, nil, script)
}

// refusing is playing, but the engine refuses with err if that is not nil.
func refusing(t testing.TB, opt Options, err error, script func(ctx context.Context, r Request, emit func(Event))) *Server {
	t.Helper()
	if opt.Name == "" {
		opt.Name = "tiny"
	}
	return newServer(loadTiny(t), opt, backend{
		submit: func(ctx context.Context, r Request) (func() (Event, bool), error) {
			if err != nil {
				return nil, err
			}
			events := make(chan Event)
			go func() { // which the server reads to the end
				defer close(events)
				script(ctx, r, func(e Event) { events <- e })
			}()
			return func() (Event, bool) { e, ok := <-events; return e, ok }, nil
		},
		stats: func() EngineStats {
			return EngineStats{Waiting: 3, Running: 2, Positions: 7, Busy: 5, Passes: 10, Sequences: 25, Seconds: 1.5}
		},
		err:   func() error { return err },
		close: func(context.Context) error { return nil },
	})
}

// says answers with a text in two parts.
func says(_ context.Context, r Request, emit func(Event)) {
	emit(Event{Text: "Hello, "})
	if r.Steps {
		emit(Event{Text: "world", Step: &Step{Block: 1, Step: 2, Forwards: 3, Tokens: []Token{{Text: "wor", Prob: 0.5, Wrote: true}, {Text: "ld", Prob: 0.25, Masked: true}}}})
	} else {
		emit(Event{Text: "world"})
	}
	emit(Event{Done: &Done{Finish: "stop", Tokens: 5, Result: &runtime.Result{
		IDs: make([]int32, 6), Cached: 32, Forwards: runtime.Forwards{Prefill: 1, Denoise: 2, Commit: 2, Fused: 1},
	}}})
}

// waits answers nothing until its context ends.
func waits(ctx context.Context, _ Request, emit func(Event)) {
	<-ctx.Done()
	emit(Event{Done: &Done{Finish: "interrupted", Err: context.Cause(ctx)}})
}

// post sends a body of JSON.
func post(s http.Handler, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return send(s, r, headers...)
}

func get(s http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	return send(s, httptest.NewRequest(http.MethodGet, path, nil), headers...)
}

func send(s http.Handler, r *http.Request, headers ...string) *httptest.ResponseRecorder {
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// complaint is an error as clients read it.
type complaint struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	} `json:"error"`
}

// faultOf reads an error, which must have all fields and no others.
func complaintOf(t testing.TB, body []byte) (f complaint) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&f), "%s", body)
	for _, field := range []string{`"message":`, `"type":`, `"param":`, `"code":`} {
		require.Contains(t, string(body), field)
	}
	require.NotContains(t, f.Error.Message, "\n")
	return f
}

func (f complaint) param() string {
	if f.Error.Param == nil {
		return ""
	}
	return *f.Error.Param
}

func (f complaint) code() string {
	if f.Error.Code == nil {
		return ""
	}
	return *f.Error.Code
}

// hello is a request for a chat, to which fields may be added.
func hello(fields ...string) string {
	return `{"model":"tiny","messages":[{"role":"user","content":"Hello"}]` + strings.Join(append([]string{""}, fields...), ",") + `}`
}

// decode reads a document, which must have no fields but those of T.
func decode[T any](t testing.TB, text string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&v), text)
	return v
}
