package blockstore

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	locks "lladakit/internal/disk"
)

const (
	lockName        = "lock"
	temporarySuffix = ".tmp"
)

// disk keeps blobs in a folder.
type disk struct {
	dir     string
	root    *os.Root // nil when the folder is of no use
	limit   int64
	version uint32
	lock    *os.File // held by the process that prunes; nil when nothing can be written

	mu        sync.Mutex
	used      int64 // bytes of files by the last scan, and of those written since
	pending   int64 // bytes of files being written
	unscanned int64 // bytes written since the last scan
	writing   map[[sha256.Size]byte]bool
	readOnly  bool
	err       error
	pruned    uint64
	damaged   uint64

	// write, if not nil, writes in place of File.Write: tests have full disks so.
	write func(f *os.File, p []byte) (int, error)
}

// openDisk opens a folder, which it makes if it is not there, deletes what dead
// processes left in it, and counts what is there.
func openDisk(dir string, limit int64, version uint32) *disk {
	d := &disk{dir: dir, limit: limit, version: version, writing: map[[sha256.Size]byte]bool{}}
	if err := d.open(); err != nil {
		d.fail(err)
		return d
	}
	lock, err := d.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE|openFlags, 0o600)
	if err != nil {
		d.fail(err)
	} else {
		d.lock = lock
	}
	for _, f := range d.scan() {
		d.used += f.size
	}
	return d
}

func (d *disk) open() error {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(d.dir)
	if err != nil {
		return err
	}
	info, err := root.Stat(".")
	if err == nil {
		err = checkOwner(info)
	}
	if err != nil {
		root.Close()
		return err
	}
	d.root = root
	return nil
}

func (d *disk) close() {
	if d.lock != nil {
		d.lock.Close()
	}
	if d.root != nil {
		d.root.Close()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.root, d.lock, d.readOnly = nil, nil, true
}

// fail ends writing and keeps the first error.
func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.readOnly = true
	d.note(err)
}

// note keeps the first error. The caller holds mu.
func (d *disk) note(err error) {
	if d.err == nil {
		d.err = fmt.Errorf("%s: %w", d.dir, err)
	}
}

func (d *disk) addStats(s *Stats) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Disk, s.Pruned, s.Damaged, s.Err = d.used, d.pruned, d.damaged, d.err
}

// place returns the folder and the file of a blob, relative to the root.
func place(key Key) (folder, name string) {
	hex := key.String()
	return hex[:2], hex[:2] + "/" + hex
}

// get reads a blob. A file that is none is deleted.
func (d *disk) get(key Key, size int) (blob []byte, ok bool) {
	if d.root == nil {
		return nil, false
	}
	_, name := place(key)
	info, err := d.root.Lstat(name)
	if err == nil {
		blob, err = d.read(name, info, key, size)
	}
	switch {
	case err == nil:
		d.touch(key)
		return blob, true
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, errDamaged):
		d.discard(name, info)
	default:
		d.mu.Lock()
		d.note(err)
		d.mu.Unlock()
	}
	return nil, false
}

func (d *disk) read(name string, info fs.FileInfo, key Key, size int) ([]byte, error) {
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", errDamaged)
	}
	f, err := d.root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// The name may be another file's by now.
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", errDamaged)
	}
	return readBlob(f, info.Size(), key, d.version, size)
}

// discard deletes a file that is no blob.
func (d *disk) discard(name string, info fs.FileInfo) {
	err := d.root.Remove(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.damaged++
	if err == nil && info.Mode().IsRegular() {
		d.used = max(0, d.used-info.Size())
	}
}

// touch marks a file as used now, which gets noted on it as its time.
func (d *disk) touch(key Key) {
	if d.root == nil {
		return
	}
	if t, ok := d.timeOf(key); ok {
		_, name := place(key)
		_ = d.root.Chtimes(name, t, t) // gone, or in a folder that only can be read
	}
}

// timeOf returns what the time of a file is to be: earlier than its predecessor's,
// so that it is deleted before. It returns false when there is no predecessor.
func (d *disk) timeOf(key Key) (time.Time, bool) {
	if key.first() {
		return time.Now(), true
	}
	_, name := place(key.before())
	info, err := d.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return time.Time{}, false
	}
	return info.ModTime().Add(-time.Microsecond), true
}

// put writes a blob, unless it is there, or is of no use, or does not fit.
func (d *disk) put(key Key, blob []byte) {
	size := fileSize(len(blob))
	if size > d.limit || !d.begin(key) {
		return
	}
	defer d.end(key)
	_, name := place(key)
	if info, err := d.root.Lstat(name); err == nil {
		if info.Mode().IsRegular() && info.Size() == size {
			d.touch(key)
			return
		}
		d.discard(name, info)
	}
	if !d.reserve(size) {
		return
	}
	written := false
	if t, ok := d.timeOf(key); ok {
		err := d.writeFile(key, blob, t)
		written = err == nil
		// A name that is gone was taken for a dead process's, or the folder was
		// emptied: this blob is lost, and nothing else.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.fail(err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending -= size
	if written {
		d.used += size
		d.unscanned += size
	}
}

// begin reports whether a blob is to be written, which nobody else does until end.
func (d *disk) begin(key Key) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.readOnly || d.writing[key.sum] {
		return false
	}
	d.writing[key.sum] = true
	return true
}

func (d *disk) end(key Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.writing, key.sum)
}

// writeFile writes a file that has its name when it is complete, and the time t.
func (d *disk) writeFile(key Key, blob []byte, t time.Time) (err error) {
	folder, name := place(key)
	if err := d.root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot write: %v", err) // not "does not exist", which would be no matter
	}
	f, temporary, err := d.temporary(name)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			d.root.Remove(temporary)
		}
	}()
	for _, part := range [][]byte{header(key, d.version, len(blob), sha256.Sum256(blob)), blob} {
		if d.write != nil {
			_, err = d.write(f, part)
		} else {
			_, err = f.Write(part)
		}
		if err != nil {
			return err
		}
	}
	// Without this, the name could outlive a crash of the system and the bytes
	// not. The folder is not synced: a name that is lost is a blob not found.
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.root.Chtimes(temporary, t, t); err != nil {
		return err
	}
	return d.root.Rename(temporary, name)
}

// temporary makes the file that a blob is written to, and locks it: a temporary
// file without a lock is a dead process's.
func (d *disk) temporary(name string) (*os.File, string, error) {
	temporary := fmt.Sprintf("%s.%016x%s", name, rand.Uint64(), temporarySuffix)
	f, err := d.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, "", err
	}
	// Whoever has the lock already is about to delete the file, which is a blob
	// lost; where there are no locks, its age tells.
	_, _ = locks.TryLock(f)
	return f, temporary, nil
}
