package datasets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"
	"time"

	"lladakit/internal/disk"
)

// partial is a file that is being fetched. Nobody else writes to it.
type partial struct {
	*os.File
	resumable bool // its name is the same every time: what is left there is found again
}

// openPartial opens what there is of the file at path, or a new one. If another process
// is fetching the file, it waits for that; it returns nil if the file is there then.
//
// Note: the lock is the partial file's own. A file of its own for it could never be
// removed without a race.
func openPartial(ctx context.Context, path string) (*partial, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".partial")
	for {
		if exists(path) {
			return nil, nil
		}
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|openFlags, 0o666)
		if err != nil {
			return nil, err
		}
		locked, err := disk.TryLock(f)
		if err != nil || goruntime.GOOS == "windows" { // which renames no open file, so that the lock would be lost before
			f.Close()
			os.Remove(name)
			if f, err = disk.CreatePartial(path); err != nil {
				return nil, err
			}
			return &partial{File: f}, nil
		}
		if locked {
			mine, err := named(f, name)
			p := &partial{f, true}
			switch {
			case err != nil:
				f.Close()
				return nil, err
			case mine && exists(path): // since a moment ago
				p.leave(false)
				return nil, nil
			case mine:
				return p, nil
			}
		}
		f.Close()
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// named says whether a file still has its name: who had the lock before may have given
// it another, or removed it.
func named(f *os.File, name string) (bool, error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !there.Mode().IsRegular():
		return false, fmt.Errorf("%s is there and not a regular file", name)
	}
	return os.SameFile(info, there), nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// commit gives the file its name and closes it, or returns an error and does neither.
func (p *partial) commit(path string) error {
	if err := p.Sync(); err != nil {
		return err
	}
	if p.resumable { // the lock is kept until it has its name
		if err := os.Rename(p.Name(), path); err != nil {
			return err
		}
		p.Close()
		return nil
	}
	if err := p.Close(); err != nil { // some systems rename no open file
		return err
	}
	return os.Rename(p.Name(), path)
}

// leave closes the file, and removes it unless it is kept and will be found again.
func (p *partial) leave(keep bool) {
	switch {
	case !p.resumable:
		p.Close()
		os.Remove(p.Name())
	case !keep:
		os.Remove(p.Name()) // before somebody else has the lock
		p.Close()
	default:
		p.Close()
	}
}
