package kernels

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func capBytes[T any](s []T) int { return cap(s) * int(unsafe.Sizeof(*new(T))) }

// TestBytes holds the sizes that are told against those that are made.
func TestBytes(t *testing.T) {
	assert.Equal(t, capBytes(NewActivations(2048).blocks), ActivationBytes(2048))
	assert.Equal(t, capBytes(NewActivations(33).blocks), ActivationBytes(33))

	for _, typ := range []Type{F32, F16, Q8_0} {
		var s AttendScratch
		s.Reserve(typ, 40, 72)
		made := capBytes(s.wide) + capBytes(s.floats) + capBytes(s.scores) + capBytes(s.acc) + capBytes(s.six) + capBytes(s.query) +
			capBytes(s.keys) + capBytes(s.values) + capBytes(s.shares) + capBytes(s.words) + capBytes(s.keyScale) + capBytes(s.colScale)
		assert.Equal(t, made, AttendBytes(typ, 40, 72), "%d", typ)
	}

	for _, typ := range []Type{Q4_0, Q6_K, BF16} {
		row, err := typ.RowBytes(512)
		require.NoError(t, err)
		m, err := NewMatrix(typ, 8, 512, make([]byte, 8*row))
		require.NoError(t, err)
		var s Scratch
		s.Reserve(&m, 64)
		made := capBytes(s.tile) + capBytes(s.edge) + capBytes(s.w) + capBytes(s.row)
		assert.Equal(t, made+4*len(s.rows), ScratchBytes(typ, 512, 64), "%d", typ)
	}
}
