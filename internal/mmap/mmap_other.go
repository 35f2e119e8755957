//go:build !unix

package mmap

import (
	"io"
	"os"
)

func load(f *os.File, size int) ([]byte, error) {
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	return data, nil
}

func unload([]byte) error { return nil }

func release(data []byte, start, end int) {}

func willNeed([]byte) {}

func memory(n int) ([]byte, error) { return make([]byte, n), nil }
