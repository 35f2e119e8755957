//go:build unix

package mmap

import (
	"os"

	"golang.org/x/sys/unix"
)

func load(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
}

func unload(data []byte) error {
	return unix.Munmap(data)
}

// Advice has no result worth reporting: a system that refuses it works as well
// as one that was never asked.

func release(data []byte, start, end int) {
	page := os.Getpagesize()
	start = (start + page - 1) / page * page
	// The rest of the last page lies behind the end of the file and belongs to
	// nobody, so a range that reaches the end takes the whole page.
	if end != len(data) {
		end = end / page * page
	}
	if start < end {
		_ = unix.Madvise(data[start:end], unix.MADV_DONTNEED)
	}
}

func willNeed(data []byte, start, end int) {
	page := os.Getpagesize()
	start = start / page * page
	_ = unix.Madvise(data[start:end], unix.MADV_WILLNEED)
}
