package reports_test

import (
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPagesOnPhones: in 400 pixels no page is wider than the screen, and none asks for
// anything. A frame is the screen: a window of Chromium is never that narrow.
func TestPagesOnPhones(t *testing.T) {
	if os.Getenv(chromiumVariable) == "" {
		t.Skip(chromiumVariable + " has no path of a Chromium")
	}
	trace, _ := page(t, longTrace(200))
	for name, text := range map[string]string{"report": reportIn(t, collection(), "html"), "trace": trace} {
		outer := `<!doctype html><title>outer</title><iframe id="f" width="400" height="1600" style="border:0" srcdoc="` + html.EscapeString(text) + `"></iframe>
<script>f.onload = () => { const d = f.contentDocument; document.documentElement.lang =
  [d.scrollingElement.clientWidth, d.scrollingElement.scrollWidth, d.querySelectorAll('svg').length, f.contentWindow.performance.getEntriesByType('resource').length].join(' '); };</script>`
		path := filepath.Join(t.TempDir(), "outer.html")
		require.NoError(t, os.WriteFile(path, []byte(outer), 0o666))
		found := regexp.MustCompile(`<html lang="(\d+) (\d+) (\d+) (\d+)"`).FindStringSubmatch(chromium(t, "file://"+path, "--dump-dom"))
		require.NotNil(t, found, name)
		var n [4]int
		for i := range n {
			var err error
			n[i], err = strconv.Atoi(found[i+1])
			require.NoError(t, err)
		}
		assert.Equal(t, 400, n[0], "%s: the width of the screen", name)
		assert.LessOrEqual(t, n[1], n[0], "%s: the width of the page", name)
		assert.Positive(t, n[2], "%s: figures", name)
		assert.Zero(t, n[3], "%s: requests", name)
	}
}
