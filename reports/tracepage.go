package reports

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"unicode"
)

// tracePageFiles are the parts of a trace's page.
//
//go:embed tracepage/page.html tracepage/page.css tracepage/page.js
var tracePageFiles embed.FS

// TracePage says what a page shows of a trace.
type TracePage struct {
	Steps   int      `json:"steps"`   // that can be looked at
	Tokens  int      `json:"tokens"`  // of the answer, as far as it goes
	Bytes   int      `json:"bytes"`   // of the page
	Notices []string `json:"notices"` // what is missing, and why; the page has them too
}

// WritePage writes a trace, as ReadTrace returns it, as one HTML page that needs nothing else: it replays the
// generation step by step. What is in the trace is shown, and never interpreted. A page is
// bounded: what of a very large trace it leaves out is in its notices.
func (t *Trace) WritePage(w io.Writer) (*TracePage, error) {
	data, tokens := newPageData(t)
	text, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	var parts [3]string
	for i, name := range []string{"page.html", "page.css", "page.js"} {
		part, err := tracePageFiles.ReadFile("tracepage/" + name)
		if err != nil {
			return nil, err
		}
		parts[i] = string(part)
	}
	page, err := template.New("page").Parse(parts[0])
	if err != nil {
		return nil, err
	}
	// Scripts and styles have a line's end at both ends in the page, and so in their hashes.
	css, js := "\n"+parts[1], "\n"+parts[2]
	var b bytes.Buffer
	err = page.Execute(&b, map[string]any{
		"Title": data.Title, "Style": template.CSS(css), "Script": template.JS(js), "Data": template.JS(pageJSON(text)),
		"Policy": fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'", sourceHash(js), sourceHash(css)),
	})
	if err != nil {
		return nil, err
	}
	n, err := w.Write(b.Bytes())
	return &TracePage{Steps: len(data.Steps), Tokens: tokens, Bytes: n, Notices: data.Notices}, err
}

// sourceHash names a script or a style in a content security policy.
func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// pageJSON escapes what an editor, or a browser that shows the source, would not show as
// it is. JSON has such characters in texts alone, and json.Marshal has escaped <, > and &.
func pageJSON(text []byte) string {
	var b bytes.Buffer
	b.Grow(len(text))
	for _, r := range string(text) {
		switch {
		case r >= ' ' && r < 0x7f || r >= 0x7f && unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return b.String()
}
