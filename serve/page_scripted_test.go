package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// scripted is a server that shows the page, and answers as a test tells it.
type scripted struct {
	*httptest.Server
	key   string              // that is wanted, if any
	fail  http.HandlerFunc    // answers the next requests instead, if not nil
	asked chan map[string]any // bodies of requests
	send  chan string         // bytes of the answer, as they are; "" ends it
	gone  chan struct{}       // a client went before the answer's end
}

func newScripted(t *testing.T) *scripted {
	s := &scripted{asked: make(chan map[string]any, 8), send: make(chan string), gone: make(chan struct{}, 8)}
	mux := http.NewServeMux()
	mux.Handle("/", pageHandler())
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, r *http.Request) {
		if s.refuses(w, r) {
			return
		}
		fmt.Fprint(w, `{"object":"list","data":[{"id":"llada2.0-mini-q4_k_m","object":"model","llada":{"type":"q4_k_m","context":32768,"block_length":32,
			"settings":{"block_length":32,"steps":32,"threshold":0.95,"gen_length":2048,"minimal_topk":1,"temperature":0,"top_k":0,"top_p":0,"seed":0,"policy":{"name":"threshold"},"eos_early_stop":false,"profile":"exact"},
			"policies":[{"name":"threshold","class":"exact","about":"probabilities above the threshold"},
				{"name":"factor","class":"approximate","about":"the n most probable ones with (n+1)(1-p) below the factor (Fast-dLLM)"}],
			"profiles":["exact","balanced","turbo","reference"]}}]}`)
	})
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		if s.refuses(w, r) {
			return
		}
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			body = map[string]any{"broken": err.Error()}
		}
		s.asked <- body
		if s.fail != nil {
			s.fail(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			_ = http.NewResponseController(w).Flush()
			select {
			case text := <-s.send:
				if text == "" {
					return
				}
				fmt.Fprint(w, text)
			case <-r.Context().Done():
				s.gone <- struct{}{}
				return
			}
		}
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// refuses answers requests without the key.
func (s *scripted) refuses(w http.ResponseWriter, r *http.Request) bool {
	if s.key == "" || r.Header.Get("Authorization") == "Bearer "+s.key {
		return false
	}
	w.WriteHeader(http.StatusUnauthorized)
	fmt.Fprint(w, `{"error":{"message":"the key is not right","type":"invalid_request_error","code":"invalid_api_key"}}`)
	return true
}

// data sends an event.
func (s *scripted) data(v any) {
	text, ok := v.(string)
	if !ok {
		b, _ := json.Marshal(v)
		text = string(b)
	}
	s.send <- "data: " + text + "\n\n"
}

type object = map[string]any

func (s *scripted) step(step Step) { s.data(object{"choices": []any{}, "llada": object{"step": step}}) }

func (s *scripted) text(text string) {
	s.data(object{"choices": []any{object{"index": 0, "delta": object{"content": text}, "finish_reason": nil}}})
}

// finish ends an answer as it should.
func (s *scripted) finish(reason string, tokens, denoise int) {
	s.data(object{"choices": []any{object{"index": 0, "delta": object{}, "finish_reason": reason}}})
	s.data(object{"choices": []any{}, "usage": object{"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": 9 + tokens,
		"forwards": object{"prefill": 1, "denoise": denoise, "commit": 1, "fused": 2}, "tokens_per_forward": float64(tokens) / float64(denoise)}})
	s.data("[DONE]")
	s.send <- ""
}

// next waits for something of a channel of the server.
func next[T any](t *testing.T, c chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second): // a bound for a page that does nothing
		require.Fail(t, "nothing came")
		panic("unreachable")
	}
}

// block makes a block of words and spaces: "the*" was written by the step, "_the" is
// masked, and would be that, and "_" has no guess yet. Less sure words have a "?".
func block(n, step, forwards int, words ...string) Step {
	s := Step{Block: n, Step: step, Forwards: forwards}
	for _, w := range words {
		t := Token{Prob: 0.995}
		w, t.Masked = strings.CutPrefix(w, "_")
		w, t.Wrote = strings.CutSuffix(w, "*")
		for strings.HasSuffix(w, "?") {
			w, t.Prob = w[:len(w)-1], t.Prob-0.24
		}
		t.Text = w
		s.Tokens = append(s.Tokens, t)
	}
	return s
}

const (
	masks  = `document.querySelectorAll(".turn:last-child .mask").length`
	answer = `document.querySelector(".turn:last-child .answer").textContent`
	ready  = `!document.querySelector("#send").hidden`
	fault  = `document.querySelector("#error").textContent`
)

func (b *browser) text(selector string) string {
	b.t.Helper()
	return fmt.Sprint(b.eval(`document.querySelector(` + quoted(selector) + `).textContent`))
}
