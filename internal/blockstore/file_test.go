package blockstore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func encode(k Key, version uint32, blob []byte) []byte {
	return append(header(k, version, len(blob), sha256.Sum256(blob)), blob...)
}

// FuzzReadBlob: what is read is what writing it again gives, and all else is
// damaged.
func FuzzReadBlob(f *testing.F) {
	k := single(1)
	for _, size := range []int{0, 1, 40} {
		f.Add(encode(k, 3, blobOf(k, size)), size)
		f.Add(encode(k, 4, blobOf(k, size)), size)
		f.Add(encode(single(2), 3, blobOf(k, size)), size)
		f.Add(encode(k, 3, blobOf(k, size)), size+1)
		f.Add(encode(k, 3, blobOf(k, size))[:headerSize-1], size)
	}
	f.Add([]byte(magic), 0)
	f.Add([]byte{}, -headerSize)
	f.Add(encode(k, 3, nil)[:headerSize-1], -1)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		blob, err := readBlob(bytes.NewReader(data), int64(len(data)), k, 3, size)
		if err != nil {
			require.ErrorIs(t, err, errDamaged)
			require.Nil(t, blob)
			return
		}
		require.Len(t, blob, size)
		require.Equal(t, data, encode(k, 3, blob))
	})
}

// TestReadErrors: a file that shrinks while it is read is damaged; one that cannot be
// read is not, since it may be whole.
func TestReadErrors(t *testing.T) {
	k := single(1)
	data := encode(k, 3, blobOf(k, 40))
	for n := range data {
		_, err := readBlob(bytes.NewReader(data[:n]), int64(len(data)), k, 3, 40)
		require.ErrorIs(t, err, errDamaged)
		broken := errors.New("broken")
		_, err = readBlob(io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(broken)), int64(len(data)), k, 3, 40)
		require.ErrorIs(t, err, broken)
		require.NotErrorIs(t, err, errDamaged)
	}
	blob, err := readBlob(iotest.OneByteReader(bytes.NewReader(data)), int64(len(data)), k, 3, 40)
	require.NoError(t, err)
	require.Equal(t, blobOf(k, 40), blob)
}
