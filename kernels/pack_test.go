package kernels

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every type that has a packing, and matrices with rows that fill no tile.
func packTypes() (types []Type) {
	for _, t := range blockTypes {
		if t.Packs() {
			types = append(types, t)
		}
	}
	return types
}

// What is packed can be read as before, in place too, and piece by piece.
func TestPack(t *testing.T) {
	each(t, func(t *testing.T) {
		r, tileRows := rand.New(rand.NewPCG(2, 1)), TileRows()
		for _, typ := range packTypes() {
			for _, rows := range []int{0, 1, 7, 8, 9, 24, 31, 32, 33, 64, 77} {
				weights, size := typ.Block()
				blocks := 1 + r.IntN(9)
				m := randomMatrix(t, r, typ, rows, blocks*weights)
				p := packed(t, &m)
				raw := make([]byte, size)
				want, got := make([]float32, m.Cols), make([]float32, m.Cols)
				for i := range rows {
					for b := range blocks {
						block := m.Data[(i*blocks+b)*size:][:size]
						if p.packed(i) {
							tile := p.Data[i/tileRows*tileRows*blocks*size:][:tileRows*blocks*size]
							packings[typ].unpack(raw, tile, tileRows, b, i%tileRows)
							require.Equal(t, block, raw, "type %d, row %d of %d, block %d", typ, i, rows, b)
						}
					}
					m.Row(want, i)
					p.Row(got, i)
					require.Equal(t, want, got)
				}
				same := slices.Clone(m.Data)
				q := Matrix{Type: typ, Rows: rows, Cols: m.Cols, Data: same}
				for lo := 0; lo < rows; lo += tileRows {
					require.NoError(t, q.Pack(same, lo, min(lo+tileRows, rows)))
				}
				require.Equal(t, p.Data, same, "in place")
			}
		}
	})
}

func TestPackErrors(t *testing.T) {
	each(t, func(t *testing.T) {
		r, tile := rand.New(rand.NewPCG(2, 2)), TileRows()
		rows := 2*tile + 4
		m := randomMatrix(t, r, Q4_0, rows, 64)
		dst := make([]byte, len(m.Data))
		for _, rows := range [][2]int{{4, tile}, {0, tile + 4}, {-tile, tile}, {0, 3 * tile}, {tile, 3 * tile}} {
			require.ErrorContains(t, m.Pack(dst, rows[0], rows[1]), "are no tiles")
		}
		require.ErrorContains(t, m.Pack(dst[1:], 0, rows), "do not go into")
		require.NoError(t, m.Pack(dst, 2*tile, rows))
		p := packed(t, &m)
		require.ErrorContains(t, p.Pack(dst, 0, rows), "packed already")
		f := randomMatrix(t, r, F16, 8, 64)
		require.ErrorContains(t, f.Pack(make([]byte, len(f.Data)), 0, 8), "cannot be packed")
		_, err := NewPackedMatrix(F16, 8, 64, f.Data)
		require.ErrorContains(t, err, "cannot be packed")
		_, err = NewPackedMatrix(Q4_0, rows, 64, dst[1:])
		require.Error(t, err)
	})
}

func TestSpread(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	for range 1000 {
		x := r.Uint32()
		var want uint32
		for i := range 32 {
			want |= x >> i & 1 << (i%4*8 + i/4)
		}
		require.Equal(t, want, spread(x))
		require.Equal(t, x, gather(want))
	}
}
