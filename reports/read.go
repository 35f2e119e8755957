package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// document says how results of one kind are read from JSON.
type document[T any] struct {
	kind    error  // what errors about the contents wrap
	key     string // of the version
	newest  int    // version that is read
	most    int64  // bytes
	objects int    // at most, so that a small file takes no great room here
	check   func(*T) error
}

// read reads a result of the newest version and of those before. Fields that it does not
// know are passed over.
func (d *document[T]) read(r io.Reader) (*T, error) {
	data, err := readAll(r, d.most, d.kind)
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("%w: %w", d.kind, err)
	}
	// First, since of another version nothing else is known.
	var version int
	switch err := json.Unmarshal(all[d.key], &version); {
	case all[d.key] != nil && err != nil:
		return nil, fmt.Errorf("%w: its version: %w", d.kind, err)
	case version < 1:
		return nil, fmt.Errorf("%w: it has no version under %q", d.kind, d.key)
	case version > d.newest:
		return nil, fmt.Errorf("%w: it has version %d, and this program reads up to %d: use a newer one", d.kind, version, d.newest)
	}
	if n := bytes.Count(data, []byte("{")); n > d.objects {
		return nil, fmt.Errorf("%w: %d objects are more than %d", d.kind, n, d.objects)
	}
	v := new(T)
	if err := json.Unmarshal(data, v); err != nil {
		return nil, fmt.Errorf("%w: %w", d.kind, err)
	}
	if err := d.check(v); err != nil {
		return nil, fmt.Errorf("%w: %w", d.kind, err)
	}
	return v, nil
}

// writeDocument writes a result as JSON.
func writeDocument(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	return enc.Encode(v)
}

// checkVersion reports a version that is not written.
func checkVersion(version, newest int) error {
	if version < 1 || version > newest {
		return fmt.Errorf("version %d is not between 1 and %d", version, newest)
	}
	return nil
}

// checkShare reports a share that is more than all; sums of shares may be so by rounding.
func checkShare(name string, share float64) error {
	if share > 1+1e-9 {
		return fmt.Errorf("%s is %g", name, share)
	}
	return nil
}
