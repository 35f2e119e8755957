package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

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
	// Here the page has read up to within a character, and to within the end of a line.
	s.send <- "data: {\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"\xf0\x9d"
	b.wait(answer + `.endsWith("A")`)
	s.send <- "\x84\x9e\"}}]}\n\ndata: {\"choices\":[{\"delta\":\r"
	b.wait(answer + `.endsWith("A𝄞")`)
	s.send <- "\ndata: {\"content\":\"B\"}}]}\r\n\r\n"
	s.finish("stop", 9, 2)
	b.wait(ready)
	assert.Equal(t, whole+"A𝄞B", b.eval(answer))
	assert.Equal(t, []any{"llada", float64(0), float64(0)}, b.eval(`[document.title, document.querySelectorAll("img").length, document.querySelectorAll(".turn script").length]`))
	for _, width := range []int{1200, 400} {
		b.size(width, 800, "dark")
		assert.Equal(t, true, b.eval(`document.documentElement.scrollWidth <= innerWidth && document.querySelector("main").scrollWidth <= innerWidth`), "nothing is wider than a window of %d", width)
	}

	// The policy has the browser refuse markup, and what comes from elsewhere.
	assert.Equal(t, "TypeError", b.eval(`(() => { try { document.body.innerHTML = "<b>x</b>"; return "made" } catch (e) { return e.name } })()`))
}

// TestPageColours: confidence has a line beside its colour, both can be switched off, and
// nothing moves for those who want that.
func TestPageColours(t *testing.T) {
	s := newScripted(t)
	b := browse(t, s.URL)
	b.size(400, 800, "dark")
	b.open(s.URL + "/")
	b.enter("#prompt", "Hi")
	b.key("Ctrl+Enter")
	next(t, s.asked)
	s.step(block(0, 1, 1, "a???", "b??", "c?", "d", "_e"))
	b.wait(masks + " === 1")
	style := func(name string) any {
		return b.eval(`[...document.querySelectorAll(".answer .t")].map((e) => getComputedStyle(e).` + name + `)`)
	}
	assert.Equal(t, []any{"wavy", "double", "double", "solid", "solid"}, style("textDecorationStyle"))
	assert.Equal(t, []any{"underline", "underline", "underline", "none", "none"}, style("textDecorationLine"))
	assert.Len(t, b.eval(`[...new Set([...document.querySelectorAll(".answer .t")].map((e) => getComputedStyle(e).backgroundColor))]`), 3)
	assert.Equal(t, []any{"none", "none", "none", "none", "none"}, style("animationName"))
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-reduced-motion", "value": "no-preference"}}}, nil)
	assert.Equal(t, []any{"none", "none", "none", "none", "wait"}, style("animationName"))
	b.click("#colours")
	assert.Equal(t, []any{"none", "none", "none", "none", "none"}, style("textDecorationLine"))
	assert.Equal(t, true, b.eval(`[...document.querySelectorAll("button, input, select, textarea")].every((e) => e.labels?.length || e.textContent.trim() || e.ariaLabel)`), "all controls have names")
	// Words say what they are when they are tapped.
	b.click(".answer .t")
	assert.Equal(t, "“a”, confidence 0.275", b.text("#detail"))
	s.text("abcd")
	s.finish("stop", 4, 1)
	b.wait(ready)
}
