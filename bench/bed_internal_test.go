package bench

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/internal/mmap"
)

func TestCheckRoom(t *testing.T) {
	if mmap.Available() == 0 {
		t.Skip("the system does not tell how much memory is free")
	}
	small, huge := &bed{size: 1}, &bed{size: 1 << 60}
	require.NoError(t, checkRoom([]*bed{small, small}))
	require.NoError(t, checkRoom([]*bed{huge}), "alone it can do without memory")
	require.ErrorContains(t, checkRoom([]*bed{small, huge}), "they cannot take turns")
}
