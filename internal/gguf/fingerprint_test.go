package gguf

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fingerprintOf writes a file with the given time and takes its fingerprint.
func fingerprintOf(t testing.TB, path string, data []byte, at time.Time) [32]byte {
	t.Helper()
	require.NoError(t, os.WriteFile(path, data, 0o600))
	require.NoError(t, os.Chtimes(path, at, at))
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	sum := f.Fingerprint()
	require.Equal(t, sum, f.Fingerprint())
	return sum
}

// TestFingerprint: every byte of a small file counts, its time does, and its name
// does not.
func TestFingerprint(t *testing.T) {
	dir, at := t.TempDir(), time.Unix(1_700_000_000, 5)
	md, infos := small()
	data := encode(t, md, infos)
	seen := map[[32]byte]bool{}
	first := fingerprintOf(t, filepath.Join(dir, "a"), data, at)
	seen[first] = true
	assert.Equal(t, first, fingerprintOf(t, filepath.Join(dir, "b"), data, at))

	other := fingerprintOf(t, filepath.Join(dir, "c"), data, at.Add(time.Microsecond))
	assert.NotEqual(t, first, other)
	seen[other] = true

	changed := 0
	for i := range data {
		damaged := bytes.Clone(data)
		damaged[i] ^= 1
		if _, err := Parse(damaged); err != nil {
			continue
		}
		sum := fingerprintOf(t, filepath.Join(dir, "d"), damaged, at)
		assert.False(t, seen[sum], "byte %d", i)
		seen[sum] = true
		changed++
	}
	least := 0
	for _, info := range infos {
		least += int(info.Bytes())
	}
	assert.Greater(t, changed, least, "all of the tensors, and something of the header")
}

// TestFingerprintSamples: of a large tensor the first and last bytes count, and so
// much that tensors that are different all over are told apart.
func TestFingerprintSamples(t *testing.T) {
	dir, at := t.TempDir(), time.Unix(1_700_000_000, 0)
	infos := []TensorInfo{{"large", I8, []uint64{3 * fingerprintChunks * fingerprintChunk}}, {"small", I8, []uint64{7}}}
	data := encode(t, nil, infos)
	f, err := Parse(data)
	require.NoError(t, err)
	start := int(f.shards[0].dataStart)
	size := int(f.Tensors[0].Bytes())
	path := filepath.Join(dir, "a")
	first := fingerprintOf(t, path, data, at)
	for _, i := range []int{0, fingerprintChunk - 1, size - fingerprintChunk, size - 1} {
		data[start+i] ^= 1
		assert.NotEqual(t, first, fingerprintOf(t, path, data, at), "byte %d", i)
		data[start+i] ^= 1
	}
	for i := 0; i < size; i += 4096 {
		data[start+i] ^= 1
	}
	assert.NotEqual(t, first, fingerprintOf(t, path, data, at))
}

// TestFingerprintReplaced: the file is what was opened, not what has its name now.
func TestFingerprintReplaced(t *testing.T) {
	dir, at := t.TempDir(), time.Unix(1_700_000_000, 0)
	md, infos := small()
	data := encode(t, md, infos)
	path := filepath.Join(dir, "a")
	want := fingerprintOf(t, path, data, at)
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, os.WriteFile(path+".new", data, 0o600))
	require.NoError(t, os.Rename(path+".new", path))
	assert.Equal(t, want, f.Fingerprint())
	g, err := Open(path)
	require.NoError(t, err)
	defer g.Close()
	assert.NotEqual(t, want, g.Fingerprint())
}

// TestFingerprintShards: all shards count.
func TestFingerprintShards(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	of := func(change bool) [32]byte {
		dir := t.TempDir()
		infos := []TensorInfo{{"a", I8, []uint64{40}}, {"b", I8, []uint64{40}}}
		for i := range 2 {
			data := encode(t, ShardMetadata(nil, i, 2, 2), infos[i:i+1])
			if change && i == 1 {
				data[len(data)-32] ^= 1 // of 40 bytes, padded to 64
			}
			path := ShardName(filepath.Join(dir, "x.gguf"), i, 2)
			require.NoError(t, os.WriteFile(path, data, 0o600))
			require.NoError(t, os.Chtimes(path, at, at))
		}
		f, err := Open(ShardName(filepath.Join(dir, "x.gguf"), 0, 2))
		require.NoError(t, err)
		defer f.Close()
		return f.Fingerprint()
	}
	assert.Equal(t, of(false), of(false))
	assert.NotEqual(t, of(false), of(true))
}
