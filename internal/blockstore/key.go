package blockstore

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// Key names a blob: everything from a root to the end of a block. Keys are equal
// when that is. The zero Key names nothing.
type Key struct {
	sum   [sha256.Size]byte
	after [sha256.Size]byte // of the block before; zero for the first, and for a root
	root  bool
}

// String returns the key in hex, 64 digits.
func (k Key) String() string { return hex.EncodeToString(k.sum[:]) }

// first reports whether there is no block before.
func (k Key) first() bool { return k.after == [sha256.Size]byte{} }

// before returns the key of the block before, good for looking it up.
func (k Key) before() Key { return Key{sum: k.after} }

// Root returns the key that the first block is chained to. It is the SHA-256 of its
// parts, each after its length: parts that differ in anything, where one ends
// included, give another key.
func Root(parts ...[]byte) Key {
	h := sha256.New()
	h.Write([]byte("llada block store: root\x00"))
	for _, part := range parts {
		number(h, len(part))
		h.Write(part)
	}
	k := Key{root: true}
	h.Sum(k.sum[:0])
	return k
}

// Chain returns the key of the block that follows what parent names. It is the
// SHA-256 of the parent's, the length of blocks, and the ids, of which the last
// block of a text may have fewer.
func Chain(parent Key, blockLength int, ids []int32) Key {
	h := sha256.New()
	h.Write([]byte("llada block store: block\x00"))
	h.Write(parent.sum[:])
	number(h, blockLength)
	number(h, len(ids))
	data := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		data = binary.LittleEndian.AppendUint32(data, uint32(id))
	}
	h.Write(data)
	k := Key{}
	if !parent.root {
		k.after = parent.sum
	}
	h.Sum(k.sum[:0])
	return k
}

func number(h hash.Hash, n int) {
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}
