package convert

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"lladakit/internal/mmap"
)

// maxRank bounds the dimensions of a tensor that messages may have to show.
const maxRank = 8

// shard is one mapped safetensors file.
type shard struct {
	path    string
	name    string // base name, for messages
	file    *mmap.File
	data    int64 // where the tensor data begins
	tensors map[string]*safetensors.TensorInfo
}

// source is one tensor of a checkpoint: a view into its shard.
type source struct {
	name  string
	shard *shard
	dtype safetensors.DType
	shape []int
	off   int64 // in the file
	data  []byte
}

func openShard(path string) (*shard, error) {
	name := filepath.Base(path)
	f, err := mmap.Open(path)
	if err != nil {
		return nil, err
	}
	header, meta, err := safetensors.ReadMetadata(f.Data)
	if err != nil {
		err = explain(f.Data, err)
	} else if twice := repeated(f.Data[8 : 8+header]); twice != "" {
		err = fmt.Errorf("tensor %.200q occurs twice in the header", twice)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &shard{path: path, name: name, file: f, data: int64(header) + 8, tensors: meta.Tensors()}, nil
}

// source returns the view of a tensor that the shard has. The safetensors
// package has checked that offsets, shape and file size agree.
func (s *shard) source(name string) (*source, error) {
	t := s.tensors[name]
	switch t.DType {
	case safetensors.F32, safetensors.F16, safetensors.BF16:
	default:
		return nil, fmt.Errorf("%s: tensor %.200q has dtype %s, not F32, F16 or BF16", s.name, name, t.DType)
	}
	if len(t.Shape) > maxRank {
		return nil, fmt.Errorf("%s: tensor %.200q has %d dimensions", s.name, name, len(t.Shape))
	}
	src := &source{name: name, shard: s, dtype: t.DType, off: s.data + int64(t.DataOffsets[0])}
	src.data = s.file.Data[src.off : s.data+int64(t.DataOffsets[1])]
	for _, n := range t.Shape {
		src.shape = append(src.shape, int(n))
	}
	return src, nil
}

// repeated returns a key that a valid header has twice, which encoding/json lets
// pass; "" if there is none.
func repeated(header []byte) string {
	seen := map[string]bool{}
	d := json.NewDecoder(bytes.NewReader(header))
	if _, err := d.Token(); err != nil {
		return ""
	}
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		var entry json.RawMessage
		if err != nil || !ok || d.Decode(&entry) != nil {
			return ""
		}
		if seen[name] {
			return name
		}
		seen[name] = true
	}
	return ""
}

// explain says which tensor of a refused header is wrong, where the reason is
// in one tensor's entry; the safetensors package often names none.
func explain(data []byte, reason error) error {
	if text := reason.Error(); len(text) > 300 { // some quote the header at length
		reason = errors.New(strings.ToValidUTF8(text[:300], "") + "…")
	}
	if len(data) < 8 {
		return fmt.Errorf("%w: the file has %d bytes", reason, len(data))
	}
	size := binary.LittleEndian.Uint64(data)
	if size > uint64(len(data)-8) {
		return fmt.Errorf("%w: a header of %d bytes in a file of %d", reason, size, len(data))
	}
	var entries map[string]json.RawMessage
	if json.Unmarshal(data[8:8+size], &entries) != nil {
		return reason
	}
	body := uint64(len(data)) - 8 - size
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		var t struct {
			Dtype   string    `json:"dtype"`
			Shape   []uint64  `json:"shape"`
			Offsets [2]uint64 `json:"data_offsets"`
		}
		if name == "__metadata__" {
			continue
		}
		if err := json.Unmarshal(entries[name], &t); err != nil {
			return fmt.Errorf("%w: tensor %.200q", reason, name)
		}
		if t.Offsets[1] > body || t.Offsets[0] > t.Offsets[1] {
			return fmt.Errorf("%w: tensor %.200q needs bytes %d to %d of %d (truncated?)", reason, name, t.Offsets[0], t.Offsets[1], body)
		}
		dtype, err := safetensors.ParseDType(t.Dtype)
		if err != nil {
			return fmt.Errorf("%w: tensor %.200q", reason, name)
		}
		if len(t.Shape) > maxRank {
			return fmt.Errorf("%w: tensor %.200q has %d dimensions", reason, name, len(t.Shape))
		}
		bytes := dtype.Size()
		for _, n := range t.Shape {
			if n != 0 && bytes > 1<<62/n {
				return fmt.Errorf("%w: tensor %.200q: shape %v overflows", reason, name, t.Shape)
			}
			bytes *= n
		}
		if have := t.Offsets[1] - t.Offsets[0]; have != bytes {
			return fmt.Errorf("%w: tensor %.200q of %s %v has %d bytes, not %d", reason, name, t.Dtype, t.Shape, have, bytes)
		}
	}
	return reason
}
