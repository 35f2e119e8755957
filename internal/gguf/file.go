package gguf

import (
	"errors"
	"fmt"

	"lladakit/internal/mmap"
)

// File is a GGUF file, or all files of a split model, open for reading. It is
// safe for concurrent use, except for Close.
type File struct {
	// Metadata is that of the first shard.
	Metadata Metadata

	// Tensors holds the tensors in the order of the file, and those of one
	// shard after those of the other.
	Tensors []Tensor

	// Alignment is that of the first shard, in bytes.
	Alignment uint64

	// Paths names the files in the order of the shards. It is nil for a file
	// from Parse.
	Paths []string

	index  map[string]int // name → index in Tensors
	shards []shard
}

// shard is one file.
type shard struct {
	file      *mmap.File // nil for a file from Parse
	header    []byte     // what stands before the data section, a view
	dataStart uint64     // offset of the data section in the file
}

// Open maps the file at path and reads its header. If the file is one shard of
// a split model, Open looks for the others beside it, by the pattern
// NAME-00001-of-00003.gguf, checks that they belong together, and presents all
// as one File.
//
// The error names the path. It is ErrFormat for a file that is malformed or a
// shard that does not fit the others, and fs.ErrNotExist for a missing shard.
func Open(path string) (*File, error) {
	f, err := openOne(path)
	if err != nil {
		return nil, err
	}
	p, err := f.Metadata.part()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w: %w", path, ErrFormat, err)
	}
	if p.count <= 1 {
		return f, nil
	}
	return openSiblings(f, p)
}

// openOne maps and parses one file.
func openOne(path string) (*File, error) {
	m, err := mmap.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := Parse(m.Data)
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f.Paths = []string{path}
	f.shards[0].file = m
	return f, nil
}

// Tensor returns the tensor of the given name and whether there is one.
func (f *File) Tensor(name string) (*Tensor, bool) {
	i, ok := f.index[name]
	if !ok || i >= len(f.Tensors) {
		return nil, false
	}
	return &f.Tensors[i], true
}

// Release tells the system that the tensor's data will not be needed soon, so
// that its memory can be used for something else. The data stays readable. It
// does nothing for a file from Parse.
func (f *File) Release(t *Tensor) {
	if s, ok := f.mapped(t); ok {
		s.file.Release(int64(s.dataStart+t.Offset), int64(t.Bytes()))
	}
}

func (f *File) mapped(t *Tensor) (shard, bool) {
	if t.Shard < 0 || t.Shard >= len(f.shards) || f.shards[t.Shard].file == nil {
		return shard{}, false
	}
	return f.shards[t.Shard], true
}

// Close unmaps the files and sets the Data of every tensor to nil. Views that
// the caller has kept must not be touched any more. Closing again does nothing.
func (f *File) Close() error {
	for i := range f.Tensors {
		f.Tensors[i].Data = nil
	}
	var errs []error
	for _, s := range f.shards {
		if s.file != nil {
			errs = append(errs, s.file.Close())
		}
	}
	f.shards = nil
	return errors.Join(errs...)
}
