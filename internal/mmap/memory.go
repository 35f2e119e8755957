package mmap

import "fmt"

// Memory returns n bytes of zeros that are no file's: they may be written, lie
// outside the garbage collector's heap, and are in large pages where the system
// has them, so that walking through gigabytes misses few translations. Close
// gives them back.
func Memory(n int) (*File, error) {
	if n == 0 {
		return &File{Data: []byte{}}, nil
	}
	data, err := memory(n)
	if err != nil {
		return nil, fmt.Errorf("%d bytes of memory: %w", n, err)
	}
	return &File{Data: data, mapped: data}, nil
}

// Available returns how many bytes of memory this process can use without other
// memory being written to the disk, as far as the system has them and the limits of
// the process's control groups let it. Pages of files that can be read again count
// as free. It is at least 1, but 0 where nothing is known.
func Available() uint64 { return available() }
