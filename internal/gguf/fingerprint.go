package gguf

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// A fingerprint reads about fingerprintChunks pieces of fingerprintChunk bytes:
// 4 MB, a few milliseconds when they are in memory, and a fraction of a second from
// a solid-state disk.
const (
	fingerprintChunk  = 4096
	fingerprintChunks = 1024
)

// Fingerprint returns a SHA-256 that tells the file from others without reading it
// whole, which takes seconds for models of gigabytes. It is of every shard's header
// (all metadata, names, types and sizes of tensors), length and time of last change,
// as of when it was opened, and of samples of every tensor: small ones whole, of
// larger ones pieces at equal distances, the first and the last bytes among them.
// Names and places of files are not in it.
//
// Two files with one fingerprint hence have the same metadata, tensors, lengths and
// times, and differ only between the samples. A model that was trained or quantized
// in another way differs everywhere. What is not noticed is a file in which a few
// bytes were changed in place and whose time was set back, or which was changed after
// it was opened.
//
// For a file from Parse there is no time. It may not be called after Close.
func (f *File) Fingerprint() [sha256.Size]byte {
	h := sha256.New()
	for _, s := range f.shards {
		hashNumber(h, uint64(len(s.header)))
		h.Write(s.header)
		if s.file != nil && s.file.Info != nil {
			hashNumber(h, uint64(s.file.Info.Size()))
			hashNumber(h, uint64(s.file.Info.ModTime().UnixNano()))
		}
	}
	pieces := max(2, fingerprintChunks/max(1, len(f.Tensors)))
	for i := range f.Tensors {
		sample(h, f.Tensors[i].Data, pieces)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// sample writes data to h: whole, or so many pieces of it.
func sample(h hash.Hash, data []byte, pieces int) {
	hashNumber(h, uint64(len(data)))
	if len(data) <= pieces*fingerprintChunk {
		h.Write(data)
		return
	}
	last := len(data) - fingerprintChunk // where the last begins
	for i := range pieces {
		at := int(uint64(last) * uint64(i) / uint64(pieces-1))
		h.Write(data[at : at+fingerprintChunk])
	}
}

func hashNumber(h hash.Hash, n uint64) {
	h.Write(binary.LittleEndian.AppendUint64(nil, n))
}
