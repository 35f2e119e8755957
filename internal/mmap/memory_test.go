package mmap

import (
	goruntime "runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMemory(t *testing.T) {
	for _, n := range []int{0, 1, 5 << 20} {
		f, err := Memory(n)
		require.NoError(t, err)
		require.Len(t, f.Data, n)
		for i, v := range f.Data {
			if v != 0 {
				t.Fatalf("byte %d is %d", i, v)
			}
			f.Data[i] = 7
		}
		require.NoError(t, f.Close())
		assert.Nil(t, f.Data)
		require.NoError(t, f.Close())
	}
	_, err := Memory(1 << 62)
	require.Error(t, err)
}

func TestAvailable(t *testing.T) {
	n := Available()
	if goruntime.GOOS != "linux" {
		assert.Zero(t, n)
		return
	}
	assert.Greater(t, n, uint64(1<<20))
	assert.Less(t, n, uint64(1<<50))
}
