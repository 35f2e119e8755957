package kernels

import "fmt"

// Mix adds weighted sums of rows lo to hi of m to n rows of dst:
//
//	dst[r·stride+k] += Σ_p a[r·astride+p-lo]·m[p,k]   for lo <= p < hi, r < n, k < Cols
//
// The rows of m are added one after the other, so that each result depends on its
// row of a alone, and so that ranges may follow each other. m is of a float type and
// not packed. Of attention, it is the half that [Matrix.Product] with the keys is
// not.
func (m *Matrix) Mix(dst []float32, stride int, a []float32, astride, n, lo, hi int) {
	if m.Type.Rounds() || lo < 0 || hi > m.Rows {
		panic(fmt.Sprintf("kernels: mix of rows %d to %d of %d of type %d", lo, hi, m.Rows, uint32(m.Type)))
	}
	if n <= 0 || lo >= hi {
		return
	}
	dst, a = dst[:(n-1)*stride+m.Cols], a[:(n-1)*astride+hi-lo]
	active.mix(m, dst, stride, a, astride, n, lo, hi)
}

func mixPlain(m *Matrix, dst []float32, stride int, a []float32, astride, n, lo, hi int) {
	mixColumns(m, dst, stride, a, astride, n, lo, hi, 0)
}

// mixColumns is Mix of the columns from the given one on.
func mixColumns(m *Matrix, dst []float32, stride int, a []float32, astride, n, lo, hi, from int) {
	row := len(m.Data) / m.Rows
	size := row / m.Cols
	for p := lo; p < hi; p++ {
		var w [64]float32
		for k := from; k < m.Cols; k += len(w) {
			w := w[:min(len(w), m.Cols-k)]
			Dequantize(m.Type, w, m.Data[p*row+k*size:])
			for r := range n {
				addScaledPlain(dst[r*stride+k:], w, a[r*astride+p-lo])
			}
		}
	}
}
