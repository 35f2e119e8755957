package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"lladakit/internal/gguf"
	"lladakit/reports"
)

// now is the time that results have, in seconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// modelFile describes the file at path, any part of a split one. For the digest it reads
// all of it.
func modelFile(ctx context.Context, path string, digest bool) (reports.File, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return reports.File{}, err
	}
	defer f.Close()
	return describeFile(ctx, f, digest)
}

// describeFile is modelFile of an open file.
func describeFile(ctx context.Context, f *gguf.File, digest bool) (file reports.File, err error) {
	infos := make([]gguf.TensorInfo, len(f.Tensors))
	for i := range f.Tensors {
		infos[i] = f.Tensors[i].TensorInfo
	}
	file.Name = f.Paths[0]
	var weights, most uint64
	for _, use := range typeUses(infos) {
		file.Size += use.Bytes
		weights += use.Weights
		if use.Weights > most {
			most, file.Type = use.Weights, use.Type
		}
	}
	if weights > 0 {
		file.Bits = 8 * float64(file.Size) / float64(weights)
	}
	if digest {
		file.SHA256, err = fileDigest(ctx, f.Paths...)
	}
	return file, err
}

// typeUses sums up tensors by their types, the one with the most bytes first.
func typeUses(tensors []gguf.TensorInfo) []reports.TypeUse {
	uses := map[gguf.Type]*reports.TypeUse{}
	for i := range tensors {
		t := &tensors[i]
		if uses[t.Type] == nil {
			uses[t.Type] = &reports.TypeUse{Type: t.Type.String()}
		}
		use := uses[t.Type]
		use.Tensors++
		use.Weights += t.Elements()
		use.Bytes += t.Bytes()
	}
	all := []reports.TypeUse{}
	for _, use := range slices.SortedFunc(maps.Values(uses), func(a, b *reports.TypeUse) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Type, b.Type))
	}) {
		all = append(all, *use)
	}
	return all
}

// fileDigest returns the SHA-256 of files, one after the other, in hex.
func fileDigest(ctx context.Context, paths ...string) (string, error) {
	sum := sha256.New()
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(sum, whileRunning{ctx, f})
		f.Close()
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// whileRunning stops reading when ctx ends.
type whileRunning struct {
	ctx context.Context
	r   io.Reader
}

func (r whileRunning) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
