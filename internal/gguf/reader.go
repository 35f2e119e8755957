package gguf

import (
	"encoding/binary"
	"fmt"
)

// The fewest bytes that a key-value pair and a tensor take in the header: a
// name of one byte, and the smallest value or one dimension.
const (
	minKeyValue = 8 + 1 + 4 + 1
	minTensor   = 8 + 1 + 4 + 8 + 4 + 8
)

// Parse reads a file that lies in memory. Tensor.Data are views into data;
// everything else is copied. A file that is one shard of several parses as
// itself. Close does nothing but end the views.
//
// The error is ErrFormat, with the byte offset and the key or tensor.
func Parse(data []byte) (*File, error) {
	d := &decoder{data: data}
	tensors, pairs, err := d.preamble()
	if err != nil {
		return nil, err
	}
	f := &File{index: make(map[string]int)}
	if f.Metadata, err = d.metadata(pairs); err != nil {
		return nil, err
	}
	if f.Alignment, err = f.Metadata.alignment(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err := d.tensors(f, tensors); err != nil {
		return nil, err
	}
	dataStart, err := d.views(f)
	if err != nil {
		return nil, err
	}
	f.shards = []shard{{header: data[:min(dataStart, uint64(len(data)))], dataStart: dataStart}}
	return f, nil
}

// preamble reads what stands before the metadata.
func (d *decoder) preamble() (tensors, pairs uint64, err error) {
	b, err := d.take(uint64(len(magic)), "magic")
	if err != nil {
		return 0, 0, err
	}
	if string(b) != magic {
		return 0, 0, d.errorf(0, "it starts with %q, want %q", b, magic)
	}
	at := d.pos
	v, err := d.uint32("version")
	switch {
	case err != nil:
		return 0, 0, err
	case v == version:
	case v != 0 && v&0xffff == 0:
		// A version this large is a small one with its bytes swapped.
		return 0, 0, d.errorf(at, "big-endian GGUF is not supported")
	default:
		return 0, 0, d.errorf(at, "version %d is not supported, only %d is", v, version)
	}
	if tensors, err = d.count(minTensor, "tensors"); err != nil {
		return 0, 0, err
	}
	if pairs, err = d.count(minKeyValue, "key-value pairs"); err != nil {
		return 0, 0, err
	}
	return tensors, pairs, nil
}

// metadata reads n key-value pairs.
//
// Note: the slice is grown, not made n long. That n pairs could fit into the
// file is a weak promise when the file is a model of many gigabytes.
func (d *decoder) metadata(n uint64) (Metadata, error) {
	var md Metadata
	seen := make(map[string]bool)
	for range n {
		at := d.pos
		key, err := d.text(maxKey, "key")
		if err != nil {
			return nil, err
		}
		d.item, d.name = "key", key
		if err := checkKey(key); err != nil {
			return nil, d.errorf(at, "%v", err)
		}
		if seen[key] {
			return nil, d.errorf(at, "the key occurs twice")
		}
		seen[key] = true
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		md = append(md, KeyValue{key, v})
		d.name = ""
	}
	return md, nil
}

// tensors reads the table of n tensors into f. It checks each offset against
// the only place where the tensor can lie, but not yet that the data is there.
func (d *decoder) tensors(f *File, n uint64) error {
	next := uint64(0)
	for i := range n {
		at := d.pos
		info, err := d.tensor()
		if err != nil {
			return err
		}
		if err := info.check(); err != nil {
			return d.errorf(at, "%v", err)
		}
		if _, ok := f.index[info.Name]; ok {
			return d.errorf(at, "the tensor occurs twice")
		}
		f.index[info.Name] = int(i)
		at = d.pos
		off, err := d.uint64("offset")
		if err != nil {
			return err
		}
		if off != next {
			return d.errorf(at, "the offset is %d, want %d, where the preceding tensors end", off, next)
		}
		var ok bool
		if next, ok = after(off, info.Bytes(), f.Alignment); !ok {
			return d.errorf(at, "the total size of the tensors overflows")
		}
		f.Tensors = append(f.Tensors, Tensor{TensorInfo: info, Offset: off})
		d.name = ""
	}
	return nil
}

// tensor reads a row of the table up to the offset. It leaves the tensor's name
// in d.name.
func (d *decoder) tensor() (TensorInfo, error) {
	var info TensorInfo
	var err error
	if info.Name, err = d.text(maxName, "tensor name"); err != nil {
		return info, err
	}
	d.item, d.name = "tensor", info.Name
	at := d.pos
	dims, err := d.uint32("number of dimensions")
	if err != nil {
		return info, err
	}
	if dims == 0 || dims > maxDims {
		return info, d.errorf(at, "%d dimensions, want 1 to %d", dims, maxDims)
	}
	b, err := d.take(8*uint64(dims), "dimensions")
	if err != nil {
		return info, err
	}
	info.Dims = make([]uint64, dims)
	for i := range info.Dims {
		info.Dims[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	t, err := d.uint32("type")
	info.Type = Type(t)
	return info, err
}

// views checks that the data section is complete and nothing but it follows,
// and points each tensor at its bytes. It returns where the section starts.
func (d *decoder) views(f *File) (uint64, error) {
	size := uint64(len(d.data))
	header := uint64(d.pos)
	start := pad(header, f.Alignment)
	end := header // of the last thing that is not padding
	for i := range f.Tensors {
		t := &f.Tensors[i]
		d.item, d.name = "tensor", t.Name
		if err := d.zeros(end, start+t.Offset); err != nil {
			return 0, err
		}
		// Neither sum overflows: the table has passed after, and the header
		// lies in memory.
		begin := start + t.Offset
		end = begin + t.Bytes()
		if end > size {
			return 0, d.errorf(int(min(begin, size)), "truncated: the data takes %d bytes, %d are missing",
				t.Bytes(), min(end-size, t.Bytes()))
		}
		t.Data = d.data[begin:end:end]
	}
	d.name = ""
	switch last := pad(end, f.Alignment); {
	case size == end:
		// The padding of the last tensor is often left out.
		return start, nil
	case size < last:
		return 0, d.errorf(int(end), "truncated: %d of %d bytes of padding are missing", last-size, last-end)
	case size > last:
		return 0, d.errorf(int(last), "%d bytes follow the last tensor", size-last)
	default:
		return start, d.zeros(end, last)
	}
}

// zeros checks the padding from one offset to another, as far as the file goes.
func (d *decoder) zeros(from, to uint64) error {
	size := uint64(len(d.data))
	for i := min(from, size); i < min(to, size); i++ {
		if d.data[i] != 0 {
			return d.errorf(int(i), "the padding holds %#02x, want zeros", d.data[i])
		}
	}
	return nil
}
