package blockstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A file is a header and a blob. The header, with numbers in little endian:
//
//	[16]byte  magic
//	uint32    version of this layout, formatVersion
//	uint32    Options.Version
//	[32]byte  key
//	uint64    length of the blob
//	[32]byte  SHA-256 of the blob
const (
	magic         = "llada blockstore"
	formatVersion = 1
	sumAt         = len(magic) + 4 + 4 + sha256.Size + 8
	headerSize    = sumAt + sha256.Size
)

// errDamaged is what is found, wrapped, in the error for a file that is not the
// blob that was looked for, and never will be.
var errDamaged = errors.New("damaged")

// fileSize returns the length of a file with a blob of the given size.
func fileSize(size int) int64 { return int64(headerSize + size) }

// header returns the header of a blob with the given checksum.
func header(key Key, version uint32, size int, sum [sha256.Size]byte) []byte {
	h := make([]byte, 0, headerSize)
	h = append(h, magic...)
	h = binary.LittleEndian.AppendUint32(h, formatVersion)
	h = binary.LittleEndian.AppendUint32(h, version)
	h = append(h, key.sum[:]...)
	h = binary.LittleEndian.AppendUint64(h, uint64(size))
	return append(h, sum[:]...)
}

// readBlob reads a file of the given length, which must be what header and blob
// make. No byte of it goes unchecked, and no memory is taken for what the file says.
func readBlob(r io.Reader, length int64, key Key, version uint32, size int) ([]byte, error) {
	if length != fileSize(size) {
		return nil, fmt.Errorf("%w: %d bytes, not %d", errDamaged, length, fileSize(size))
	}
	var got [headerSize]byte
	if err := readFull(r, got[:]); err != nil {
		return nil, err
	}
	sum := [sha256.Size]byte(got[sumAt:])
	if !bytes.Equal(got[:], header(key, version, size, sum)) {
		return nil, fmt.Errorf("%w: not the header of this blob", errDamaged)
	}
	blob := make([]byte, size)
	if err := readFull(r, blob); err != nil {
		return nil, err
	}
	if sha256.Sum256(blob) != sum {
		return nil, fmt.Errorf("%w: not the checksum of its header", errDamaged)
	}
	return blob, nil
}

// readFull fills p. A file that ends before was shortened while it was read.
func readFull(r io.Reader, p []byte) error {
	_, err := io.ReadFull(r, p)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends early", errDamaged)
	}
	return err
}
