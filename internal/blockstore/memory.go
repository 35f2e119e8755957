package blockstore

import (
	"crypto/sha256"
	"time"
)

// entryOverhead is about what a blob takes in memory besides its bytes: its entry, its
// place in the map, and what the allocator rounds up.
const entryOverhead = 256

// touchEvery is how often the use of a blob in memory is noted on its file.
const touchEvery = time.Minute

// memory keeps blobs up to a limit. They form a ring, what is dropped last first,
// in which every entry stands behind its predecessor in the chain: what is used
// moves to the front, and its successors right behind it. What is dropped is hence
// always the end of a chain.
type memory struct {
	limit   int64
	used    int64
	evicted uint64
	entries map[[sha256.Size]byte]*entry
	ring    *entry // next is the first, prev the last
}

type entry struct {
	sum        [sha256.Size]byte
	blob       []byte
	touched    time.Time // when the file was last known to be marked as used
	prev, next *entry
}

func newMemory(limit int64) memory {
	m := memory{limit: limit, entries: map[[sha256.Size]byte]*entry{}, ring: &entry{}}
	m.ring.prev, m.ring.next = m.ring, m.ring
	return m
}

func (m *memory) close() {
	used, evicted := m.used, m.evicted
	*m = newMemory(0)
	m.used, m.evicted = used, evicted
}

func bytesOf(size int) int64 { return int64(size) + entryOverhead }

// get returns the entry of a key and marks it as used, or nil. One of another size
// is dropped: no caller will ever want it.
func (m *memory) get(key Key, size int) *entry {
	e := m.entries[key.sum]
	if e == nil {
		return nil
	}
	if len(e.blob) != size {
		m.remove(e)
		return nil
	}
	m.use(e, key)
	return e
}

// place returns what the key's entry belongs behind, nil when the predecessor is
// not here.
func (m *memory) place(key Key) *entry {
	if key.first() {
		return m.ring
	}
	return m.entries[key.after]
}

// use moves an entry to its place.
func (m *memory) use(e *entry, key Key) {
	if at := m.place(key); at != nil {
		e.unlink()
		e.link(at)
	}
}

// wants reports whether put would keep a new blob. An old one is marked as used.
func (m *memory) wants(key Key, size int) bool {
	if m.get(key, size) != nil {
		return false
	}
	return bytesOf(size) <= m.limit && m.place(key) != nil
}

// put keeps a blob, unless it has one of that key. It returns the one to use.
func (m *memory) put(key Key, blob []byte, now time.Time) []byte {
	if e := m.get(key, len(blob)); e != nil {
		return e.blob
	}
	if !m.wants(key, len(blob)) {
		return blob
	}
	e := &entry{sum: key.sum, blob: blob, touched: now}
	e.link(m.place(key))
	m.entries[e.sum] = e
	m.used += bytesOf(len(blob))
	for m.used > m.limit {
		m.remove(m.ring.prev)
		m.evicted++
	}
	return blob
}

func (m *memory) remove(e *entry) {
	e.unlink()
	delete(m.entries, e.sum)
	m.used -= bytesOf(len(e.blob))
}

func (e *entry) link(behind *entry) {
	e.prev, e.next = behind, behind.next
	e.prev.next, e.next.prev = e, e
}

func (e *entry) unlink() {
	e.prev.next, e.next.prev = e.next, e.prev
}
