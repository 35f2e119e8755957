//go:build unix

package mmap

import (
	"os"
	"unsafe"

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

// fetchStep is how many bytes willNeed asks for at a time: Linux takes no more of a
// request than the disk takes at once, and forgets the rest.
const fetchStep = 128 << 10

func willNeed(part []byte) {
	// Advice is about whole pages. What stands before part in its first page is of
	// the same mapping.
	first := unsafe.Pointer(unsafe.SliceData(part))
	before := int(uintptr(first) % uintptr(os.Getpagesize()))
	for part = unsafe.Slice((*byte)(unsafe.Add(first, -before)), before+len(part)); len(part) > 0; {
		n := min(len(part), fetchStep)
		_ = unix.Madvise(part[:n], unix.MADV_WILLNEED)
		part = part[n:]
	}
}
