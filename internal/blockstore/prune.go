package blockstore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	locks "lladakit/internal/disk"
)

// abandoned is how old a temporary file gets before it counts as a dead process's
// where there are no locks to tell.
const abandoned = time.Hour

// blobFile is a file in the folder.
type blobFile struct {
	name string // relative to the root
	size int64
	used time.Time
}

// reserve makes room for a file and reports whether there is any. What is reserved
// is in pending.
func (d *disk) reserve(size int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	full := func() bool { return d.used+d.pending+size > d.limit }
	if full() || d.unscanned > d.limit/16 { // others may have written, too
		d.prune(size)
	}
	if full() {
		return false
	}
	d.pending += size
	return true
}

// prune counts what is in the folder, and deletes the oldest files if a file of the
// given size finds no room, more than it needs so as not to be back at once. While
// another process does that, it does nothing. The caller holds mu.
func (d *disk) prune(size int64) {
	switch locked, err := locks.TryLock(d.lock); {
	case locked:
		defer locks.Unlock(d.lock)
	case !errors.Is(err, locks.ErrNoLocks):
		return
	}
	files := d.scan()
	d.used, d.unscanned = 0, 0
	for _, f := range files {
		d.used += f.size
	}
	if d.used+d.pending+size <= d.limit {
		return
	}
	target := d.limit - max(d.pending+size, d.limit/8)
	slices.SortFunc(files, func(a, b blobFile) int { return a.used.Compare(b.used) })
	for _, f := range files {
		if d.used <= target {
			return
		}
		switch err := d.root.Remove(f.name); {
		case err == nil:
			d.pruned++
			d.used -= f.size
		case errors.Is(err, fs.ErrNotExist):
			d.used -= f.size
		default:
			d.note(err)
		}
	}
}

// scan lists the blobs in the folder, and deletes temporary files of dead processes.
// It leaves alone whatever else there is.
func (d *disk) scan() (files []blobFile) {
	now := time.Now()
	for _, folder := range d.list(".") {
		if !folder.IsDir() || !isHex(folder.Name(), 2) {
			continue
		}
		for _, e := range d.list(folder.Name()) {
			key, rest, _ := strings.Cut(e.Name(), ".")
			if !isHex(key, 64) || key[:2] != folder.Name() {
				continue
			}
			name := folder.Name() + "/" + e.Name()
			// Not DirEntry.Info, which goes by the folder's path.
			info, err := d.root.Lstat(name)
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			if rest != "" {
				if random, ok := strings.CutSuffix("."+rest, temporarySuffix); ok && isHex(strings.TrimPrefix(random, "."), 16) {
					d.clean(name, info)
				}
				continue
			}
			f := blobFile{name: name, size: info.Size(), used: info.ModTime()}
			if f.used.After(now.Add(time.Minute)) {
				f.used = time.Time{} // by a clock that went wrong: who knows when
			}
			files = append(files, f)
		}
	}
	return files
}

// list returns what is in a folder, as far as it can be read.
func (d *disk) list(folder string) []fs.DirEntry {
	f, err := d.root.Open(folder)
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.ReadDir(-1)
	return entries
}

// isHex reports whether s is n lower-case hex digits.
func isHex(s string, n int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(s) == n && fmt.Sprintf("%x", b) == s
}

// clean deletes a temporary file if its writer is dead.
func (d *disk) clean(name string, info fs.FileInfo) {
	f, err := d.root.OpenFile(name, os.O_RDWR|openFlags, 0)
	if err != nil {
		return
	}
	dead, err := locks.TryLock(f)
	if errors.Is(err, locks.ErrNoLocks) {
		dead = time.Since(info.ModTime()) > abandoned
	}
	f.Close()
	if dead {
		_ = d.root.Remove(name)
	}
}
