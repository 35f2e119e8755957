package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An object is a JSON object that is read to the last field: its reader
// takes the fields it knows, and done reports one that is left. encoding/json's
// DisallowUnknownFields does not go far enough, as it lets case differ and keys
// repeat.
//
// The first error sticks, here and in all objects taken from this one, and is
// found in *err.
type object struct {
	path   string // for errors: "model.vocab"
	fields map[string]json.RawMessage
	err    *error
}

// readObject reads a whole document.
func readObject(name string, data []byte) *object {
	o := &object{path: name, err: new(error)}
	if !utf8.Valid(data) {
		o.fail("", "is not UTF-8")
		return o
	}
	o.fill(data)
	return o
}

// fill reads the fields of o.
func (o *object) fill(data []byte) {
	o.fields = make(map[string]json.RawMessage)
	err := eachField(data, func(key string, value json.RawMessage) error {
		if _, ok := o.fields[key]; ok {
			return fmt.Errorf("field %.80q occurs twice", key)
		}
		o.fields[key] = value
		return nil
	})
	if err != nil {
		o.fail("", "%w", err)
	}
}

// eachField calls f with the fields of the object that data is.
func eachField(data []byte, f func(key string, value json.RawMessage) error) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if tok, err := dec.Token(); err != nil {
		return jsonError(err)
	} else if tok != json.Delim('{') {
		return errors.New("is not a JSON object")
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return jsonError(err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return jsonError(err)
		}
		if err := f(key.(string), value); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return jsonError(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("has data after the JSON object")
	}
	return nil
}

func jsonError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON text ends early")
	}
	return err
}

// fail records what is wrong with a field, or with o itself if key is "".
func (o *object) fail(key, format string, args ...any) {
	if *o.err == nil {
		*o.err = fmt.Errorf("%s: "+format, append([]any{o.join(key)}, args...)...)
	}
}

func (o *object) join(key string) string {
	if len(key) > 80 || strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }) {
		key = fmt.Sprintf("%.80q", key) // a key of the file's own choice
	}
	switch {
	case key == "":
		return o.path
	case strings.HasSuffix(o.path, ".json"):
		return o.path + ": " + key
	default:
		return o.path + "." + key
	}
}

// take returns a field and marks it as read. A field that is null is nil, as is
// one that is absent.
func (o *object) take(key string) json.RawMessage {
	v := bytes.TrimSpace(o.fields[key])
	delete(o.fields, key)
	if string(v) == "null" {
		return nil
	}
	return v
}

// object takes a field that must be an object.
func (o *object) object(key string) *object {
	if sub := o.optional(key); sub != nil {
		return sub
	}
	o.fail(key, "is missing")
	return &object{path: o.join(key), err: o.err}
}

// optional takes a field that must be an object if it is there, and returns nil
// if it is not.
func (o *object) optional(key string) *object {
	v := o.take(key)
	if v == nil {
		return nil
	}
	sub := &object{path: o.join(key), err: o.err}
	sub.fill(v)
	return sub
}

// objects takes a field that must be a list of objects.
func (o *object) objects(key string) []*object {
	var list []json.RawMessage
	o.decode(key, &list, "a list")
	out := make([]*object, len(list))
	for i, v := range list {
		out[i] = &object{path: fmt.Sprintf("%s[%d]", o.join(key), i), err: o.err}
		out[i].fill(v)
	}
	return out
}

// text takes a field that must be a string.
func (o *object) text(key string) (s string) {
	o.decode(key, &s, "a string")
	return s
}

// flag takes a field that must be true or false.
func (o *object) flag(key string) (b bool) {
	o.decode(key, &b, "true or false")
	return b
}

func (o *object) decode(key string, v any, what string) {
	raw := o.take(key)
	if raw == nil {
		o.fail(key, "is missing")
	} else if err := json.Unmarshal(raw, v); err != nil {
		o.fail(key, "is not %s", what)
	}
}

// require takes a field that must be a certain string.
func (o *object) require(key, want string) {
	if got := o.text(key); got != want {
		o.fail(key, "%.80q is not supported, only %.80q is", got, want)
	}
}

// allow takes a field that may be absent or null or written as in values, and
// nothing else. It is for options whose default is all that is supported.
func (o *object) allow(key string, values ...string) {
	if v := o.take(key); v != nil && !slices.Contains(values, string(v)) {
		o.fail(key, "%s is not supported", shorten(v))
	}
}

// done refuses fields that nobody took.
func (o *object) done() {
	var left []string
	for key := range o.fields {
		left = append(left, key)
	}
	if len(left) > 0 {
		o.fail(slices.Min(left), "is not a known field")
	}
}

// shorten makes a value fit a line.
func shorten(v json.RawMessage) string {
	const most = 60
	if len(v) <= most {
		return string(v)
	}
	return strings.ToValidUTF8(string(v[:most]), "") + "…"
}
