package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxDepth is how deep a request may be nested. The deepest field has 4 levels.
const maxDepth = 16

// fieldSet is a JSON object: the values by their names, of which a reader takes those that
// it knows.
type fieldSet map[string]json.RawMessage

// body reads the body of a request, which must be one JSON object.
func (s *Server) body(x *exchange, r *http.Request) (fieldSet, error) {
	// A browser sends other types to other origins without asking, this one never.
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return nil, refused(http.StatusUnsupportedMediaType, "", "the content type must be application/json")
	}
	tooLarge := refused(http.StatusRequestEntityTooLarge, "", "the body has more than %d bytes", s.opt.MaxBody)
	if r.ContentLength > s.opt.MaxBody { // before it is sent, if the client asks
		x.Header().Set("Connection", "close")
		return nil, tooLarge
	}
	control := http.NewResponseController(x)
	control.SetReadDeadline(time.Now().Add(s.bodyTimeout))
	data, err := io.ReadAll(http.MaxBytesReader(x.ResponseWriter, r.Body, s.opt.MaxBody))
	if err == nil { // else what is left of the body would be waited for without end
		control.SetReadDeadline(time.Time{}) // which would end the answer
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooLarge
	case err != nil:
		return nil, refused(http.StatusBadRequest, "", "the body could not be read: it ended early, or took too long")
	}
	return parseObject(data)
}

// parseObject reads a JSON object, strictly: names are as they are written, and none
// comes twice, at any depth.
func parseObject(data []byte) (fieldSet, error) {
	if !utf8.Valid(data) {
		return nil, badRequest("", "the body is not UTF-8")
	}
	var o fieldSet
	if err := json.Unmarshal(data, &o); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, badRequest("", "the body is not JSON: %v, at byte %d", syntax, syntax.Offset)
		}
		return nil, badRequest("", "the body is no JSON object")
	}
	if o == nil {
		return nil, badRequest("", "the body is no JSON object")
	}
	return o, inspect(data)
}

// inspect reports a name that comes twice in an object, too much depth, and characters
// U+0000, in a JSON text that is valid.
func inspect(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	type level struct {
		names map[string]bool // of an object; nil in an array
		value bool            // what comes next is a value
	}
	var levels []level
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return badRequest("", "the body is not JSON: %v", err)
		}
		var top *level
		if len(levels) > 0 {
			top = &levels[len(levels)-1]
		}
		switch token := token.(type) {
		case json.Delim:
			if token == '}' || token == ']' {
				levels = levels[:len(levels)-1]
				continue
			}
			if len(levels) == maxDepth {
				return badRequest("", "the body is nested deeper than %d levels", maxDepth)
			}
			if top != nil {
				top.value = false
			}
			next := level{}
			if token == '{' {
				next.names = map[string]bool{}
			}
			levels = append(levels, next)
			continue
		case string:
			if strings.Contains(token, "\x00") {
				return badRequest("", "the body has the character U+0000")
			}
			if top != nil && top.names != nil && !top.value {
				if top.names[token] {
					return badRequest("", "field %.40q comes twice", token)
				}
				top.names[token], top.value = true, true
				continue
			}
		}
		if top != nil {
			top.value = false
		}
	}
}

// take moves a field into v, and reports whether it was there. A null is as nothing.
func take[T any](o fieldSet, name string, v *T) (bool, error) {
	raw, ok := o[name]
	delete(o, name)
	if !ok || string(raw) == "null" {
		return false, nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return false, wrongType(name, raw, *v)
	}
	return true, nil
}

// takeIDs is take for token ids.
func takeIDs(o fieldSet, name string, v *[]int32) (bool, error) {
	var numbers []*int32 // nil for null, which Unmarshal would take for 0
	raw := o[name]
	given, err := take(o, name, &numbers)
	if err == nil && slices.Contains(numbers, nil) {
		err = badRequest(name, "%s must be a list of token ids, not %s", name, kindOf(raw))
	}
	if !given || err != nil {
		return false, err
	}
	*v = make([]int32, len(numbers))
	for i, n := range numbers {
		(*v)[i] = *n
	}
	return true, nil
}

// wrongType says what a field should have been. The zero value v stands for that.
func wrongType(name string, raw json.RawMessage, v any) *apiError {
	var want string
	switch v.(type) {
	case string:
		want = "a string"
	case bool:
		want = "true or false"
	case int, uint64:
		want = "a whole number"
	case float32, float64:
		want = "a number"
	case fieldSet:
		want = "an object"
	case []fieldSet:
		want = "a list of objects"
	case []*int32:
		want = "a list of token ids"
	default:
		want = "of another type"
	}
	return badRequest(name, "%s must be %s, not %s", name, want, kindOf(raw))
}

// kindOf names what a JSON value is.
func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "this list"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return fmt.Sprintf("%.40s", raw)
}

// none reports the first field that nobody has taken.
func (o fieldSet) none(where string) error {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if string(o[name]) != "null" {
			return badRequest(where+name, "unknown field %.60q", where+name)
		}
	}
	return nil
}
