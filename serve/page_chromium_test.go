package serve

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

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
	assert.Equal(t, "masked, now “is”, confidence 0.515", b.eval(`document.querySelectorAll(".answer .mask")[1].title`))
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
	assert.Equal(t, "“is”, confidence 0.515", b.eval(`[...document.querySelectorAll(".answer .c1")][0].title`), "with its confidence")
	assert.Equal(t, "2 1 4", b.text("#block")+" "+b.text("#step")+" "+b.text("#forwards"))
	s.step(block(1, 2, 5, "mat", ".*", "<|endoftext|>*", "<|endoftext|>*"))
	b.wait(masks + " === 0")
	assert.Equal(t, "1.60", b.text("#tpf"), "8 tokens in 5 forwards: ends are none")
	// What a slow reader missed comes together: a step of the next block first, then the text before it.
	s.step(block(2, 1, 6, " It*", "_ purrs?", "_."))
	s.text("mat.")
	b.wait(masks + " === 2")
	assert.Equal(t, "The cat is on the\nmat. It purrs.", b.eval(answer))
	assert.Equal(t, "“mat”, confidence 0.995", b.eval(`[...document.querySelectorAll(".answer .t")].find((e) => e.textContent === "mat").title`))
	s.step(block(2, 2, 7, " It", " purrs?*", ".*"))
	b.wait(masks + " === 0")
	s.text(" It purrs.")
	s.step(block(2, 2, 7, " It", " purrs?*", ".*")) // the text is there already
	s.step(block(3, 1, 8, " Do*", "_ not"))
	s.step(block(4, 1, 9, " wake*", "_ it."))
	s.text(" Do not")
	b.wait(masks + " === 1")
	assert.Equal(t, "The cat is on the\nmat. It purrs. Do not wake it.", b.eval(answer))
	s.step(block(4, 2, 10, " wake", " it.*"))
	s.text(" wake it.")
	s.finish("stop", 14, 10)
	b.wait(ready)
	assert.Equal(t, "The cat is on the\nmat. It purrs. Do not wake it.", b.eval(answer))
	assert.Equal(t, "The cat is on the\nmat. It purrs. Do not wake it.", b.text("#said"))
	assert.Regexp(t, `^14 tokens[\d.]+ tokens/s1.40 tokens/forward10 forwardsCopy$`, b.text(".after"))
	assert.Equal(t, "prompt", b.eval("document.activeElement.id"))

	// The conversation goes on, and can be forgotten.
	b.enter("#prompt", "Why?")
	b.click("#send")
	assert.Equal(t, []any{
		object{"role": "user", "content": "Where is the cat?"}, object{"role": "assistant", "content": "The cat is on the\nmat. It purrs. Do not wake it."}, object{"role": "user", "content": "Why?"},
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
	for i, w := range second {
		second[i] = strings.TrimSuffix(strings.TrimPrefix(w, "_"), "*")
	}
	second[16] = "<|endoftext|>"
	s.step(block(1, 9, 18, second...))
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
