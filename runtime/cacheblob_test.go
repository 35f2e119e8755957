package runtime_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// filled returns a cache with random bytes.
func filled(m *runtime.Model, positions int) *runtime.Cache {
	rng := rand.New(rand.NewPCG(1, 5))
	c := m.NewCache(positions)
	for layer := range m.Config.Layers {
		for head := range m.Config.KVHeads {
			k, v := c.Data(layer, head)
			for _, b := range [][]byte{k, v} {
				for i := range b {
					b[i] = byte(rng.Uint32())
				}
			}
		}
	}
	return c
}

// TestExportLayout pins the layout that the comments say.
func TestExportLayout(t *testing.T) {
	for _, typ := range []gguf.Type{gguf.BF16, gguf.Q8_0} {
		m := load(t, golden(t)[0].Dir, typ)
		c := filled(m, 20)
		const lo, hi = 3, 8
		var want []byte
		for _, n := range []int{int(c.Type), m.Config.Layers, m.Config.KVHeads, m.Config.HeadDim, lo, hi} {
			want = binary.LittleEndian.AppendUint32(want, uint32(n))
		}
		for layer := range m.Config.Layers {
			for head := range m.Config.KVHeads {
				k, v := c.Data(layer, head)
				row := len(k) / 20
				want = append(append(want, k[lo*row:hi*row]...), v[lo*row:hi*row]...)
			}
		}
		got := c.Export([]byte("before"), lo, hi)
		require.Equal(t, append([]byte("before"), want...), got)
		require.Len(t, want, c.ExportSize(hi-lo))
	}
}

// TestImport: what is imported stands at its positions and nowhere else.
func TestImport(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.Q8_0)
	c := filled(m, 20)
	to := m.NewCache(16)
	require.NoError(t, to.Import(3, 8, c.Export(nil, 3, 8)))
	for layer := range m.Config.Layers {
		for head := range m.Config.KVHeads {
			for part := range 2 {
				of := func(c *runtime.Cache) []byte {
					k, v := c.Data(layer, head)
					return [][]byte{k, v}[part]
				}
				from, got := of(c), of(to)
				row := len(from) / 20
				want := make([]byte, len(got))
				copy(want[3*row:], from[3*row:8*row])
				require.Equal(t, want, got)
			}
		}
	}
	require.Equal(t, c.Export(nil, 3, 8), to.Export(nil, 3, 8))
	require.NoError(t, to.Import(5, 5, c.Export(nil, 5, 5)))
}

// TestImportOthers: entries of another cache, of other positions, cut or longer, are
// refused and change nothing.
func TestImportOthers(t *testing.T) {
	all := golden(t)
	m, floats := load(t, all[0].Dir, gguf.Q8_0), load(t, all[0].Dir, gguf.BF16)
	c := filled(m, 20)
	good := c.Export(nil, 4, 8)
	to := m.NewCache(16)
	empty := to.Export(nil, 0, 16)
	refuse := func(lo, hi int, blob []byte) {
		t.Helper()
		require.Error(t, to.Import(lo, hi, blob))
		require.Equal(t, empty, to.Export(nil, 0, 16))
	}
	refuse(3, 7, good)
	refuse(4, 7, good)
	refuse(8, 4, good)
	refuse(-1, 3, good)
	refuse(14, 18, c.Export(nil, 14, 18))
	refuse(4, 8, good[:len(good)-1])
	refuse(4, 8, append(slices.Clone(good), 0))
	refuse(4, 8, nil)
	refuse(4, 8, filled(floats, 20).Export(nil, 4, 8))
	refuse(4, 8, filled(floats, 20).Export(nil, 4, 6)) // as long
	for i := range 24 {
		bad := slices.Clone(good)
		bad[i] ^= 1
		refuse(4, 8, bad)
	}
	require.NoError(t, to.Import(4, 8, good))
}
