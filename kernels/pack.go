package kernels

import "fmt"

// Packed rows. A product with one row of weights ends, for every block, in a sum
// across the lanes of a vector, which costs more than the products in it. So the
// rows are interleaved: a vector has a lane for each of several rows, their sums
// stay apart, and one conversion and one multiplication serve them all.
//
// A tile is as many rows as the implementation in use wants. Their blocks at one place
// take together the bytes that they took apart:
//
//	halfs   each half float of the format: one of each row
//	dwords  each 4 bytes of the rest: 4 bytes of each row
//
// with the order within a row kept, but for the fifth bits of Q5_0, Q5_1 and Q5_K.
// Those become 4 bytes for 32 weights, where weight 4·g+j has bit g of byte j, so
// that one shift brings the bits of four weights to their places.
//
// Rows beyond the last whole tile stay as they are.

// A packing says where the parts of a block are.
type packing struct {
	size    int // of a block, in bytes
	halfs   int // half floats
	halfAt  int // the byte where they begin
	dwords  int // 4 bytes each
	dwordAt int // the byte where they begin
	fifths  int // dwords that are fifth bits
	fifthAt int // the dword where they begin
}

var packings = map[Type]*packing{
	Q4_0:   {size: 18, halfs: 1, dwordAt: 2, dwords: 4},
	Q4_1:   {size: 20, halfs: 2, dwordAt: 4, dwords: 4},
	Q5_0:   {size: 22, halfs: 1, dwordAt: 2, dwords: 5, fifths: 1},
	Q5_1:   {size: 24, halfs: 2, dwordAt: 4, dwords: 5, fifths: 1},
	Q8_0:   {size: 34, halfs: 1, dwordAt: 2, dwords: 8},
	IQ4_NL: {size: 18, halfs: 1, dwordAt: 2, dwords: 4},
	Q4_K:   {size: 144, halfs: 2, dwordAt: 4, dwords: 35},
	Q5_K:   {size: 176, halfs: 2, dwordAt: 4, dwords: 43, fifths: 8, fifthAt: 3},
	Q6_K:   {size: 210, halfs: 1, halfAt: 208, dwords: 52},
}

// Packs reports whether rows of the layout can be packed.
func (t Type) Packs() bool { return packings[t] != nil }

// TileRows returns how many rows [Matrix.Pack] interleaves for the implementation in
// use: 8, or 32 with AVX-512.
func TileRows() int { return active.tileRows }

// Pack writes rows lo to hi of m, packed, to their places in dst, which is as
// long as m.Data and may be m.Data itself. Its matrix is then had from
// [NewPackedMatrix]. lo is a multiple of [TileRows], and so is hi unless it is Rows;
// disjoint ranges may be packed at the same time.
func (m *Matrix) Pack(dst []byte, lo, hi int) error {
	p, tileRows := packings[m.Type], active.tileRows
	switch {
	case p == nil:
		return fmt.Errorf("kernels: rows of type %d cannot be packed", uint32(m.Type))
	case m.Packed > 0:
		return fmt.Errorf("kernels: the matrix is packed already")
	case len(dst) != len(m.Data):
		return fmt.Errorf("kernels: %d bytes packed do not go into %d", len(m.Data), len(dst))
	case lo < 0 || lo%tileRows != 0 || hi > m.Rows || hi%tileRows != 0 && hi != m.Rows:
		return fmt.Errorf("kernels: rows %d to %d of %d are no tiles of %d", lo, hi, m.Rows, tileRows)
	}
	if m.Rows == 0 {
		return nil
	}
	row := len(m.Data) / m.Rows
	var copied []byte
	if len(dst) > 0 && &dst[0] == &m.Data[0] {
		copied = make([]byte, tileRows*row)
	}
	for ; lo+tileRows <= hi; lo += tileRows {
		from, to := m.Data[lo*row:(lo+tileRows)*row], dst[lo*row:(lo+tileRows)*row]
		if copied != nil {
			copy(copied, from)
			from = copied
		}
		p.interleave(to, from, row/p.size, tileRows)
	}
	copy(dst[lo*row:hi*row], m.Data[lo*row:])
	return nil
}

// interleave packs one tile of rows of the given number of blocks.
func (p *packing) interleave(dst, src []byte, blocks, tileRows int) {
	active.interleave(dst, src, blocks, tileRows, p)
	if p.fifths > 0 {
		p.spreadFifths(dst, blocks, tileRows)
	}
}

// interleavePlain moves the halfs and dwords of a tile.
func interleavePlain(dst, src []byte, blocks, tileRows int, p *packing) {
	row := blocks * p.size
	for b := range blocks {
		for r := range tileRows {
			in := src[r*row+b*p.size:][:p.size]
			out := dst[b*p.size*tileRows:][:p.size*tileRows]
			for i := range p.halfs {
				le.PutUint16(out[(i*tileRows+r)*2:], le.Uint16(in[p.halfAt+2*i:]))
			}
			out = out[p.halfs*2*tileRows:]
			for i := range p.dwords {
				le.PutUint32(out[(i*tileRows+r)*4:], le.Uint32(in[p.dwordAt+4*i:]))
			}
		}
	}
}

// fifth returns the fifth bits of one block of one row in a packed tile.
func (p *packing) fifth(tile []byte, tileRows, b, r, i int) []byte {
	return tile[(b*p.size+2*p.halfs+4*(p.fifthAt+i))*tileRows+4*r:][:4]
}

// spreadFifths puts the interleaved fifth bits in the order of packed rows.
func (p *packing) spreadFifths(tile []byte, blocks, tileRows int) {
	for b := range blocks {
		for r := range tileRows {
			if p.fifths == 1 { // bit i is weight i's
				d := p.fifth(tile, tileRows, b, r, 0)
				le.PutUint32(d, spread(le.Uint32(d)))
				continue
			}
			// Bit i/32 of byte i%32 is weight i's: eight blocks' bits lie above
			// each other, and byte j of dword g has those of weights 4·g+j.
			for j := range 4 {
				var x uint64
				for g := range 8 {
					x |= uint64(p.fifth(tile, tileRows, b, r, g)[j]) << (8 * g)
				}
				x = transpose(x)
				for g := range 8 {
					p.fifth(tile, tileRows, b, r, g)[j] = byte(x >> (8 * g))
				}
			}
		}
	}
}

// spread moves bit 4·g+j to bit 8·j+g.
func spread(x uint32) uint32 {
	var nibbles uint64
	for g := range 8 {
		nibbles |= uint64(x>>(4*g)&15) << (8 * g)
	}
	return uint32(transpose(nibbles))
}

// gather undoes spread.
func gather(x uint32) (y uint32) {
	nibbles := transpose(uint64(x))
	for g := range 8 {
		y |= uint32(nibbles>>(8*g)&15) << (4 * g)
	}
	return y
}

// transpose moves bit 8·i+j to bit 8·j+i.
func transpose(x uint64) uint64 {
	swap := func(shift int, mask uint64) {
		t := (x ^ x>>shift) & mask
		x ^= t ^ t<<shift
	}
	swap(7, 0x00aa00aa00aa00aa)
	swap(14, 0x0000cccc0000cccc)
	swap(28, 0x00000000f0f0f0f0)
	return x
}

// unpack writes block b of row r of a packed tile to dst as it was.
func (p *packing) unpack(dst, tile []byte, tileRows, b, r int) {
	in := tile[b*p.size*tileRows:][:p.size*tileRows]
	for i := range p.halfs {
		copy(dst[p.halfAt+2*i:][:2], in[(i*tileRows+r)*2:])
	}
	in = in[p.halfs*2*tileRows:]
	for i := range p.dwords {
		copy(dst[p.dwordAt+4*i:][:4], in[(i*tileRows+r)*4:])
	}
	high := dst[p.dwordAt+4*p.fifthAt:]
	switch p.fifths {
	case 1:
		le.PutUint32(high, gather(le.Uint32(high)))
	case 8:
		for j := range 4 {
			var x uint64
			for g := range 8 {
				x |= uint64(high[4*g+j]) << (8 * g)
			}
			x = transpose(x)
			for g := range 8 {
				high[4*g+j] = byte(x >> (8 * g))
			}
		}
	}
}
