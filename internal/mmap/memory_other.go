//go:build !linux

package mmap

func largePages([]byte) {}

func available() uint64 { return 0 }
