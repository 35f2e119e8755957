package serve

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
)

// pageFiles are the page: it has no other parts, and no step that builds it.
//
//go:embed page/*.html page/*.css page/*.js
var pageFiles embed.FS

// pagePolicy lets the page load what this server has, and talk to this server, only. Under
// it a browser refuses to make elements or scripts of texts, so that what a model writes
// stays text even if the page had a mistake.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; frame-ancestors 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// pageFile is a file as it is served.
type pageFile struct {
	content []byte
	kind    string // its media type
	tag     string
}

// pageHandler serves the page at /, and what it consists of beside it: GET and HEAD of
// / and of what is in the folder page. Browsers keep the files, and ask whether they are current.
func pageHandler() http.Handler {
	files := map[string]pageFile{}
	entries, _ := pageFiles.ReadDir("page") // what is embedded can be read
	for _, e := range entries {
		content, _ := pageFiles.ReadFile("page/" + e.Name())
		kind := map[string]string{".html": "text/html", ".css": "text/css", ".js": "text/javascript"}[path.Ext(e.Name())]
		files["/"+strings.TrimSuffix(e.Name(), "index.html")] = pageFile{content, kind + "; charset=utf-8", fmt.Sprintf(`"%x"`, sha256.Sum256(content))}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		f, ok := files[r.URL.Path]
		switch {
		case !ok:
			http.Error(w, "there is no such page: the page is at /", http.StatusNotFound)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "the page is read only", http.StatusMethodNotAllowed)
		default:
			h.Set("Content-Type", f.kind)
			h.Set("ETag", f.tag)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
		}
	})
}
