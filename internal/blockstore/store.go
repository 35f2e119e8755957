package blockstore

import (
	"sync"
	"time"
)

// DefaultDisk is the limit of a folder for which none is given: 16 GiB.
const DefaultDisk = 16 << 30

// Options say where blobs are kept. With the zero value nothing is.
type Options struct {
	// Memory is the most bytes that blobs take in memory, with an estimate of what
	// comes on top of each; 0 keeps none there. Dropped blobs stay until the garbage
	// collector comes by.
	Memory int64

	// Dir is the folder for blobs, made if it is not there; "" keeps none on disk.
	Dir string

	// Disk is the most bytes of all files in Dir; 0 means DefaultDisk. Where several
	// processes write, each may exceed it by a sixteenth.
	Disk int64

	// Version is of what is in blobs. Files of another version are deleted when they
	// are come upon.
	Version uint32
}

// Stats tell what happened since Open.
type Stats struct {
	Hits     uint64 // blobs found in memory
	DiskHits uint64 // blobs found on disk
	Misses   uint64

	Memory  int64  // bytes in memory, as Options.Memory counts them
	Evicted uint64 // blobs dropped from memory to keep its limit

	Disk    int64  // bytes in Dir; what other processes did lately is not in it
	Pruned  uint64 // files deleted to keep the limit
	Damaged uint64 // files that were no blobs

	// Err is why the folder is not written to any more, or not used at all: the
	// first of such errors. Memory goes on.
	Err error
}

// Store keeps blobs. It is safe for concurrent use.
type Store struct {
	life sync.RWMutex // held for reading by every operation, for writing by Close
	disk *disk        // nil when there is no folder, or not any more

	mu     sync.Mutex
	memory memory
	stats  Stats // but for what memory and disk count themselves
}

// Open returns a store. It does not fail: a folder that cannot be used is said in
// Stats.
func Open(opt Options) *Store {
	s := &Store{memory: newMemory(opt.Memory)}
	if opt.Dir != "" {
		if opt.Disk == 0 {
			opt.Disk = DefaultDisk
		}
		s.disk = openDisk(opt.Dir, opt.Disk, opt.Version)
	}
	return s
}

// Close waits for running operations. After it nothing is found or kept; Stats
// stay. Closing again does nothing.
func (s *Store) Close() {
	s.life.Lock()
	defer s.life.Unlock()
	if s.disk != nil {
		s.disk.close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory.close()
}

// Stats returns what happened so far.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	st := s.stats
	st.Memory, st.Evicted = s.memory.used, s.memory.evicted
	s.mu.Unlock()
	if s.disk != nil {
		s.disk.addStats(&st)
	}
	return st
}

// Get returns the blob of a key, and whether there is one of the given size. The
// blob belongs to all who get it, and must not be written to; it stays valid.
func (s *Store) Get(key Key, size int) (blob []byte, ok bool) {
	s.life.RLock()
	defer s.life.RUnlock()
	if blob, ok = s.fromMemory(key, size); ok {
		return blob, true
	}
	if s.disk != nil {
		blob, ok = s.disk.get(key, size)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok {
		s.stats.Misses++
		return nil, false
	}
	s.stats.DiskHits++
	return s.memory.put(key, blob, time.Now()), true
}

func (s *Store) fromMemory(key Key, size int) (blob []byte, ok bool) {
	s.mu.Lock()
	e := s.memory.get(key, size)
	if e == nil {
		s.mu.Unlock()
		return nil, false
	}
	s.stats.Hits++
	touch := false
	if s.disk != nil && time.Since(e.touched) > touchEvery {
		e.touched, touch = time.Now(), true
	}
	s.mu.Unlock()
	if touch {
		s.disk.touch(key)
	}
	return e.blob, true
}

// Put keeps a copy of a blob. Where there is one of the key, it stays, since it is
// the same. What is written to the folder is on the disk when Put returns.
func (s *Store) Put(key Key, blob []byte) {
	s.life.RLock()
	defer s.life.RUnlock()
	s.mu.Lock()
	keep := s.memory.wants(key, len(blob))
	s.mu.Unlock()
	if keep {
		// Copied without the lock, which others wait for.
		c := append(make([]byte, 0, len(blob)), blob...)
		s.mu.Lock()
		s.memory.put(key, c, time.Now())
		s.mu.Unlock()
	}
	if s.disk != nil {
		s.disk.put(key, blob)
	}
}
