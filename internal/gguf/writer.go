package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Writer writes one file: the header when it is made, then the tensors' bytes
// as they come. After an error every further call fails with the same error,
// and the file is not usable.
type Writer struct {
	w       io.Writer
	tensors []extent
	align   uint64
	current int    // index of the tensor being written
	left    uint64 // bytes of it that have not come yet
	err     error
}

// extent is what the writer needs to know of a tensor once the header is
// written.
type extent struct {
	name  string
	bytes uint64
}

var errClosed = errors.New("gguf: the writer is closed")

// NewWriter checks the metadata and the tensors and writes the header to w, in
// one call. Tensors are aligned to the value of general.alignment, a uint32, or
// to 32 bytes if that key is absent. The slices may be changed afterwards.
//
// It fails for a key that is empty, too long, no UTF-8 or there twice, for a
// value of a type that the format lacks, for a tensor that does not pass Check
// or is there twice, and if w fails. Nothing is written unless all is well.
func NewWriter(w io.Writer, md Metadata, tensors []TensorInfo) (*Writer, error) {
	align, err := md.alignment()
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	le := binary.LittleEndian
	b := []byte(magic)
	b = le.AppendUint32(b, version)
	b = le.AppendUint64(b, uint64(len(tensors)))
	b = le.AppendUint64(b, uint64(len(md)))
	if b, err = appendMetadata(b, md); err != nil {
		return nil, err
	}
	if b, err = appendTensors(b, tensors, align); err != nil {
		return nil, err
	}
	b = append(b, make([]byte, pad(uint64(len(b)), align)-uint64(len(b)))...)
	if err := writeAll(w, b); err != nil {
		return nil, fmt.Errorf("gguf: writing the header: %w", err)
	}
	out := &Writer{w: w, align: align}
	for _, t := range tensors {
		out.tensors = append(out.tensors, extent{t.Name, t.Bytes()})
	}
	if len(out.tensors) > 0 {
		out.left = out.tensors[0].bytes
	}
	return out, nil
}

func appendMetadata(b []byte, md Metadata) ([]byte, error) {
	seen := make(map[string]bool, len(md))
	for _, kv := range md {
		err := checkKey(kv.Key)
		if err == nil && seen[kv.Key] {
			err = errors.New("the key occurs twice")
		}
		if err == nil {
			seen[kv.Key] = true
			b, err = appendValue(appendString(b, kv.Key), kv.Value)
		}
		if err != nil {
			return nil, fmt.Errorf("gguf: key %.80q: %w", kv.Key, err)
		}
	}
	return b, nil
}

func appendTensors(b []byte, tensors []TensorInfo, align uint64) ([]byte, error) {
	le := binary.LittleEndian
	seen := make(map[string]bool, len(tensors))
	off := uint64(0)
	for _, t := range tensors {
		if err := t.Check(); err != nil {
			return nil, err
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("gguf: tensor %q: the tensor occurs twice", t.Name)
		}
		seen[t.Name] = true
		b = appendString(b, t.Name)
		b = le.AppendUint32(b, uint32(len(t.Dims)))
		for _, d := range t.Dims {
			b = le.AppendUint64(b, d)
		}
		b = le.AppendUint32(b, uint32(t.Type))
		b = le.AppendUint64(b, off)
		var ok bool
		if off, ok = after(off, t.Bytes(), align); !ok {
			return nil, fmt.Errorf("gguf: tensor %q: the total size of the tensors overflows", t.Name)
		}
	}
	return b, nil
}

// Write takes the next bytes of the tensors, in the order given to NewWriter
// and without padding, which the Writer puts in itself. A call may end within a
// tensor and may reach over several. Bytes beyond the last tensor are an error.
func (w *Writer) Write(p []byte) (int, error) {
	n := 0
	for w.err == nil && n < len(p) {
		if w.current == len(w.tensors) {
			w.err = fmt.Errorf("gguf: %d bytes too many after the last tensor", len(p)-n)
			break
		}
		end := n + int(min(uint64(len(p)-n), w.left))
		if err := writeAll(w.w, p[n:end]); err != nil {
			w.err = fmt.Errorf("gguf: tensor %q: %w", w.tensors[w.current].name, err)
			break
		}
		w.left -= uint64(end - n)
		n = end
		if w.left == 0 {
			w.finish()
		}
	}
	return n, w.err
}

// finish pads the current tensor and goes on to the next one.
func (w *Writer) finish() {
	t := w.tensors[w.current]
	if err := writeAll(w.w, make([]byte, pad(t.bytes, w.align)-t.bytes)); err != nil {
		w.err = fmt.Errorf("gguf: tensor %q: padding: %w", t.name, err)
		return
	}
	w.current++
	if w.current < len(w.tensors) {
		w.left = w.tensors[w.current].bytes
	}
}

// Close checks that the data of all tensors has come; the error names the first
// tensor that is not complete. It does not close the underlying writer. Closing
// again gives the same answer.
func (w *Writer) Close() error {
	switch {
	case w.err == errClosed:
		return nil
	case w.err != nil:
		return w.err
	case w.current < len(w.tensors):
		t := w.tensors[w.current]
		w.err = fmt.Errorf("gguf: tensor %q: %d of %d bytes are missing", t.name, w.left, t.bytes)
		return w.err
	}
	w.err = errClosed
	return nil
}

// writeAll writes p unless it is empty, and does not trust w to report a short
// write.
func writeAll(w io.Writer, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	n, err := w.Write(p)
	if err == nil && n != len(p) {
		err = io.ErrShortWrite
	}
	return err
}
