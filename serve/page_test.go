package serve

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// paged returns the page's answer to a request with headers, given in pairs.
func paged(method, path string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	pageHandler().ServeHTTP(w, r)
	return w.Result()
}

// pageParts are the paths of the page, with their media types.
var pageParts = map[string]string{
	"/": "text/html", "/page.css": "text/css", "/page.js": "text/javascript", "/answer.js": "text/javascript", "/elements.js": "text/javascript",
	"/server.js": "text/javascript", "/settings.js": "text/javascript",
}

func TestPageServed(t *testing.T) {
	assert.Len(t, pageParts, func() int { e, _ := pageFiles.ReadDir("page"); return len(e) }())
	size := 0
	for path, kind := range pageParts {
		r := paged(http.MethodGet, path)
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		size += len(body)
		require.Equal(t, http.StatusOK, r.StatusCode, path)
		assert.Equal(t, kind+"; charset=utf-8", r.Header.Get("Content-Type"))
		assert.NotEmpty(t, body)

		tag := r.Header.Get("ETag")
		again := paged(http.MethodGet, path, "If-None-Match", tag)
		assert.Equal(t, http.StatusNotModified, again.StatusCode)
		assert.Equal(t, http.StatusOK, paged(http.MethodGet, path, "If-None-Match", `"other"`).StatusCode)

		head := paged(http.MethodHead, path)
		body, err = io.ReadAll(head.Body)
		require.NoError(t, err)
		assert.Empty(t, body)
		assert.Equal(t, r.Header, head.Header)
	}
	assert.Less(t, size, 40_000, "bytes of the page")
}

func TestPageRefuses(t *testing.T) {
	for _, path := range []string{"/index.html", "/page", "/page/", "/page/page.js", "/page.js/", "/favicon.ico", "/..", "/page.go", "//", "/v1/models"} {
		assert.Equal(t, http.StatusNotFound, paged(http.MethodGet, path).StatusCode, path)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "BREW"} {
		r := paged(method, "/")
		assert.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
		assert.Equal(t, "GET, HEAD", r.Header.Get("Allow"))
	}
}

func TestPageHeaders(t *testing.T) {
	for _, r := range []*http.Response{
		paged(http.MethodGet, "/"), paged(http.MethodGet, "/page.js"), paged(http.MethodGet, "/none"), paged(http.MethodPost, "/"),
		paged(http.MethodGet, "/", "If-None-Match", paged(http.MethodGet, "/").Header.Get("ETag")),
	} {
		policy := map[string]string{}
		for rule := range strings.SplitSeq(r.Header.Get("Content-Security-Policy"), "; ") {
			name, value, _ := strings.Cut(rule, " ")
			require.NotContains(t, policy, name)
			policy[name] = value
		}
		assert.Equal(t, map[string]string{
			"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'", "img-src": "'self' data:", "base-uri": "'none'",
			"frame-ancestors": "'none'", "form-action": "'none'", "require-trusted-types-for": "'script'", "trusted-types": "'none'",
		}, policy)
		assert.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
		assert.Equal(t, "no-referrer", r.Header.Get("Referrer-Policy"))
		if r.StatusCode < 400 {
			assert.Equal(t, "no-cache", r.Header.Get("Cache-Control"))
		}
	}
}

// TestPageNeedsNothing: no part names another machine, makes elements or code of texts, or
// has what its own policy forbids.
func TestPageNeedsNothing(t *testing.T) {
	ids := map[string]bool{}
	forbidden := regexp.MustCompile(`(?i)[a-z]+://|["'(]//|innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|\bFunction\(|DOMParser|createContextualFragment|setTimeout|javascript:|@import|url\(|cookie`)
	for path := range pageParts {
		body, err := io.ReadAll(paged(http.MethodGet, path).Body)
		require.NoError(t, err)
		text := string(body)
		assert.Empty(t, forbidden.FindAllString(text, -1), path)
		for _, r := range text {
			require.True(t, r == '\n' || unicode.IsPrint(r), "%U in %s", r, path)
		}
		if path != "/" {
			continue
		}
		root, err := html.Parse(strings.NewReader(text))
		require.NoError(t, err)
		for n := range root.Descendants() {
			require.False(t, (n.Data == "script" || n.Data == "style") && n.FirstChild != nil, "inline %s", n.Data)
			for _, a := range n.Attr {
				require.False(t, a.Key == "style" || strings.HasPrefix(a.Key, "on"), a.Key)
				switch a.Key {
				case "id":
					require.False(t, ids[a.Val], a.Val)
					ids[a.Val] = true
				case "src", "href":
					require.True(t, strings.HasPrefix(a.Val, "data:image/png;base64,") || pageParts["/"+a.Val] != "", a.Val)
				}
			}
		}
	}
	// What the scripts look up is there; the settings are made by them.
	lookup, imports := regexp.MustCompile(`\$\("([a-z-]+)"\)|click\("([a-z-]+)"`), regexp.MustCompile(`from "\.(/[a-z]+\.js)"`)
	for path := range pageParts {
		body, err := io.ReadAll(paged(http.MethodGet, path).Body)
		require.NoError(t, err)
		for _, m := range lookup.FindAllStringSubmatch(string(body), -1) {
			assert.True(t, ids[m[1]+m[2]], "%s looks for %s", path, m[1]+m[2])
		}
		for _, m := range imports.FindAllStringSubmatch(string(body), -1) {
			assert.Contains(t, pageParts, m[1], path)
		}
	}
}
