package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// chromiumVariable has the path of a Chromium, for tests that use pages in one.
const chromiumVariable = "LLADA_TEST_CHROMIUM"

// screenshotsVariable has a folder for pictures of pages, to be looked at.
const screenshotsVariable = "LLADA_TEST_SCREENSHOTS"

// browser is a Chromium with one tab, which a test uses as a person would. It speaks the
// DevTools protocol over a pair of pipes: JSON texts with a zero byte behind each.
type browser struct {
	t       *testing.T
	ctx     context.Context
	to      io.Writer
	session string
	id      int
	replies chan reply

	mu       sync.Mutex
	said     []string // on the console, and what else went wrong
	requests []string // addresses
}

// reply is what the browser says: an answer, or an event if it has a method.
type reply struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// browse starts a browser, which ends with the test. At the end nothing may have been said
// on its console but what a pattern of forget matches, and nothing asked of other addresses
// than those that begin with the origin.
func browse(t *testing.T, origin string, expected ...string) *browser {
	t.Helper()
	if os.Getenv(chromiumVariable) == "" {
		t.Skip(chromiumVariable + " has no path of a Chromium")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute) // a bound for a browser that hangs
	fromTest, toBrowser, err := os.Pipe()
	require.NoError(t, err)
	fromBrowser, toTest, err := os.Pipe()
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "chromium")
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, os.Getenv(chromiumVariable), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--proxy-server=127.0.0.1:9", "--proxy-bypass-list=127.0.0.1",
		"--user-data-dir="+dir, "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{fromTest, toTest}
	cmd.WaitDelay = 10 * time.Second
	require.NoError(t, cmd.Start())
	fromTest.Close()
	toTest.Close()
	b := &browser{t: t, ctx: ctx, to: toBrowser, replies: make(chan reply, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.listen(fromBrowser)
	}()
	t.Cleanup(func() {
		b.session = ""
		b.call("Browser.close", nil, nil)
		toBrowser.Close()
		<-done
		fromBrowser.Close()
		_ = cmd.Wait() // closed by the test, its status says nothing
		cancel()
		_ = os.RemoveAll(dir)
		for _, address := range b.requests {
			assert.True(t, strings.HasPrefix(address, origin+"/") || strings.HasPrefix(address, "data:"), address)
		}
		for _, line := range b.said {
			known := false
			for _, e := range expected {
				known = known || strings.Contains(line, e)
			}
			assert.True(t, known, line)
		}
	})

	var target struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// listen takes what the browser says until it ends.
func (b *browser) listen(r io.Reader) {
	defer close(b.replies)
	for in := bufio.NewReader(r); ; {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m reply
		if err := json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &m); err != nil {
			m = reply{Method: "Log.entryAdded", Params: json.RawMessage(`{"entry":{"level":"error","text":"broken message"}}`)}
		}
		if m.Method == "" {
			b.replies <- m
			continue
		}
		var p struct {
			Entry            struct{ Level, Text, URL string }
			Request          struct{ URL string }
			Type             string
			Args             []struct{ Value any }
			ExceptionDetails json.RawMessage
		}
		_ = json.Unmarshal(m.Params, &p) // other events have other fields
		b.mu.Lock()
		switch m.Method {
		case "Network.requestWillBeSent":
			b.requests = append(b.requests, p.Request.URL)
		case "Log.entryAdded":
			if p.Entry.Level == "error" || p.Entry.Level == "warning" {
				b.said = append(b.said, p.Entry.Text+" "+p.Entry.URL)
			}
		case "Runtime.consoleAPICalled":
			b.said = append(b.said, fmt.Sprint(p.Type, p.Args))
		case "Runtime.exceptionThrown":
			b.said = append(b.said, string(p.ExceptionDetails))
		}
		b.mu.Unlock()
	}
}

// call asks the browser for something, and takes the result if it is wanted.
func (b *browser) call(method string, params any, result any) {
	b.t.Helper()
	b.id++
	if params == nil {
		params = struct{}{}
	}
	message := map[string]any{"id": b.id, "method": method, "params": params}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	require.NoError(b.t, err)
	_, err = b.to.Write(append(text, 0))
	require.NoError(b.t, err)
	for m := range b.replies {
		if m.ID != b.id {
			continue
		}
		require.Nil(b.t, m.Error, "%s: %+v", method, m.Error)
		if result != nil {
			require.NoError(b.t, json.Unmarshal(m.Result, result))
		}
		return
	}
	require.Equal(b.t, "Browser.close", method, "the browser ended: %v", b.ctx.Err())
}

// eval returns the value of an expression of the page, a promise's too.
func (b *browser) eval(expression string) any {
	b.t.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &r)
	require.Empty(b.t, string(r.ExceptionDetails), expression)
	return r.Result.Value
}

// wait waits until an expression of the page is true, looking at every frame.
func (b *browser) wait(expression string) {
	b.t.Helper()
	ok := b.eval(`new Promise((done) => {
		const begin = performance.now(), look = () => (` + expression + `) ? done(true) : performance.now() - begin > 20000 ? done(false) : requestAnimationFrame(look);
		look();
	})`)
	require.Equal(b.t, true, ok, "never true: %s; the page has: %v", expression, b.eval("document.body.innerText"))
}

// open shows an address, and waits until the model is known or a key wanted.
func (b *browser) open(address string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": address}, nil)
	b.wait(`location.href === ` + quoted(address) + ` && document.readyState === "complete" && document.querySelector(".field") !== null`)
}

// size makes the window so wide and high, in one of the schemes light and dark.
func (b *browser) size(width, height int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}}}, nil)
}

// click clicks in the middle of an element, which must be what is seen there.
func (b *browser) click(selector string) {
	b.t.Helper()
	at, ok := b.eval(`(() => {
		const e = document.querySelector(` + quoted(selector) + `);
		e.scrollIntoView({block: "nearest"});
		const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2, top = document.elementFromPoint(x, y);
		return e === top || e.contains(top) ? [x, y] : null;
	})()`).([]any)
	require.True(b.t, ok, "%s cannot be clicked", selector)
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		b.call("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1}, nil)
	}
}

// enter replaces the text of a field, as typing does.
func (b *browser) enter(selector, text string) {
	b.t.Helper()
	b.eval(`{ const e = document.querySelector(` + quoted(selector) + `); e.focus(); e.select(); }`)
	b.call("Input.insertText", map[string]any{"text": text}, nil)
}

// key presses a key, with Ctrl if it is written so.
func (b *browser) key(name string) {
	b.t.Helper()
	name, control := strings.CutPrefix(name, "Ctrl+")
	codes, modifiers := map[string]int{"Enter": 13, "Escape": 27, "Tab": 9}, 0
	if control {
		modifiers = 2
	}
	for _, kind := range []string{"keyDown", "keyUp"} {
		press := map[string]any{"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": codes[name], "modifiers": modifiers}
		if name == "Enter" && kind == "keyDown" {
			press["text"] = "\r"
		}
		b.call("Input.dispatchKeyEvent", press, nil)
	}
}

// picture keeps a picture of the window, if there is a folder for it.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv(screenshotsVariable)
	if dir == "" {
		return
	}
	var r struct{ Data string }
	b.call("Page.captureScreenshot", nil, &r)
	png, err := base64.StdEncoding.DecodeString(r.Data)
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o666))
}

// quoted is a text as JavaScript has it.
func quoted(text string) string {
	q, _ := json.Marshal(text)
	return string(q)
}
