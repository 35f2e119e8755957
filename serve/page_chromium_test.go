package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
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

// TestPageDenoises types, sends, and watches masks vanish step by step.
func TestPageDenoises(t *testing.T) {
	s := newScripted(t)
	b := browse(t, s.URL)
	b.size(1200, 800, "light")
	b.open(s.URL + "/")
	assert.Equal(t, "llada2.0-mini-q4_k_m · q4_k_m · 32768 positions · blocks of 32", b.text("#model"))
	b.enter("#prompt", "Where is the cat?")
	b.key("Ctrl+Enter")
	assert.Equal(t, object{
		"model": "llada2.0-mini-q4_k_m", "messages": []any{object{"role": "user", "content": "Where is the cat?"}},
		"stream": true, "stream_options": object{"include_usage": true, "include_steps": true},
	}, next(t, s.asked), "what is left as recommended is left out")
	b.wait(masks + " === 32")
	assert.Equal(t, true, b.eval(`document.querySelector("#send").hidden && !document.querySelector("#stop").hidden && document.querySelector("#prompt").value === ""`))

	s.send <- ": still here\n\n"
	s.step(block(0, 1, 1, "The*", "_ cat", "_ is??", "_", "_", "_"))
	b.wait(masks + " === 5")
	assert.Equal(t, "The cat is░░░", b.eval(answer))
	assert.Equal(t, "masked, now “is” with 0.515", b.eval(`document.querySelectorAll(".answer .mask")[1].title`))
	assert.Equal(t, "true", b.eval(`document.querySelector(".answer").getAttribute("aria-busy")`))
	assert.Equal(t, "1 1 1", b.text("#block")+" "+b.text("#step")+" "+b.text("#forwards"))
	assert.Equal(t, "1.00", b.text("#tpf"))
	s.step(block(0, 2, 2, "The", " cat*", " is??*", "_ on", "_ the", "_\n"))
	b.wait(masks + " === 3")
	assert.Equal(t, "The cat is on the↵", b.eval(answer))
	assert.Equal(t, []any{"cat c4", "is c1"}, b.eval(`[...document.querySelectorAll(".answer .new")].map((e) => e.textContent + " " + e.className.split(" ")[1])`))
	s.step(block(0, 3, 3, "The", " cat", " is??", " on*", " the*", "\n*"))
	b.wait(masks + " === 0")
	assert.Equal(t, "2.00", b.text("#tpf"))
	assert.Equal(t, "", b.text("#said"), "nothing is read aloud before the end")

	s.text("The cat is on the\n")
	s.step(block(1, 1, 4, "mat*", "_.", "_<|endoftext|>", "_<|endoftext|>"))
	b.wait(masks + " === 3")
	assert.Equal(t, "The cat is on the\nmat.∎∎", b.eval(answer), "the text is in the place of what showed it")
	assert.Equal(t, "“is” with 0.515", b.eval(`[...document.querySelectorAll(".answer .c1")][0].title`), "with its confidence")
	assert.Equal(t, "2 1 4", b.text("#block")+" "+b.text("#step")+" "+b.text("#forwards"))
	s.step(block(1, 2, 5, "mat", ".*", "<|endoftext|>*", "<|endoftext|>*"))
	b.wait(masks + " === 0")
	s.text("mat.")
	s.finish("stop", 8, 5)
	b.wait(ready)
	assert.Equal(t, "The cat is on the\nmat.", b.eval(answer))
	assert.Equal(t, "The cat is on the\nmat.", b.text("#said"))
	assert.Regexp(t, `^8 tokens[\d.]+ tokens/s1.60 tokens/forward5 forwardsCopy$`, b.text(".after"))
	assert.Equal(t, "prompt", b.eval("document.activeElement.id"))

	// The conversation goes on, and can be forgotten.
	b.enter("#prompt", "Why?")
	b.click("#send")
	assert.Equal(t, []any{
		object{"role": "user", "content": "Where is the cat?"}, object{"role": "assistant", "content": "The cat is on the\nmat."}, object{"role": "user", "content": "Why?"},
	}, next(t, s.asked)["messages"])
	s.text("It sleeps")
	s.finish("length", 2, 1)
	b.wait(ready)
	assert.Contains(t, b.text(".turn:last-child .after"), "cut off")
	b.click("#new")
	b.enter("#prompt", "Hello")
	b.click("#send")
	assert.Len(t, next(t, s.asked)["messages"], 1)
	s.finish("stop", 0, 1)
	b.wait(ready)
	assert.Equal(t, "The answer is empty.", b.text("#said"))
}

// TestPageStops: a stop is seen by the server, and what was decided stays.
func TestPageStops(t *testing.T) {
	s := newScripted(t)
	b := browse(t, s.URL)
	b.size(1200, 800, "light")
	b.open(s.URL + "/")
	b.enter("#prompt", "Count")
	b.click("#send")
	next(t, s.asked)
	s.text("one two ")
	s.step(block(1, 1, 9, "three*", "_ four"))
	b.wait(masks + " === 1")
	b.click("#stop")
	next(t, s.gone)
	b.wait(ready)
	assert.Equal(t, "one two three four", b.eval(answer), "what was in the making can still be seen")
	assert.Equal(t, "stoppedCopy", b.text(".after"))
	assert.Empty(t, b.eval(fault))

	b.enter("#prompt", "Go on")
	b.click("#send")
	assert.Equal(t, object{"role": "assistant", "content": "one two "}, next(t, s.asked)["messages"].([]any)[1], "but is no part of the conversation")
	b.key("Escape")
	next(t, s.gone)
	b.wait(ready)
	assert.Equal(t, "Go on", b.eval(`document.querySelector("#prompt").value`), "nothing was answered: the prompt is back")

	b.click("#send")
	assert.Len(t, next(t, s.asked)["messages"], 3)
	b.click("#new")
	next(t, s.gone)
	b.wait(ready + ` && !document.querySelector(".turn")`)
}

// TestPageSettings: changed ones are sent and kept, others are the server's affair.
func TestPageSettings(t *testing.T) {
	s := newScripted(t)
	b := browse(t, s.URL)
	b.size(1200, 900, "light")
	b.open(s.URL + "/")
	ask := func() map[string]any {
		t.Helper()
		b.enter("#prompt", "Hi")
		b.click("#send")
		body := next(t, s.asked)
		s.text("Ho")
		s.finish("stop", 1, 1)
		b.wait(ready)
		b.click("#new")
		for _, known := range []string{"model", "stream", "stream_options"} {
			delete(body, known)
		}
		return body
	}
	hi := object{"role": "user", "content": "Hi"}
	choose := func(id, value string) {
		b.eval(`{ const e = document.querySelector("#set-` + id + `"); e.value = ` + quoted(value) + `; for (const k of ["input", "change"]) e.dispatchEvent(new Event(k)); }`)
	}
	mark := func(id string) string { return b.text(`label[for=set-` + id + `] .mark`) }

	b.click("#open")
	assert.Equal(t, "recommended", mark("threshold"))
	assert.Equal(t, "0.95", b.eval(`document.querySelector("#set-threshold").value`))
	assert.Equal(t, true, b.eval(`document.querySelector("#recommended").disabled`))
	b.enter("#set-threshold", "0.8")
	b.enter("#set-steps", "16")
	b.enter("#set-system", "Be brief.")
	choose("policy", "factor")
	assert.Equal(t, "recommended: 0.95", mark("threshold"))
	assert.Equal(t, "recommended: threshold", mark("policy"))
	assert.Equal(t, "approximatethe n most probable ones with (n+1)(1-p) below the factor (Fast-dLLM)", b.text("#set-policy-about"))
	assert.Equal(t, "4 changed", b.text("#changes"))
	want := object{"threshold": 0.8, "steps": 16.0, "policy": object{"name": "factor"}, "messages": []any{object{"role": "system", "content": "Be brief."}, hi}}
	assert.Equal(t, want, ask())

	b.open(s.URL + "/?again") // a reload keeps settings, and no contents
	assert.Equal(t, want, ask())
	assert.Equal(t, float64(1), b.eval(`localStorage.length`))
	assert.NotContains(t, b.eval(`localStorage.getItem("llada.settings")`), "Hi")

	b.click("#open")
	b.enter("#set-steps", "32")
	assert.Equal(t, "recommended", mark("steps"))
	b.enter("#set-threshold", "1.5")
	assert.Equal(t, "It must be a number between 0 and 1.", b.text("#set-threshold-about"))
	b.enter("#prompt", "Hi")
	b.key("Ctrl+Enter")
	b.wait(fault + ` === "Threshold must be a number between 0 and 1."`)
	assert.Empty(t, s.asked)
	b.click("#recommended")
	assert.Equal(t, "0.95", b.eval(`document.querySelector("#set-threshold").value`))
	assert.Equal(t, object{"messages": []any{hi}}, ask())
	assert.Equal(t, float64(0), b.eval(`localStorage.length`))

	// A profile brings a threshold and a policy of its own, unless they are given.
	choose("profile", "turbo")
	assert.Equal(t, "as the profile says", mark("threshold"))
	assert.Equal(t, object{"profile": "turbo", "messages": []any{hi}}, ask())
	b.enter("#set-threshold", "0.95")
	assert.Equal(t, object{"profile": "turbo", "threshold": 0.95, "messages": []any{hi}}, ask())
	choose("profile", "exact")
	assert.Equal(t, object{"messages": []any{hi}}, ask())

	// What is kept may be of another model, or nobody's.
	for _, text := range []string{`{"threshold":"0.5","steps":1.5,"policy":"none","profile":"turbo","top_k":-1,"system":7,"model":"x"}`, `[`, `null`, `7`, `"x"`} {
		b.eval(`localStorage.setItem("llada.settings", ` + quoted(text) + `)`)
		b.open(s.URL + "/?" + fmt.Sprint(len(text)))
		want := object{"messages": []any{hi}}
		if strings.Contains(text, "turbo") {
			want["profile"] = "turbo"
		}
		assert.Equal(t, want, ask(), text)
	}
}

// TestPageKey: a server with a key is asked with it, and it stays in the tab.
func TestPageKey(t *testing.T) {
	s := newScripted(t)
	s.key = "secret-7"
	b := browse(t, s.URL, "401 (Unauthorized)")
	b.size(400, 800, "dark")
	b.open(s.URL + "/")
	b.wait(fault + ` === "the key is not right"`)
	assert.Equal(t, "key", b.eval(`document.activeElement.id`))
	b.enter("#key", "wrong")
	b.click("#key-form button")
	b.wait(`document.querySelector("#key").value === "" && ` + fault + ` !== ""`)
	b.picture("page-key-400-dark")
	b.enter("#key", s.key)
	b.key("Enter")
	b.wait(`document.querySelector("#key-form").hidden && document.querySelector("#model").textContent !== ""`)
	assert.Empty(t, b.eval(fault))
	assert.Equal(t, []any{float64(0), "secret-7"}, b.eval(`[localStorage.length, sessionStorage.getItem("llada.key")]`))
	b.open(s.URL + "/?again")
	b.wait(`document.querySelector("#model").textContent !== ""`)
}

// TestPageErrors: what the server or the network says is one line, and the prompt is not lost.
func TestPageErrors(t *testing.T) {
	s := newScripted(t)
	b := browse(t, s.URL, "429 (Too Many Requests)", "500 (Internal Server Error)", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION")
	b.size(1200, 800, "light")
	b.open(s.URL + "/")
	answers := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	for _, c := range []struct {
		name, want string
		fail       http.HandlerFunc
	}{
		{"busy", "the server is busy: its queue is full", answers(429, `{"error":{"message":"the server is busy:\n  its queue is full"}}`)},
		{"no JSON", "The server answered 500 Internal Server Error", answers(500, "<b>broken</b>")},
		{"other JSON", "The server answered 500 Internal Server Error", answers(500, "[]")},
		{"not reached", "The server cannot be reached. Does it still run?", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"as data", "the model has gone", answers(200, "data: {\"error\":{\"message\":\"the model has gone\"}}\n\n")},
		{"too short", "The answer ended before it was finished.", answers(200, ": nothing\n\n")},
		{"broken data", `The server sent what is no JSON: {"choices":`, answers(200, "data: {\"choices\":\n\n")},
		{"a step of nothing", "The server told of a step that has no meaning.", answers(200, "data: {\"llada\":{\"step\":{\"block\":-1}}}\n\n")},
		{"a line without end", "The server's answer has a line without an end.", answers(200, "data: "+strings.Repeat("x", 5<<20))},
	} {
		s.fail = c.fail
		b.enter("#prompt", "Hi "+c.name)
		b.click("#send")
		next(t, s.asked)
		b.wait(ready + " && " + fault + ` !== ""`)
		assert.Equal(t, c.want, b.eval(fault), c.name)
		assert.Equal(t, "Hi "+c.name, b.eval(`document.querySelector("#prompt").value`))
		assert.Equal(t, float64(0), b.eval(`document.querySelectorAll(".turn").length`))
	}
	s.fail = nil
	b.click("#send")
	next(t, s.asked)
	s.text("Half an")
	b.wait(answer + ` === "Half an"`)
	s.CloseClientConnections()
	b.wait(ready + " && " + fault + ` === "The connection broke before the answer was finished."`)
	assert.Equal(t, "interruptedCopy", b.text(".after"))
	next(t, s.gone)
}

// TestPageHostile: texts of a model are texts, whatever they look like and however they come.
func TestPageHostile(t *testing.T) {
	s := newScripted(t)
	b := browse(t, s.URL, "requires 'TrustedHTML' assignment")
	b.size(1200, 800, "light")
	b.open(s.URL + "/")
	texts := []string{
		"<script>document.title='broken'</script>", "<img src=x onerror=\"document.title='broken'\">", "\u202eback", "\u2066\u200b", "\x00\x1b[31m", "\u2028", "𝄞 é 你好",
		"e" + strings.Repeat("\u0301", 50), "\n\n", "\t", "{{x}}${1}`", " عربى", "<|mask|>", "&lt;b>", strings.Repeat("long", 500), "</div>", "\n",
	}
	b.enter("#prompt", texts[0]+texts[1])
	b.click("#send")
	assert.Equal(t, []any{object{"role": "user", "content": texts[0] + texts[1]}}, next(t, s.asked)["messages"])
	step := Step{Block: 0, Step: 1, Forwards: 1}
	for i, text := range texts {
		step.Tokens = append(step.Tokens, Token{Text: text, Prob: 7, Masked: i%2 == 0})
	}
	s.step(step)
	b.wait(masks + " === 9")
	for i := range step.Tokens {
		step.Tokens[i].Masked = false
	}
	step.Step++
	s.step(step)
	b.wait(masks + " === 0")
	// The text comes in pieces that end within characters, with other ends of lines.
	whole := strings.Join(texts, "")
	content, _ := json.Marshal(object{"choices": []any{object{"delta": object{"content": whole}}}})
	event := "\r\n: a comment\r\ndata:" + strings.ReplaceAll(string(content), `,"`, ",\r\ndata: \"") + "\r\n\r\n"
	for from := 0; from < len(event); from += 7 {
		s.send <- event[from:min(from+7, len(event))]
	}
	s.finish("stop", 9, 2)
	b.wait(ready)
	assert.Equal(t, whole, b.eval(answer))
	assert.Equal(t, []any{"llada", float64(0), float64(0)}, b.eval(`[document.title, document.querySelectorAll("img").length, document.querySelectorAll(".turn script").length]`))
	assert.Equal(t, true, b.eval(`document.documentElement.scrollWidth <= innerWidth`))

	// The policy has the browser refuse markup, and what comes from elsewhere.
	assert.Equal(t, "TypeError", b.eval(`(() => { try { document.body.innerHTML = "<b>x</b>"; return "made" } catch (e) { return e.name } })()`))
}

// TestPageHuge: a long answer comes whole, and quickly.
func TestPageHuge(t *testing.T) {
	s := newScripted(t)
	b := browse(t, s.URL)
	b.size(1200, 800, "light")
	b.open(s.URL + "/")
	b.enter("#prompt", "A book")
	b.click("#send")
	next(t, s.asked)
	begin := time.Now()
	const blocks = 600
	var whole strings.Builder
	for n := range blocks {
		words := make([]string, 32)
		for i := range words {
			words[i] = fmt.Sprintf(" word%d", i*n%97)
			if i == 31 && n%4 == 0 {
				words[i] = "\n"
			}
		}
		for step := 1; step <= 3; step++ {
			now := append([]string(nil), words...)
			for i := range now {
				if i%3 >= step {
					now[i] = "_" + now[i]
				}
			}
			s.step(block(n, step, 3*n+step, now...))
		}
		whole.WriteString(strings.Join(words, ""))
		s.text(strings.Join(words, ""))
	}
	s.finish("length", 32*blocks, 3*blocks)
	b.wait(ready)
	assert.Equal(t, whole.String(), b.eval(answer))
	assert.Equal(t, float64(8000), b.eval(`document.querySelectorAll(".answer .t").length`), "a bound on elements")
	assert.Equal(t, true, b.eval(`(() => { const m = document.querySelector("main"); return m.scrollHeight - m.scrollTop - m.clientHeight < 60 })()`), "the end is in sight")
	t.Logf("%d steps in %.1f s", 3*blocks, time.Since(begin).Seconds())
}

// TestPageScreenshots takes pictures to be looked at, wide and narrow, light and dark.
func TestPageScreenshots(t *testing.T) {
	if os.Getenv(screenshotsVariable) == "" {
		t.Skip(screenshotsVariable + " has no folder")
	}
	s := newScripted(t)
	b := browse(t, s.URL)
	b.open(s.URL + "/")
	all := func(name string) {
		for _, width := range []int{1200, 400} {
			for _, scheme := range []string{"light", "dark"} {
				b.size(width, 800, scheme)
				b.eval(`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`)
				b.picture(fmt.Sprintf("page-%s-%d-%s", name, width, scheme))
			}
		}
	}
	all("welcome")
	b.enter("#prompt", "Why is the sky blue? Answer in two sentences.")
	b.click("#send")
	next(t, s.asked)
	all("begins")
	first := strings.Fields("The sky is blue because the molecules of the air scatter short? waves of light? much? more than long ones, in?? all directions. So from wherever")
	for i := range first {
		if i > 0 {
			first[i] = " " + first[i]
		}
	}
	s.step(block(0, 9, 9, first...))
	s.text(strings.ReplaceAll(strings.Join(first, ""), "?", ""))
	second := strings.Fields("you* look up, blue* light? comes _to?? _your?? eyes* , _and?? _the??? _red??? _goes??? straight* _on??? .* _ <|endoftext|> _<|endoftext|> _<|endoftext|> _<|endoftext|> _<|endoftext|>")
	for i, w := range second {
		if strings.HasPrefix(w, "_") && !strings.Contains(w, "<") && len(w) > 1 {
			second[i] = "_ " + w[1:]
		} else if w != "," && w != ".*" && !strings.Contains(w, "<") {
			second[i] = " " + w
		}
		if w == "_" {
			second[i] = "_"
		}
	}
	s.step(block(1, 3, 12, second...))
	b.wait(masks + " === 12")
	all("denoises")
	b.eval(`document.querySelectorAll(".answer .c1, .answer .c2")[0].dispatchEvent(new PointerEvent("pointerover", {bubbles: true}))`)
	s.step(block(1, 4, 13))
	s.text(" you look up, blue light comes to your eyes, and the red goes straight on.")
	s.finish("stop", 47, 18)
	b.wait(ready)
	b.size(1200, 800, "light")
	b.click("#open")
	b.enter("#set-threshold", "0.8")
	b.eval(`{ const e = document.querySelector("#set-policy"); e.value = "factor"; e.dispatchEvent(new Event("input")); }`)
	all("settings")
	b.size(400, 800, "light")
	b.click("#close")
	b.enter("#prompt", "And why is it red in the evening?")
	all("finished")
}
