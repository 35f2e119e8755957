package kernels

import "math"

// productPlain computes rows lo to hi of a product with activations rounded to
// blocks. It is the specification of every other way.
func (m *Matrix) productPlain(dst []float32, stride int, a *Activations, rows []int32, lo, hi int, s *Scratch) {
	w := s.numbersOf(m.Cols / blockLen)
	for i := lo; i < hi; i++ {
		m.numbers(w, i)
		for r, from := range rows {
			dst[r*stride+i-lo] = dotNumbers(w, a.row(int(from)))
		}
	}
}

// numbers decodes row i.
func (m *Matrix) numbers(dst []numbers, i int) {
	weights, size := m.Type.Block()
	n := weights / blockLen
	var raw [256]byte
	for b := range len(dst) / n {
		decode(m.Type, dst[b*n:(b+1)*n], m.block(&raw, i, b)[:size])
	}
}

// block returns block b of row i as it is in a file. Where the row is packed, it
// is written to raw.
func (m *Matrix) block(raw *[256]byte, i, b int) []byte {
	_, size := m.Type.Block()
	row := len(m.Data) / m.Rows
	if !m.packed(i) {
		return m.Data[i*row+b*size:][:size]
	}
	tile := m.Data[i/m.Packed*m.Packed*row:][:m.Packed*row]
	packings[m.Type].unpack(raw[:size], tile, m.Packed, b, i%m.Packed)
	return raw[:size]
}

// packed reports whether row i is in a packed tile.
func (m *Matrix) packed(i int) bool { return m.Packed > 0 && i < m.Rows/m.Packed*m.Packed }

// dotNumbers returns the sum of a row.
func dotNumbers(w []numbers, x []block) float32 {
	var sum float32
	x = x[:len(w)]
	for i := range w {
		w, x := &w[i], &x[i]
		var s [2]int32
		for k, q := range w.q[:16] {
			s[0] += int32(q) * int32(x.q[k])
			s[1] += int32(w.q[16+k]) * int32(x.q[16+k])
		}
		sum = fma(w.d*x.scale, float32(w.factor[0]*s[0]+w.factor[1]*s[1]), sum)
		if w.offset[0] == w.offset[1] {
			sum = fma(w.offset[0], x.sum, sum)
			continue
		}
		for h, offset := range w.offset {
			sum = fma(offset, x.scale*float32(x.halfs[h]), sum)
		}
	}
	return sum
}

// fma returns a·b + c, rounded once: what processors do with one instruction, and
// Go has for float64 only.
func fma(a, b, c float32) float32 {
	p := float64(a) * float64(b) // exact
	s := p + float64(c)
	// Rounding s again goes wrong only where s is half way between two float32
	// and was itself rounded to get there.
	if bits := math.Float64bits(s); bits&(1<<29-1) == 1<<28 {
		t := s - p
		if rest := (p - (s - t)) + (float64(c) - t); rest != 0 {
			if rest > 0 == (s > 0) {
				bits++
			} else {
				bits--
			}
			s = math.Float64frombits(bits)
		}
	}
	return float32(s)
}
