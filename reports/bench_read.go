package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrBench is what errors about the contents of a bench result wrap.
var ErrBench = errors.New("no bench result")

const (
	maxBench      = 32 << 20 // bytes of a result file
	maxBenchTests = 50_000
)

// ReadBench reads what Write writes in the form json, of this version and those before.
// Fields that it does not know are passed over.
func ReadBench(r io.Reader) (*Bench, error) {
	data, err := readAll(r, maxBench, ErrBench)
	if err != nil {
		return nil, err
	}
	// First, since of another version nothing else is known.
	var version struct {
		Bench *int `json:"bench"`
	}
	switch err := json.Unmarshal(data, &version); {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrBench, err)
	case version.Bench == nil || *version.Bench < 1:
		return nil, fmt.Errorf(`%w: it has no version under "bench"`, ErrBench)
	case *version.Bench > BenchVersion:
		return nil, fmt.Errorf("%w: it has version %d, and this program reads up to %d: use a newer one", ErrBench, *version.Bench, BenchVersion)
	}
	// Tests are counted before they take the room that they take here.
	var outline struct {
		Tests    []json.RawMessage `json:"tests"`
		Imported []struct {
			Tests []json.RawMessage `json:"tests"`
		} `json:"imported"`
	}
	if err := json.Unmarshal(data, &outline); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBench, err)
	}
	n := len(outline.Tests)
	for _, other := range outline.Imported {
		n += len(other.Tests)
	}
	if n > maxBenchTests {
		return nil, fmt.Errorf("%w: %d tests are more than %d", ErrBench, n, maxBenchTests)
	}
	b := new(Bench)
	if err := json.Unmarshal(data, b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBench, err)
	}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBench, err)
	}
	return b, nil
}

// readAll reads a result file of at most so many bytes. More are an error that wraps kind.
func readAll(r io.Reader, most int64, kind error) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%w: it has more than %d MiB", kind, most>>20)
	}
	return data, nil
}
