package runtime

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"lladakit/kernels"
)

// exportHeaderSize is the length of what exportHeader makes.
const exportHeaderSize = 6 * 4

// exportHeader appends what stands before exported entries, as uint32 in little
// endian: the type of the entries, layers, key-value heads, values of a head, and
// the positions lo and hi.
func (c *Cache) exportHeader(dst []byte, lo, hi int) []byte {
	cols := 0
	if len(c.k) > 0 {
		cols = c.k[0].Cols
	}
	for _, n := range []int{int(c.Type), len(c.k) / max(1, c.kvHeads), c.kvHeads, cols, lo, hi} {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	}
	return dst
}

// ExportSize returns the length of what Export appends for so many positions.
func (c *Cache) ExportSize(positions int) int {
	size := exportHeaderSize
	for i := range c.k {
		size += positions * (entryBytes(&c.k[i]) + entryBytes(&c.v[i]))
	}
	return size
}

// entryBytes returns the bytes of one position's entry.
func entryBytes(m *kernels.Matrix) int {
	if m.Rows == 0 {
		return 0
	}
	return len(m.Data) / m.Rows
}

// Export appends the entries of positions lo to hi-1: the header (see exportHeader),
// and for each layer and in it each key-value head the keys [hi-lo, headDim] and the
// values [hi-lo, headDim], in the bytes of the cache's type.
func (c *Cache) Export(dst []byte, lo, hi int) []byte {
	dst = c.exportHeader(dst, lo, hi)
	for i := range c.k {
		dst = append(dst, entries(&c.k[i], lo, hi)...)
		dst = append(dst, entries(&c.v[i], lo, hi)...)
	}
	return dst
}

// Import writes entries that Export made of the same positions of a cache of the
// same type and shape. It fails, and changes nothing, if they are of another.
func (c *Cache) Import(lo, hi int, blob []byte) error {
	switch {
	case lo < 0 || hi < lo || len(c.k) > 0 && hi > c.k[0].Rows:
		return fmt.Errorf("positions %d to %d are not in the cache", lo, hi)
	case len(blob) != c.ExportSize(hi-lo):
		return fmt.Errorf("%d bytes of keys and values, not %d", len(blob), c.ExportSize(hi-lo))
	case !bytes.Equal(blob[:exportHeaderSize], c.exportHeader(nil, lo, hi)):
		return errors.New("keys and values of another cache or of other positions")
	}
	blob = blob[exportHeaderSize:]
	for i := range c.k {
		for _, m := range []*kernels.Matrix{&c.k[i], &c.v[i]} {
			blob = blob[copy(entries(m, lo, hi), blob):]
		}
	}
	return nil
}

// entries returns the bytes of entries lo to hi-1.
func entries(m *kernels.Matrix, lo, hi int) []byte {
	row := entryBytes(m)
	return m.Data[lo*row : hi*row]
}
