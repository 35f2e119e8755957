package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// newFile is a file that has its name only when it is complete.
type newFile struct {
	*os.File
	path string
}

func createFile(path string) (*newFile, error) {
	// Note: os.CreateTemp would make a file that only its owner can read.
	name := fmt.Sprintf(".%s.%016x.partial", filepath.Base(path), rand.Uint64())
	f, err := os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &newFile{f, path}, nil
}

// discard removes the file.
func (f *newFile) discard() {
	f.Close()
	os.Remove(f.Name())
}

// commit gives the file its name, or removes it.
func (f *newFile) commit() error {
	err := f.Close()
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		f.discard()
	}
	return err
}
