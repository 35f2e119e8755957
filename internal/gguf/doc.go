// Package gguf reads and writes GGUF version 3, the single-file model format of
// the ggml family: metadata (ordered key-value pairs), a table of tensors, and
// the tensors' bytes. It knows nothing about models; what a key or a tensor
// means is the caller's business.
//
// # Reading
//
// Open maps a file and checks all of it but the tensors' contents:
//
//	f, err := gguf.Open("model.gguf")
//	if err != nil {
//		return err
//	}
//	defer f.Close()
//	layers, err := f.Metadata.Uint("llada2.block_count")
//	...
//	t, ok := f.Tensor("token_embd.weight")
//	if ok {
//		use(t.Type, t.Dims, t.Data)
//	}
//
// Tensor.Data is a view into the mapping and dies with Close. Metadata is
// copied and does not. Parse does the same for bytes that are already in
// memory.
//
// A model may be split over several files, NAME-00001-of-00003.gguf and so on.
// Open takes any one of them and presents all as one File.
//
// # Writing
//
// NewWriter takes the metadata and the table of tensors and writes the header;
// the tensors' bytes follow in the same order, in pieces of any size, so that a
// model larger than memory can stream through:
//
//	w, err := gguf.NewWriter(out, md, infos)
//	if err != nil {
//		return err
//	}
//	for _, info := range infos {
//		if err := encode(w, info); err != nil { // calls w.Write
//			return err
//		}
//	}
//	return w.Close()
//
// For several files, Split cuts the table into runs, ShardName names the file
// of each, and ShardMetadata gives its metadata.
//
// # What is accepted
//
// A file comes from anywhere, so nothing in it is believed before it is
// checked: counts and lengths against the bytes that are left, before memory is
// taken for them; names against the format's limits; every offset against the
// sum of what precedes it; padding against zero. A file with a gap, an overlap,
// a duplicate or a trailing byte is refused. What Parse accepts, NewWriter
// writes back byte for byte, except that the writer always pads the end of the
// file and others sometimes do not.
//
// Note: string values are not checked for UTF-8. The tokens of a byte-level
// vocabulary need not be, and refusing a file for one odd token helps nobody.
// Keys and tensor names are checked.
package gguf

import "errors"

// ErrFormat is what errors.Is finds in the error for a file that is malformed
// or of a kind that this package does not read. The error says what is wrong
// and at which byte of the file.
var ErrFormat = errors.New("invalid GGUF file")

// ErrMissing is what errors.Is finds in the error for a key that the metadata
// lacks. The error names the key.
var ErrMissing = errors.New("gguf: missing key")

const (
	magic   = "GGUF"
	version = 3

	// The longest key and the longest tensor name, in bytes. The second is
	// ggml's fixed buffer of 64 without its terminator.
	maxKey  = 65535
	maxName = 63

	maxDims = 4

	alignmentKey     = "general.alignment"
	defaultAlignment = 32
	// The format wants a multiple of 8. Nobody has a use for more than a huge
	// page, and a bound keeps sums of padded sizes from overflowing.
	minAlignment = 8
	maxAlignment = 1 << 20
)

// pad rounds n up to a multiple of align, a power of two. The result cannot
// overflow for n below 2^63 and align up to maxAlignment.
func pad(n, align uint64) uint64 {
	return (n + align - 1) &^ (align - 1)
}
