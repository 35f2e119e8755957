//go:build unix

package mmap

import "golang.org/x/sys/unix"

func memory(n int) ([]byte, error) {
	data, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil {
		largePages(data)
	}
	return data, err
}
