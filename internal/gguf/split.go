package gguf

import (
	"fmt"
	"math"
	"strings"
)

// The keys by which a file says that it is one of several.
const (
	splitNoKey      = "split.no"            // from 0
	splitCountKey   = "split.count"         // of files
	splitTensorsKey = "split.tensors.count" // in all files together

	// The keys have 16 bits, and the names five digits.
	maxShards = math.MaxUint16
)

// Split cuts the tensors into runs, one for each file of a split model, such
// that the data of each run takes at most maxBytes. Sizes are counted with
// padding to the default alignment of 32 bytes and without the header. A tensor
// that is larger than maxBytes gets a run of its own.
//
// For maxBytes 0, and for no tensors at all, there is one run. The runs share
// the memory of tensors.
func Split(tensors []TensorInfo, maxBytes uint64) [][]TensorInfo {
	if maxBytes == 0 {
		return [][]TensorInfo{tensors}
	}
	var runs [][]TensorInfo
	start, size := 0, uint64(0)
	for i, t := range tensors {
		n := pad(t.Bytes(), defaultAlignment)
		if i > start && (size > maxBytes || n > maxBytes-size) {
			runs = append(runs, tensors[start:i:i])
			start, size = i, 0
		}
		size += n
	}
	return append(runs, tensors[start:len(tensors):len(tensors)])
}

// ShardName returns the name of file no, counted from 0, of a model that is
// split over count files: "dir/x.gguf", 0, 3 gives "dir/x-00001-of-00003.gguf".
func ShardName(path string, no, count int) string {
	return fmt.Sprintf("%s-%05d-of-%05d.gguf", strings.TrimSuffix(path, ".gguf"), no+1, count)
}

// ShardMetadata returns the metadata for file no, counted from 0, of a model
// with the given metadata that is split over count files, at most 65535, and
// has totalTensors tensors in all. The first file gets everything; the others
// only what is needed to read them: their place, and the alignment if md sets
// it. Keys about a split that md already holds are replaced.
func ShardMetadata(md Metadata, no, count, totalTensors int) Metadata {
	out := make(Metadata, 0, len(md)+3)
	for _, kv := range md {
		switch kv.Key {
		case splitNoKey, splitCountKey, splitTensorsKey:
			continue
		}
		if no == 0 || kv.Key == alignmentKey {
			out = append(out, kv)
		}
	}
	return append(out,
		KeyValue{splitNoKey, uint16(no)},
		KeyValue{splitCountKey, uint16(count)},
		KeyValue{splitTensorsKey, int32(totalTensors)},
	)
}
