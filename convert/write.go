package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"lladakit/internal/gguf"
)

// ErrSpace is returned, wrapped, when the disk cannot hold the result.
var ErrSpace = errors.New("not enough free disk space")

// Result says what Write made.
type Result struct {
	Paths     []string // of the files, in order
	Bytes     int64    // of all of them
	NonFinite int64    // infinities and NaNs that were let through
}

// Write makes the file, or NAME-00001-of-0000N.gguf and so on when the plan is
// split, replacing what is there. On any error, and when ctx ends, it leaves
// the folder as it was.
func (p *Plan) Write(ctx context.Context, path string) (_ Result, err error) {
	parts := gguf.Split(p.Tensors, p.opt.SplitSize)
	var r Result
	for i := range parts {
		name := path
		if len(parts) > 1 {
			name = gguf.ShardName(path, i, len(parts))
		}
		if err := p.refuseSource(name); err != nil {
			return Result{}, err
		}
		r.Paths = append(r.Paths, name)
	}
	if free, ok := freeSpace(filepath.Dir(path)); ok && free < p.Bytes() {
		return Result{}, fmt.Errorf("%s: %w: %d MiB needed, %d MiB free", filepath.Dir(path), ErrSpace, p.Bytes()>>20, free>>20)
	}

	var temporary []string
	defer func() {
		if err != nil {
			for _, t := range temporary {
				os.Remove(t)
			}
		}
	}()
	pipe := newPipeline(p)
	first := 0
	for i, part := range parts {
		md := p.Metadata
		if len(parts) > 1 {
			md = gguf.ShardMetadata(md, i, len(parts), len(p.Tensors))
		}
		f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(r.Paths[i])+".*.partial")
		if err != nil {
			return Result{}, err
		}
		temporary = append(temporary, f.Name())
		n, err := pipe.writeFile(ctx, f, md, first, len(part))
		if err != nil {
			return Result{}, errors.Join(err, f.Close())
		}
		r.Bytes += n
		first += len(part)
	}
	for i, t := range temporary {
		if err := os.Rename(t, r.Paths[i]); err != nil {
			return Result{}, err
		}
	}
	r.NonFinite = pipe.nonFinite
	return r, nil
}

// refuseSource refuses to write over a file of the checkpoint.
func (p *Plan) refuseSource(path string) error {
	out, err := os.Stat(path)
	if err != nil {
		return nil // nothing there
	}
	seen := map[*shard]bool{}
	for _, sources := range p.sources {
		for _, src := range sources {
			if seen[src.shard] {
				continue
			}
			seen[src.shard] = true
			if in, err := os.Stat(src.shard.path); err == nil && os.SameFile(in, out) {
				return fmt.Errorf("%s is a file of the checkpoint", path)
			}
		}
	}
	return nil
}

// writeFile writes one GGUF file with count tensors of the plan from the given
// one on, to stable storage, and closes f.
func (p *pipeline) writeFile(ctx context.Context, f *os.File, md gguf.Metadata, first, count int) (int64, error) {
	if err := f.Chmod(0o644); err != nil {
		return 0, err
	}
	w, err := gguf.NewWriter(f, md, p.plan.Tensors[first:first+count])
	if err != nil {
		return 0, err
	}
	for i := first; i < first+count; i++ {
		if err := p.tensor(ctx, w, i); err != nil {
			return 0, err
		}
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return size, f.Close()
}
