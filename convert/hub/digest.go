package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// sums are the digests of a file, in hex. Blob is empty for those that the hub lists with a
// sha256.
type sums struct{ SHA256, Blob string }

// sum reads a file's bytes, of which there must be as many as it has by the hub. It tells how
// many it has read; tell may be nil.
//
// Note: git's digest is a sha1, which does not protect from whoever can make two files with
// one. It is what the hub has for small files, and finds every accident.
func sum(ctx context.Context, r io.Reader, f *remote, tell func(n int64)) (sums, error) {
	main := sha256.New()
	hashes := []io.Writer{main}
	var blob hash.Hash
	if f.SHA256 == "" {
		blob = sha1.New()
		fmt.Fprintf(blob, "blob %d\x00", f.Size)
		hashes = append(hashes, blob)
	}
	all := io.MultiWriter(hashes...)
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return sums{}, err
		}
		n, err := r.Read(buf)
		all.Write(buf[:n])
		if tell != nil {
			tell(int64(n))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return sums{}, err
		}
	}
	s := sums{SHA256: hex.EncodeToString(main.Sum(nil))}
	if blob != nil {
		s.Blob = hex.EncodeToString(blob.Sum(nil))
	}
	return s, nil
}

// of says whether a file with these digests is the one that the hub lists.
func (s sums) of(f *remote) bool {
	if f.SHA256 != "" {
		return s.SHA256 == f.SHA256
	}
	return f.Blob != "" && s.Blob == f.Blob
}
