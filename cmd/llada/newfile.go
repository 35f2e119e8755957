package main

import (
	"os"

	"lladakit/internal/disk"
)

// newFile is a file that has its name only when it is complete.
type newFile struct {
	*os.File
	path string
}

func createFile(path string) (*newFile, error) {
	f, err := disk.CreatePartial(path)
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
