package kernels

import "fmt"

// Matrix is a weight matrix in the layout of a file: a view, usually into a
// mapped one. The zero value has no rows.
type Matrix struct {
	Type Type
	Rows int    // output features
	Cols int    // input features
	Data []byte // Rows rows of RowBytes(Cols) bytes
}

// NewMatrix checks that data holds exactly rows × cols weights of layout t.
func NewMatrix(t Type, rows, cols int, data []byte) (Matrix, error) {
	row, err := t.RowBytes(cols)
	if err != nil {
		return Matrix{}, err
	}
	if rows < 0 || cols <= 0 || len(data)/row != rows || len(data)%row != 0 {
		return Matrix{}, fmt.Errorf("kernels: %d bytes are not %d rows of %d weights", len(data), rows, cols)
	}
	return Matrix{Type: t, Rows: rows, Cols: cols, Data: data}, nil
}

// Row dequantizes row i into dst, which has Cols values.
func (m *Matrix) Row(dst []float32, i int) {
	row := len(m.Data) / m.Rows
	Dequantize(m.Type, dst[:m.Cols], m.Data[i*row:(i+1)*row])
}

// Mul multiplies weight rows lo to hi with n rows of activations:
//
//	dst[r·Rows+i] = Σ_k m[i,k]·x[r·Cols+k]   for r < n, lo <= i < hi
//
// x is [n, Cols], dst is [n, Rows], and scratch holds Cols values. Disjoint
// ranges of weight rows may be computed at the same time.
func (m *Matrix) Mul(dst, x []float32, n, lo, hi int, scratch []float32) {
	w := scratch[:m.Cols]
	for i := lo; i < hi; i++ {
		m.Row(w, i)
		r := 0
		for ; r+4 <= n; r += 4 {
			k := r * m.Cols
			s0, s1, s2, s3 := dot4(w, x[k:], x[k+m.Cols:], x[k+2*m.Cols:], x[k+3*m.Cols:])
			d := dst[r*m.Rows+i:]
			d[0], d[m.Rows], d[2*m.Rows], d[3*m.Rows] = s0, s1, s2, s3
		}
		for ; r < n; r++ {
			dst[r*m.Rows+i] = Dot(w, x[r*m.Cols:])
		}
	}
}

// Dot returns Σ w[k]·x[k] over the length of w, even and odd elements summed
// apart: two chains of additions keep the processor busy, and dot4 has the same
// order.
func Dot(w, x []float32) float32 {
	x = x[:len(w)]
	var even, odd float32
	k := 0
	for ; k+2 <= len(w); k += 2 {
		even += w[k] * x[k]
		odd += w[k+1] * x[k+1]
	}
	if k < len(w) {
		even += w[k] * x[k]
	}
	return even + odd
}

// dot4 is Dot of one w with four vectors, each w loaded once.
func dot4(w, x0, x1, x2, x3 []float32) (s0, s1, s2, s3 float32) {
	x0, x1, x2, x3 = x0[:len(w)], x1[:len(w)], x2[:len(w)], x3[:len(w)]
	var e0, e1, e2, e3, o0, o1, o2, o3 float32
	k := 0
	for ; k+2 <= len(w); k += 2 {
		a, b := w[k], w[k+1]
		e0 += a * x0[k]
		e1 += a * x1[k]
		e2 += a * x2[k]
		e3 += a * x3[k]
		o0 += b * x0[k+1]
		o1 += b * x1[k+1]
		o2 += b * x2[k+1]
		o3 += b * x3[k+1]
	}
	if k < len(w) {
		a := w[k]
		e0 += a * x0[k]
		e1 += a * x1[k]
		e2 += a * x2[k]
		e3 += a * x3[k]
	}
	return e0 + o0, e1 + o1, e2 + o2, e3 + o3
}
