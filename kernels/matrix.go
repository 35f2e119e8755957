package kernels

import (
	"fmt"
	"math"
)

// Matrix is a weight matrix: a view, usually into a mapped file. The zero value
// has no rows.
type Matrix struct {
	Type   Type
	Rows   int    // output features
	Cols   int    // input features
	Data   []byte // Rows rows of RowBytes(Cols) bytes
	Packed int    // how many rows are interleaved, see Pack; none if zero
}

// NewMatrix checks that data holds exactly rows × cols weights of layout t, in the
// layout of a file.
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

// NewPackedMatrix is NewMatrix for data that [Matrix.Pack] has written, while the
// implementation in use was the one that is now.
func NewPackedMatrix(t Type, rows, cols int, data []byte) (Matrix, error) {
	m, err := NewMatrix(t, rows, cols, data)
	if err != nil {
		return Matrix{}, err
	}
	if !t.Packs() {
		return Matrix{}, fmt.Errorf("kernels: rows of type %d cannot be packed", uint32(t))
	}
	m.Packed = active.tileRows
	return m, nil
}

// Row dequantizes row i into dst, which has Cols values.
func (m *Matrix) Row(dst []float32, i int) {
	dst = dst[:m.Cols]
	if !m.packed(i) {
		row := len(m.Data) / m.Rows
		dequantize(m.Type, dst, m.Data[i*row:(i+1)*row])
		return
	}
	var raw [256]byte
	weights, size := m.Type.Block()
	for b := range m.Cols / weights {
		dequantize(m.Type, dst[b*weights:(b+1)*weights], m.block(&raw, i, b)[:size])
	}
}

// Mul multiplies weight rows lo to hi with n rows of activations:
//
//	dst[r·Rows+i] = Σ_k m[i,k]·x[r·Cols+k]   for r < n, lo <= i < hi
//
// x is [n, Cols], dst is [n, Rows], and scratch holds Cols values. Disjoint
// ranges of weight rows may be computed at the same time.
//
// Activations are what they are, whatever the type of the weights: this is the
// exact and slow way, and [Matrix.Product] the fast one.
func (m *Matrix) Mul(dst, x []float32, n, lo, hi int, scratch []float32) {
	w := scratch[:m.Cols]
	if !m.Type.Rounds() && lo < hi && n > 0 {
		m.productFloat(dst[lo:], m.Rows, x, nil, n, lo, hi, w)
		return
	}
	for i := lo; i < hi; i++ {
		m.Row(w, i)
		for r := range n {
			dst[r*m.Rows+i] = Dot(w, x[r*m.Cols:])
		}
	}
}

// SetRow rounds x, which has Cols values, to row i. m is of type F32, F16 or Q8_0
// and not packed.
func (m *Matrix) SetRow(i int, x []float32) {
	row := len(m.Data) / m.Rows
	dst, x := m.Data[i*row:(i+1)*row], x[:m.Cols]
	switch {
	case m.Packed > 0:
		panic("kernels: a row of a packed matrix cannot be written")
	case m.Type == F32:
		for k, v := range x {
			le.PutUint32(dst[4*k:], math.Float32bits(v))
		}
	case m.Type == F16:
		NarrowF16(dst, x)
	case m.Type == Q8_0:
		QuantizeQ8_0(dst, x)
	default:
		panic(fmt.Sprintf("kernels: a row of type %d cannot be written", uint32(m.Type)))
	}
}
