package reports_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"lladakit/reports"
)

// chromiumVariable has the path of a Chromium, for tests that show pages in one.
const chromiumVariable = "LLADA_TEST_CHROMIUM"

// screenshotsVariable has a folder for pictures of pages, to be looked at.
const screenshotsVariable = "LLADA_TEST_SCREENSHOTS"

// chromium shows a page and returns what the browser prints. Nothing may be asked of the
// network, and nothing be said on the console.
func chromium(t *testing.T, address string, flags ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // a bound for a browser that hangs
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Getenv(chromiumVariable), append(append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr", "--virtual-time-budget=5000",
		"--proxy-server=127.0.0.1:9", "--user-data-dir=" + t.TempDir(),
	}, flags...), address)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s", stderr.String())
	for line := range strings.SplitSeq(stderr.String(), "\n") {
		assert.NotContains(t, line, "CONSOLE")
	}
	return stdout.String()
}

// shown is what a page has after its script ran.
type shown struct {
	step   string // of the document
	lang   string // the same
	texts  map[string]string
	tokens string
	masks  int
}

// look reads the page that chromium shows.
func look(t *testing.T, address string) *shown {
	t.Helper()
	root, err := html.Parse(strings.NewReader(chromium(t, address, "--dump-dom")))
	require.NoError(t, err)
	s := &shown{texts: map[string]string{}}
	attribute := func(n *html.Node, key string) string {
		for _, a := range n.Attr {
			if a.Key == key {
				return a.Val
			}
		}
		return ""
	}
	text := func(n *html.Node) string {
		var b strings.Builder
		for d := range n.Descendants() {
			if d.Type == html.TextNode {
				b.WriteString(d.Data)
			}
		}
		return b.String()
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		require.NotEqual(t, "img", n.Data)
		if id := attribute(n, "id"); id != "" {
			s.texts[id] = text(n)
		}
		switch {
		case n.Data == "html":
			s.step, s.lang = attribute(n, "data-step"), attribute(n, "lang")
		case n.Data == "title":
			assert.NotEqual(t, "broken", text(n))
		case attribute(n, "id") == "tokens":
			for row := range n.ChildNodes() {
				hidden := false
				for _, a := range row.Attr {
					hidden = hidden || a.Key == "hidden"
				}
				if hidden {
					continue
				}
				for cell := range row.ChildNodes() {
					if cell.Type == html.TextNode {
						s.tokens += cell.Data
					}
					if attribute(cell, "class") == "block" {
						continue
					}
					s.tokens += text(cell)
					if strings.Contains(attribute(cell, "class"), "mask") {
						s.masks++
					}
				}
			}
		}
	}
	return s
}

// saved writes a page to a file, with a script more that its policy allows if there is one.
func saved(t *testing.T, trace *reports.Trace, script string) string {
	t.Helper()
	text, _ := page(t, trace)
	if script != "" {
		sum := sha256.Sum256([]byte(script))
		text = strings.Replace(text, "script-src ", "script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"' ", 1)
		text = strings.Replace(text, "</body>", "<script>"+script+"</script></body>", 1)
	}
	path := filepath.Join(t.TempDir(), "trace.html")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return "file://" + path
}

// after is what the tokens are after a step of a trace, as the page shows them.
func after(trace *reports.Trace, c *pageContents, step int) (tokens string, masks int) {
	pieces := map[int32]string{trace.Header.Mask: "░"}
	for i, id := range c.IDs {
		pieces[id] = c.Pieces[i]
	}
	pieces[trace.Header.EOS] = "∎"
	last := map[int]*reports.TraceStep{}
	for i := range trace.Steps[:step] {
		last[trace.Steps[i].Block] = &trace.Steps[i]
	}
	for _, row := range c.Rows {
		if s := last[row[0]]; s != nil {
			for _, id := range s.Tokens[s.Prompt:] {
				tokens += pieces[id]
				if id == trace.Header.Mask {
					masks++
				}
			}
		}
	}
	return tokens, masks
}

// TestTracePageInChromium: steps by address and by keys show what the trace has.
func TestTracePageInChromium(t *testing.T) {
	if os.Getenv(chromiumVariable) == "" {
		t.Skip(chromiumVariable + " has no path of a Chromium")
	}
	trace := longTrace(200)
	_, c := page(t, trace)
	last := len(trace.Steps)
	check := func(s *shown, step int) {
		t.Helper()
		tokens, masks := after(trace, c, step)
		assert.Equal(t, fmt.Sprint(step), s.step)
		assert.Equal(t, tokens, s.tokens)
		assert.Equal(t, masks, s.masks)
		line := trace.Steps[step-1]
		assert.Contains(t, s.texts["at"], fmt.Sprintf("step %d of %d: block %d, step %d", step, last, line.Block, line.Step+1))
		assert.Equal(t, fmt.Sprintf("%.3f", line.Entropy), s.texts["entropy-now"])
	}
	address := saved(t, trace, "")
	check(look(t, address), last)
	check(look(t, address+"#step=12"), 12)
	check(look(t, address+"#step=99999"), last)

	second := slices.IndexFunc(trace.Steps, func(s reports.TraceStep) bool { return s.Block == 2 })
	zone := 1 + slices.IndexFunc(trace.Steps[1:], func(s reports.TraceStep) bool { return s.Zone })
	require.Positive(t, min(second, zone))
	for _, k := range []struct {
		keys []string
		step int
	}{
		{[]string{"Home", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowRight"}, 3},
		{[]string{"Home", "ArrowLeft", "End", "ArrowLeft", "c"}, last - 1},
		{[]string{"End", "Home", "PageDown", "PageDown", "PageUp"}, second + 1},
		{[]string{"Home", "z"}, zone + 1},
		{[]string{"Home", " "}, last}, // played to the end
	} {
		script := "document.getElementById('speed').value = 60; for (const key of ['" + strings.Join(k.keys, "','") + "']) document.getElementById('slider').dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));"
		s := look(t, saved(t, trace, script))
		check(s, k.step)
	}

	s := look(t, saved(t, trace, "document.getElementById('tokens').dispatchEvent(new KeyboardEvent('keydown', {key: '.', bubbles: true}));"))
	assert.Regexp(t, `^position \d+: .+ \(id \d+\), (decided|edited) at step \d+ · probability [01]\.\d{3} · second 0\.\d{3} · entropy \d\.\d{3} nats$`, s.texts["detail"])

	torn := example()
	torn.End = nil
	assert.Contains(t, look(t, saved(t, torn, "")).texts["notices"], "The trace has no end")
	torn.Steps = nil
	assert.Contains(t, look(t, saved(t, torn, "")).texts["notices"], "no denoising step")
}

// TestTracePageLongInChromium goes through 5 000 tokens step by step, and back and forth.
func TestTracePageLongInChromium(t *testing.T) {
	if os.Getenv(chromiumVariable) == "" {
		t.Skip(chromiumVariable + " has no path of a Chromium")
	}
	trace := longTrace(5000)
	_, c := page(t, trace)
	n := len(trace.Steps)
	script := fmt.Sprintf(`{
const press = (key) => document.getElementById('slider').dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
const begin = performance.now();
press('Home');
for (let i = 1; i < %d; i++) press('ArrowRight');
const walked = performance.now();
for (let i = 0; i < 10; i++) { press('Home'); press('End'); }
document.documentElement.lang = ((walked - begin) / %d).toFixed(2) + ' ms a step, ' + ((performance.now() - walked) / 20).toFixed(1) + ' ms from end to end';
}`, n, n)
	s := look(t, saved(t, trace, script))
	tokens, _ := after(trace, c, n)
	assert.Equal(t, tokens, s.tokens)
	assert.Zero(t, s.masks)
	t.Log(s.lang)
}

// TestTracePageScreenshots takes pictures to be looked at, wide and narrow, light and dark.
func TestTracePageScreenshots(t *testing.T) {
	dir := os.Getenv(screenshotsVariable)
	if os.Getenv(chromiumVariable) == "" || dir == "" {
		t.Skip(chromiumVariable + " has no path of a Chromium, or " + screenshotsVariable + " no folder")
	}
	address := saved(t, longTrace(300), "") + "#step=38"
	other := saved(t, longTrace(300), "for (const key of ['.', '.', 'c']) document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));") + "#step=38"
	for _, size := range []string{"1200,1300", "400,1600"} {
		for i, scheme := range []string{"dark", "light"} {
			path := filepath.Join(dir, fmt.Sprintf("trace-%s-%s.png", strings.Split(size, ",")[0], scheme))
			address, other = other, address // one light, one dark
			chromium(t, address, "--window-size="+size, fmt.Sprint("--blink-settings=preferredColorScheme=", i), "--screenshot="+path)
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.Greater(t, info.Size(), int64(10_000))
		}
	}
}
