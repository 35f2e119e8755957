package kernels

import "math"

// SubBlocks are the 32 weights of each of eight sub-blocks of a Q4_K or Q5_K block,
// the k-th of all of them side by side: [k][sub-block]. Package quant searches for
// their scales; what it does there again and again is here. A code is the whole
// number of 0 to hi that is nearest to a value, of two the even one.
type SubBlocks [blockLen][8]float64

// Sums writes, for the codes of (x-m)·id, the sums of the codes, of their squares and
// of x times them.
func (x *SubBlocks) Sums(q, qq, xq, id, m *[8]float64, hi float64) {
	active.lineSums(x, id, m, hi, q, qq, xq)
}

// Errors writes the sums of (x+m - d·code)², for the codes of (x+m)·id.
func (x *SubBlocks) Errors(errors, d, id, m *[8]float64, hi float64) {
	active.lineErrors(x, id, m, hi, d, errors)
}

// Codes writes the codes of (x+m)·id.
func (x *SubBlocks) Codes(codes *[blockLen][8]int8, id, m *[8]float64, hi float64) {
	active.lineCodes(x, id, m, hi, codes)
}

func lineSumsPlain(x *SubBlocks, id, m *[8]float64, hi float64, q, qq, xq *[8]float64) {
	*q, *qq, *xq = [8]float64{}, [8]float64{}, [8]float64{}
	for k := range x {
		for j, v := range x[k] {
			// All products are exact: to fuse them with the sums changes nothing.
			c := nearest((v-m[j])*id[j], hi)
			q[j] += c
			qq[j] += c * c
			xq[j] += c * v
		}
	}
}

func lineErrorsPlain(x *SubBlocks, id, m *[8]float64, hi float64, d, errors *[8]float64) {
	*errors = [8]float64{}
	for k := range x {
		for j, v := range x[k] {
			v += m[j]
			v -= float64(d[j] * nearest(v*id[j], hi))
			errors[j] += float64(v * v)
		}
	}
}

func lineCodesPlain(x *SubBlocks, id, m *[8]float64, hi float64, codes *[blockLen][8]int8) {
	for k := range x {
		for j, v := range x[k] {
			codes[k][j] = int8(nearest((v+m[j])*id[j], hi))
		}
	}
}

func nearest(v, hi float64) float64 { return math.RoundToEven(min(max(v, 0), hi)) }
