// Package mmap gives a file's bytes as one read-only slice, without reading
// them until they are touched. It also has what else there is to ask the system
// about memory: [Memory] is much of it at a time, outside the garbage collector's
// heap, and [Available] is how much there is.
//
//	f, err := mmap.Open("model.gguf")
//	if err != nil {
//		return err
//	}
//	defer f.Close()
//	use(f.Data)
//
// On Unix the slice is a shared mapping of the file: pages come from the page
// cache, several processes share them, and the kernel may drop them under
// pressure. Elsewhere Open reads the whole file into memory, and the advice
// methods do nothing.
//
// Two things a slice normally never does can happen here. Writing to Data is a
// memory fault that cannot be recovered, because the mapping is read-only. And
// if another process shortens the file while it is mapped, touching the lost
// part is a fault too: do not map files that somebody still writes.
package mmap

import (
	"fmt"
	"io/fs"
	"os"
)

// File is an open mapping. Its methods may not run at the same time as Close;
// otherwise it is safe for concurrent use.
type File struct {
	// Data holds the bytes of the file: empty for an empty file, nil after
	// Close. Slices of it must not be touched after Close.
	Data []byte

	// Info is what the file was when it was opened; nil for memory.
	Info fs.FileInfo

	// mapped is what Close gives back to the system, apart from Data so that a
	// caller who reslices Data cannot make Close unmap something else.
	mapped []byte
}

// Open maps the file at path for reading. The file itself is closed again
// before Open returns; only the mapping stays. It fails for anything but a
// regular file, and for a file that does not fit the address space. Errors name
// the path.
func Open(path string) (*File, error) {
	// Asking before opening keeps Open from waiting for ever on a pipe that
	// nobody writes.
	if fi, err := os.Stat(path); err != nil {
		return nil, err
	} else if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("open %s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := fi.Size()
	if size != int64(int(size)) {
		return nil, fmt.Errorf("open %s: %d bytes do not fit the address space", path, size)
	}
	if size == 0 {
		return &File{Data: []byte{}, Info: fi}, nil
	}
	data, err := load(f, int(size))
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return &File{Data: data, Info: fi, mapped: data}, nil
}

// Close ends the mapping and sets Data to nil. Closing again does nothing.
func (f *File) Close() error {
	data := f.mapped
	f.Data, f.mapped = nil, nil
	if data == nil {
		return nil
	}
	return unload(data)
}

// Release tells the system that the n bytes from off will not be needed soon,
// so that their memory can be used for something else. The bytes stay readable
// and are fetched again when touched. Only pages that lie wholly inside the
// range are released; a range outside the file is cut to the file.
func (f *File) Release(off, n int64) {
	if start, end, ok := clip(off, n, len(f.mapped)); ok {
		release(f.mapped, start, end)
	}
}

// WillNeed asks the system to start fetching a part of the Data of some File. It
// does not wait for it.
func WillNeed(part []byte) {
	if len(part) > 0 {
		willNeed(part)
	}
}

// clip cuts the range of n bytes from off to a file of size bytes. It reports
// whether anything is left.
func clip(off, n int64, size int) (start, end int, ok bool) {
	if off < 0 || n <= 0 || off >= int64(size) {
		return 0, 0, false
	}
	n = min(n, int64(size)-off)
	return int(off), int(off + n), true
}
