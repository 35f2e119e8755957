package datasets

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"unicode/utf8"
)

// readAll reads at most limit bytes. More are an error.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("more than %d MiB are too much", limit>>20)
	}
	return data, err
}

// unpack returns what is in a gzip file, at most limit bytes. Other data, told by
// their first bytes whatever the file's name, are returned as they are.
func unpack(data []byte, limit int64) ([]byte, error) {
	if !bytes.HasPrefix(data, []byte("\x1f\x8b")) {
		return data, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("gzip is damaged: %w", err)
	}
	plain, err := readAll(z, limit)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("gzip is torn in or after line %d", bytes.Count(plain, []byte("\n"))+1)
	case err != nil && int64(len(plain)) <= limit:
		return nil, fmt.Errorf("gzip is damaged: %w", err)
	}
	return plain, err
}

// lines calls f for every line of a text that is not blank, with its number from 1
// and without its end. Errors name the line.
func lines(data []byte, f func(n int, line []byte) error) error {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // with which some editors begin a file
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if !utf8.Valid(line) {
			return fmt.Errorf("line %d is not text in UTF-8", n)
		}
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if err := f(n, line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

// inFile says which file an error is about, unless it does.
func inFile(path string, err error) error {
	if named := (*fs.PathError)(nil); errors.As(err, &named) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
