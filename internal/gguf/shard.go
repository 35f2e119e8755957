package gguf

import (
	"fmt"
	"strings"
)

// part is what a file says about its place in a split model: nothing, the zero
// part, if the model is not split.
type part struct {
	no, count uint64 // this is file no of count, from 0
	tensors   uint64 // in all files together
}

func (p part) String() string {
	if p.count == 0 {
		return "a model of one file"
	}
	return fmt.Sprintf("shard %d of %d of a model with %d tensors", p.no+1, p.count, p.tensors)
}

// suffix is the end that the file's name must have.
func (p part) suffix() string { return fmt.Sprintf("-%05d-of-%05d.gguf", p.no+1, p.count) }

// part reads the three keys of a split model. A file without them is the only
// one of its model.
func (m Metadata) part() (part, error) {
	if _, ok := m.Lookup(splitCountKey); !ok {
		return part{}, nil
	}
	var p part
	var err error
	if p.count, err = m.Uint(splitCountKey); err != nil || p.count <= 1 {
		return part{}, err
	}
	if p.no, err = m.Uint(splitNoKey); err != nil {
		return part{}, err
	}
	if p.tensors, err = m.Uint(splitTensorsKey); err != nil {
		return part{}, err
	}
	switch {
	case p.count > maxShards:
		return part{}, fmt.Errorf("%s is %d, at most %d are allowed", splitCountKey, p.count, maxShards)
	case p.no >= p.count:
		return part{}, fmt.Errorf("%s is %d, but %s is %d", splitNoKey, p.no, splitCountKey, p.count)
	}
	return p, nil
}

// openSiblings opens the other shards of a split model and joins all. It takes
// over the given one, which is closed with the result or before an error.
func openSiblings(given *File, p part) (_ *File, err error) {
	shards := make([]*File, p.count)
	shards[p.no] = given
	defer func() {
		if err == nil {
			return
		}
		for _, f := range shards {
			if f != nil {
				f.Close()
			}
		}
	}()

	path := given.Paths[0]
	base, ok := strings.CutSuffix(path, p.suffix())
	if !ok {
		return nil, fmt.Errorf("%s: %w: it is %v, but its name does not end in %s",
			path, ErrFormat, p, p.suffix())
	}
	for i := range p.count {
		want := part{no: i, count: p.count, tensors: p.tensors}
		name := base + want.suffix()
		if shards[i] == nil {
			if shards[i], err = openOne(name); err != nil {
				return nil, fmt.Errorf("shard %d of %d: %w", i+1, p.count, err)
			}
		}
		got, err := shards[i].Metadata.part()
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
		}
		if got != want {
			return nil, fmt.Errorf("%s: %w: it is %v, want %v", name, ErrFormat, got, want)
		}
	}
	return join(shards, p.tensors)
}

// join makes one File of the shards of a split model, which holds the given
// number of tensors.
func join(shards []*File, tensors uint64) (*File, error) {
	all := &File{
		Metadata:  shards[0].Metadata,
		Alignment: shards[0].Alignment,
		index:     make(map[string]int),
	}
	for i, f := range shards {
		all.Paths = append(all.Paths, f.Paths[0])
		all.shards = append(all.shards, f.shards[0])
		for _, t := range f.Tensors {
			if j, ok := all.index[t.Name]; ok {
				return nil, fmt.Errorf("%s: %w: tensor %q is already in %s",
					f.Paths[0], ErrFormat, t.Name, all.Paths[all.Tensors[j].Shard])
			}
			all.index[t.Name] = len(all.Tensors)
			t.Shard = i
			all.Tensors = append(all.Tensors, t)
		}
	}
	if n := uint64(len(all.Tensors)); n != tensors {
		return nil, fmt.Errorf("%s: %w: %s is %d, but the shards hold %d tensors",
			all.Paths[0], ErrFormat, splitTensorsKey, tensors, n)
	}
	return all, nil
}
