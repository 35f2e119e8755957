package serve

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/tiny"
)

// TestPageWithModel: the page on the server itself, with the trained model behind it, pass by pass.
func TestPageWithModel(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	b := browse(t, "http://"+s.Listener.Addr().String(), "400 (Bad Request)")
	e, g := startGated(t, loadTiny(t), EngineOptions{})
	s.Config.Handler = NewServer(e, Options{Name: "tiny"})
	s.Start()
	t.Cleanup(s.Close)
	b.size(1200, 800, "light")
	b.open(s.URL + "/")
	assert.Equal(t, "tiny · q8_0 · 4096 positions · blocks of 32", b.text("#model"))
	problems, err := tiny.WordProblems()
	require.NoError(t, err)
	prompt := problems[0].User()

	// The first pass is the prompt's.
	b.enter("#prompt", prompt)
	b.key("Ctrl+Enter")
	g.pass()
	left := []int{}
	for forwards := 1; ; {
		select {
		case <-g.entered:
			g.enter <- struct{}{}
			b.wait(`document.querySelector("#forwards").textContent === "` + strconv.Itoa(forwards) + `"`)
			left = append(left, int(b.eval(masks).(float64)))
			forwards++
			if forwards == 5 {
				b.picture("page-model-1200-light")
			}
			continue
		case <-time.After(50 * time.Millisecond): // to look whether there are more passes to come
		}
		if b.eval(ready) == true {
			break
		}
	}
	require.Greater(t, len(left), 3)
	falls := 0
	for i := 1; i < len(left); i++ {
		if left[i] < left[i-1] {
			falls++
		}
	}
	assert.Greater(t, falls, len(left)/2, "masks vanish: %v", left)
	assert.Empty(t, b.eval(fault))
	assert.Contains(t, b.text(".after"), fmt.Sprintf("%d forwards", len(left)))
	b.picture("page-model-finished-1200-light")
	shown := b.eval(answer)

	// A stop frees the place, which the next pass shows.
	b.enter("#prompt", prompt)
	b.key("Ctrl+Enter")
	g.pass()
	g.pass()
	b.wait(`document.querySelector("#step").textContent === "1"`)
	b.key("Escape")
	b.wait(ready)
	g.open()
	require.Eventually(t, func() bool { return e.Stats().Running == 0 }, 20*time.Second, time.Millisecond)

	body, err := json.Marshal(object{"messages": []object{{"role": "user", "content": prompt}}})
	require.NoError(t, err)
	r := post(s.Config.Handler, "/v1/chat/completions", string(body))
	require.Equal(t, 200, r.Code, r.Body)
	assert.Contains(t, r.Body.String(), strings.Trim(quoted(fmt.Sprint(shown)), `"`), "what the page shows is the answer")

	// Every setting that the page has is one that the server knows.
	b.click("#new")
	b.click("#open")
	for id, value := range map[string]string{"max_tokens": "64", "block_length": "16", "steps": "8", "threshold": "0.9", "temperature": "0.5", "top_p": "0.9", "top_k": "5", "seed": "7"} {
		b.enter("#set-"+id, value)
	}
	for _, id := range []string{"profile", "policy"} {
		b.eval(`{ const e = document.querySelector("#set-` + id + `"); e.value = e.options[1].value; e.dispatchEvent(new Event("input")); }`)
	}
	b.enter("#prompt", prompt)
	b.click("#send")
	b.wait(ready)
	assert.Empty(t, b.eval(fault))
	assert.Contains(t, b.text("#changes"), "10 changed")

	b.enter("#set-block_length", "9999")
	b.enter("#prompt", prompt)
	b.click("#send")
	b.wait(ready + " && " + fault + ` !== ""`)
	assert.Contains(t, b.eval(fault), "block_length")
}
