package runtime

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/kernels"
)

// TestFetch: every matrix is asked for once, in the order of use, before it is used
// and not long before.
func TestFetch(t *testing.T) {
	const size = fetchAhead / 10
	units := make([]unit, 30)
	var want []byte
	for i := range units {
		units[i].m = &MLP{}
		for k, m := range []*kernels.Matrix{&units[i].m.Gate, &units[i].m.Up, &units[i].m.Down} {
			m.Data = make([]byte, size)
			m.Data[0] = byte(3*i + k)
		}
		want = append(want, byte(3*i), byte(3*i+1))
	}
	for i := range units {
		want = append(want, byte(3*i+2))
	}
	var asked []byte
	f := newFetch(len(units))
	f.ask = func(part []byte) { asked = append(asked, part[0]) }
	for range 2 {
		asked = nil
		f.begin(units)
		for at := range want {
			f.reach(at)
			require.GreaterOrEqual(t, len(asked), min(at+8, len(want)))
			require.LessOrEqual(t, len(asked), at+1+10)
			if at%7 == 0 {
				f.reach(at / 2) // of a worker that is slow
			}
		}
		assert.Equal(t, want, asked)
	}
	f.begin(nil)
	f.reach(0)
	assert.Equal(t, want, asked)
}
