package kernels

import (
	"fmt"
	"math"
	"unsafe"
)

const (
	// attendTile is how many positions attention takes at once, counted from the
	// first of all: their keys and values, widened once for all queries, and the
	// scores of a few of these stay in the caches next to a core.
	attendTile = 64
	// shareWhole is the share of a tile's greatest score where shares are whole
	// numbers, and valueLimit the greatest magnitude of values there: the sums of a
	// tile stay below 2^31.
	shareWhole = 8191
	valueLimit = 4095
)

// Attend computes attention: row r of dst, [len(rows), Cols], is the mean of the
// first n rows of values, weighted with the softmax of what row rows[r] of a
// gives when multiplied with the same rows of keys.
//
// Positions are taken by tiles of 64, counted from the first. Of a query, with s_p
// the scores of the tile and t the greatest, and with h, sum and acc, at first -∞, 0
// and 0, what the tiles before have left,
//
//	e_p = exp(s_p - t)    keep = exp(h - max(h, t))    share = exp(t - max(h, t))
//	sum = keep·sum + share·Σ e_p    acc = keep·acc + share·Σ e_p·v_p    h = max(h, t)
//
// and in the end acc / sum is the result (Milakov and Gimelshein, 2018; Dao et al.,
// 2022). It depends on the query, the keys and values and n alone.
//
// Where keys and values are of a type that does not keep numbers as they are
// computed, F16 or Q8_0, both products are computed in whole numbers, see
// roundWords: of rows of keys and queries, whose magnitudes are at most
// wordLimit(Cols), of columns of a tile of values, at most 4095, and with shares
// e_p in units of 1/8191. This rounds as finely as F16 does. Keys and values of
// type F32 are computed with as they are.
//
// keys and values have the same shape and type: F32, F16 or Q8_0. Calls may run at
// the same time, with a scratch each.
func Attend(dst []float32, a *Activations, rows []int32, keys, values *Matrix, n int, s *AttendScratch) {
	if (keys.Type != F32 && keys.Type != F16 && keys.Type != Q8_0) || keys.Type != values.Type || keys.Cols != values.Cols || a.Cols != keys.Cols || keys.Packed > 0 || values.Packed > 0 ||
		n <= 0 || n > min(keys.Rows, values.Rows) {
		panic(fmt.Sprintf("kernels: attention of queries of %d to %d positions of %d × %d and %d × %d, types %d and %d", a.Cols, n,
			keys.Rows, keys.Cols, values.Rows, values.Cols, uint32(keys.Type), uint32(values.Type)))
	}
	if len(rows) > 0 {
		active.attend(dst[:len(rows)*keys.Cols], a, rows, keys, values, n, s)
	}
}

// AttendScratch is memory that attention of one worker uses and uses again. The
// zero value is ready; it grows to what most queries need.
type AttendScratch struct {
	wide   []float32 // [tile, columns], keys or values as float32
	floats []float32 // keys in the order they are read
	scores []float32 // [six, tile]
	acc    []float32 // [queries, columns]
	six    []six     // of every six queries
	query  []float32 // [queries, columns]

	// Of whole numbers.
	keys, values       []int16
	shares             []int16 // [six, tile]
	words              []int16 // [queries, columns]
	keyScale, colScale []float32
}

// Reserve makes room for attention of up to n queries of cols values to keys and
// values of type t, which then allocates nothing.
func (s *AttendScratch) Reserve(t Type, n, cols int) {
	n, cols = n+7, (cols+15)&^15 // what implementations round up to
	grown(&s.wide, attendTile*cols)
	grown(&s.scores, 8*attendTile)
	grown(&s.acc, n*cols)
	grown(&s.six, n)
	grown(&s.query, n*cols)
	grown(&s.floats, attendTile*cols)
	if t == F32 {
		return
	}
	grown(&s.keys, 2*attendTile*cols)
	grown(&s.values, attendTile*cols)
	grown(&s.shares, 8*attendTile)
	grown(&s.words, n*cols)
	grown(&s.keyScale, attendTile)
	grown(&s.colScale, cols)
}

// AttendBytes returns how many bytes a scratch takes after Reserve(t, n, cols).
func AttendBytes(t Type, n, cols int) int {
	const float, word = 4, 2
	n, cols = n+7, (cols+15)&^15
	size := float*(2*attendTile*cols+8*attendTile+2*n*cols) + n*int(unsafe.Sizeof(six{}))
	if t != F32 {
		size += word*(3*attendTile*cols+8*attendTile+n*cols) + float*(attendTile+cols)
	}
	return size
}

// A six is the state of six queries. There is room for eight; assembly knows the
// offsets of the fields.
type six struct {
	high, sum, keep, share [8]float32 // as Attend names them
	top                    [8]float32 // t
	scale                  [8]float32 // of the queries, where they are whole numbers
}

// wordLimit returns the greatest magnitude of whole numbers whose products, cols of
// them, add up to less than 2^31.
func wordLimit(cols int) float32 {
	return min(float32(math.Floor(math.Sqrt(float64(math.MaxInt32)/float64(cols)))), math.MaxInt16)
}

// roundWords rounds x to whole numbers up to limit in magnitude, x ≈ scale·dst, with
// ties to even. A NaN or infinity makes scale a NaN.
func roundWords(dst []int16, x []float32, limit float32) (scale float32) {
	var most uint32 // compared as bits: NaNs are greater than infinity
	for _, v := range x {
		most = max(most, math.Float32bits(v)&^(1<<31))
	}
	amax := math.Float32frombits(most)
	if !(amax <= math.MaxFloat32) {
		clear(dst)
		return float32(math.NaN())
	}
	var inverse float32
	if amax >= 0x1p-100 { // limit over less may be infinite
		inverse = limit / amax
	}
	for i, v := range x {
		dst[i] = int16(math.RoundToEven(float64(v * inverse)))
	}
	return amax / limit
}
