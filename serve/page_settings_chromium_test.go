package serve

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

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
