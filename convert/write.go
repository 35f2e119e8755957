package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"lladakit/internal/disk"
	"lladakit/internal/gguf"
)

// ErrSpace is returned, wrapped, when the disk cannot hold the result.
var ErrSpace = disk.ErrSpace

// Result says what Write made.
type Result struct {
	Paths     []string // of the files, in order
	Bytes     int64    // of all of them
	NonFinite int64    // infinities and NaNs that were let through
}

// Write makes the file, or NAME-00001-of-0000N.gguf and so on when the plan is
// split, replacing what is there. On any error, and when ctx ends, it leaves
// the folder as it was; only where giving the files their names fails half way,
// files that they replaced are gone.
func (p *Plan) Write(ctx context.Context, path string) (_ Result, err error) {
	parts := gguf.Split(p.Tensors, p.opt.SplitSize)
	if len(parts) > math.MaxUint16 {
		return Result{}, fmt.Errorf("%s: %d files of %d bytes are too many", path, len(parts), p.opt.SplitSize)
	}
	var r Result
	for i := range parts {
		name := path
		if len(parts) > 1 {
			name = gguf.ShardName(path, i, len(parts))
		}
		if err := p.checkTarget(name); err != nil {
			return Result{}, err
		}
		r.Paths = append(r.Paths, name)
	}
	if err := disk.CheckSpace(filepath.Dir(path), p.Bytes()); err != nil {
		return Result{}, err
	}

	var made []string // under a temporary name first, then under its own
	defer func() {
		if err != nil {
			for _, name := range made {
				os.Remove(name)
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
		f, err := disk.CreatePartial(r.Paths[i])
		if err != nil {
			return Result{}, err
		}
		made = append(made, f.Name())
		n, err := pipe.writeFile(ctx, f, md, first, len(part))
		if err != nil {
			return Result{}, err
		}
		r.Bytes += n
		first += len(part)
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	for i, name := range r.Paths {
		if err := os.Rename(made[i], name); err != nil {
			return Result{}, err
		}
		made[i] = name
	}
	r.NonFinite = pipe.nonFinite
	return r, nil
}

// checkTarget refuses what cannot or must not be replaced by a file of the
// result, before hours of work: folders and devices, and files that the
// checkpoint was read from.
func (p *Plan) checkTarget(path string) error {
	if path == "" {
		return errors.New("the output has no name")
	}
	out, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !out.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	for _, input := range p.inputs {
		if in, err := os.Stat(input); err == nil && os.SameFile(in, out) {
			return fmt.Errorf("%s is a file of the checkpoint", path)
		}
	}
	return nil
}

// writeFile writes one GGUF file with count tensors of the plan from the given
// one on, to stable storage, and closes f.
func (p *pipeline) writeFile(ctx context.Context, f *os.File, md gguf.Metadata, first, count int) (int64, error) {
	defer f.Close() // again after the last line, which is harmless
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
