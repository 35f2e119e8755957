package kernels

import (
	"fmt"
	"unsafe"
)

// maxTogether is how many rows of activations a tileFunc takes at most.
const maxTogether = 6

// Scratch is memory that products of one worker use and use again. The zero
// value is ready; it grows to what the largest matrix needs.
type Scratch struct {
	tile []byte             // a tile of packed rows
	edge []float32          // results of a tile that is not wanted whole
	w    []numbers          // one decoded row
	row  []float32          // one widened row
	rows []int32            // 0, 1, 2…
	x    [maxTogether]*int8 // what rows of activations begin with
}

func grown[T any](s *[]T, n int) []T {
	if n > cap(*s) {
		*s = make([]T, n)
	}
	return (*s)[:n]
}

// Reserve makes room for all products with a matrix and up to n rows of activations,
// which then allocate nothing.
func (s *Scratch) Reserve(m *Matrix, n int) {
	if m.Rows == 0 {
		return
	}
	tileRows := active.tileRows
	grown(&s.tile, 2*tileRows*(len(m.Data)/m.Rows))
	grown(&s.edge, n*tileRows)
	grown(&s.w, m.Cols/blockLen)
	grown(&s.row, m.Cols)
	s.all(n)
}

// ScratchBytes returns how many bytes a scratch takes after Reserve of a matrix of type
// t with rows of cols weights, and n.
func ScratchBytes(t Type, cols, n int) int {
	weights, bytes := t.Block()
	tileRows := active.tileRows
	return 2*tileRows*(cols/weights*bytes) + 4*n*tileRows + cols/blockLen*int(unsafe.Sizeof(numbers{})) + 4*cols + 4*n
}

func (s *Scratch) numbersOf(n int) []numbers { return grown(&s.w, n) }

// all returns the first n row numbers.
func (s *Scratch) all(n int) []int32 {
	for i := len(s.rows); i < n; i++ {
		s.rows = append(s.rows, int32(i))
	}
	return s.rows[:n]
}

// Rounds reports whether products with weights of the layout take activations
// in their rounded form, that is, after [Activations.Quantize].
func (t Type) Rounds() bool { return t != F32 && t != F16 && t != BF16 }

// Product multiplies rows lo to hi of m with the given rows of a, all if rows is
// nil:
//
//	dst[r·stride+i-lo] = Σ_k m[i,k]·a[rows[r],k]   for lo <= i < hi
//
// A result depends on its two rows alone: not on the others, the range, or how the
// matrix is stored. With weights of float types, activations are what they are;
// with weights in blocks they are rounded, the products of a block are summed up
// in whole numbers, and the blocks, in ascending order, in float32.
//
// Disjoint ranges may be computed at the same time, with a Scratch each.
func (m *Matrix) Product(dst []float32, stride int, a *Activations, rows []int32, lo, hi int, s *Scratch) {
	if a.Cols != m.Cols || lo < 0 || hi > m.Rows {
		panic(fmt.Sprintf("kernels: product of rows %d to %d of %d × %d with activations of %d", lo, hi, m.Rows, m.Cols, a.Cols))
	}
	if rows == nil {
		rows = s.all(a.Rows)
	}
	if lo >= hi || len(rows) == 0 {
		return
	}
	dst = dst[:(len(rows)-1)*stride+hi-lo]
	if !m.Type.Rounds() {
		m.productFloat(dst, stride, a.X, rows, len(rows), lo, hi, grown(&s.row, m.Cols))
		return
	}
	if f := active.tiles[m.Type]; f != nil && (m.Packed == 0 || m.Packed == active.tileRows) {
		m.productTiles(f, dst, stride, a, rows, lo, hi, s)
		return
	}
	m.productPlain(dst, stride, a, rows, lo, hi, s)
}

// sweep is how many bytes of weights are multiplied with all activations before
// the next: they stay in the second level of cache, and some rows of activations in the
// first.
const sweep = 128 << 10

// productTiles computes a product tile by tile.
func (m *Matrix) productTiles(f []tileFunc, dst []float32, stride int, a *Activations, rows []int32, lo, hi int, s *Scratch) {
	tileRows := active.tileRows
	tile := tileRows * len(m.Data) / m.Rows
	for i := lo; i < hi; {
		first := i / tileRows * tileRows
		last := min(first+tileRows, m.Rows)
		if first < i || last > hi || last < first+tileRows {
			// A tile that is not wanted whole, or is not whole.
			edge := grown(&s.edge, len(rows)*tileRows)
			m.multiply(f, edge, tileRows, a, rows, m.tile(first, s), 1, s)
			last = min(last, hi)
			for r := range rows {
				copy(dst[r*stride+i-lo:r*stride+last-lo], edge[r*tileRows+i-first:])
			}
			i = last
			continue
		}
		if m.Packed == 0 {
			m.multiply(f, dst[i-lo:], stride, a, rows, m.tile(first, s), 1, s)
			i = last
			continue
		}
		last = hi / tileRows * tileRows
		m.multiply(f, dst[i-lo:], stride, a, rows, m.Data[first/tileRows*tile:last/tileRows*tile], (last-first)/tileRows, s)
		i = last
	}
}

// tile returns the packed tile of the rows from first on. Rows that the matrix does
// not have are zeros.
func (m *Matrix) tile(first int, s *Scratch) []byte {
	row, tileRows := len(m.Data)/m.Rows, active.tileRows
	if m.packed(first) {
		return m.Data[first*row : (first+tileRows)*row]
	}
	p := packings[m.Type]
	tile := grown(&s.tile, 2*tileRows*row)
	src := m.Data[first*row : min(first+tileRows, m.Rows)*row]
	if len(src) < tileRows*row {
		padded := tile[tileRows*row:]
		clear(padded[copy(padded, src):])
		src = padded
	}
	tile = tile[:tileRows*row]
	p.interleave(tile, src, row/p.size, tileRows)
	return tile
}

// multiply multiplies packed tiles with all rows, as many at a time as f can: those of
// a sweep with all of them before the next.
func (m *Matrix) multiply(f []tileFunc, dst []float32, stride int, a *Activations, rows []int32, w []byte, tiles int, s *Scratch) {
	weights, _ := m.Type.Block()
	size := len(w) / tiles
	passes := (len(rows) + len(f) - 1) / len(f)
	for lo, n := 0, 0; lo < tiles; lo += n {
		n = min(max(1, sweep/size), tiles-lo)
		for p := range passes {
			from, to := p*len(rows)/passes, (p+1)*len(rows)/passes
			for k, r := range rows[from:to] {
				s.x[k] = &a.row(int(r))[0].q[0]
			}
			f[to-from-1](&dst[from*stride+lo*active.tileRows], 4*stride, &w[lo*size], &s.x[0], m.Cols/weights, n)
		}
	}
}

// productFloat computes a product with weights of a float type and n rows of x, the
// first n if rows is nil. w is memory for a row of weights.
func (m *Matrix) productFloat(dst []float32, stride int, x []float32, rows []int32, n, lo, hi int, w []float32) {
	at := func(r int) []float32 {
		if rows != nil {
			r = int(rows[r])
		}
		return x[r*m.Cols : (r+1)*m.Cols]
	}
	f := active.dots[m.Type]
	if f == nil {
		for i := lo; i < hi; i++ {
			m.Row(w, i)
			for r := range n {
				dst[r*stride+i-lo] = Dot(w, at(r))
			}
		}
		return
	}
	row, eights := len(m.Data)/m.Rows, m.Cols/8
	step := max(4, sweep/row)
	for i := lo; i < hi; i += step {
		count := min(step, hi-i)
		for r := 0; r < n; r += 4 {
			k := min(4, n-r)
			var p [4]*float32
			for j := range k {
				p[j] = &at(r + j)[0]
			}
			f[k-1](&dst[r*stride+i-lo], 4*stride, &m.Data[i*row], row, p[0], p[1], p[2], p[3], eights, count)
		}
	}
	if from := 8 * eights; from < m.Cols {
		var rest [8]float32
		size := row / m.Cols
		for i := lo; i < hi; i++ {
			w := rest[:m.Cols-from]
			Dequantize(m.Type, w, m.Data[i*row+from*size:])
			for r := range n {
				d := &dst[r*stride+i-lo]
				*d = dotRest(*d, w, at(r)[from:])
			}
		}
	}
}
