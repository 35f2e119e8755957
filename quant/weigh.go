package quant

import "math"

// weigh widens a block to x, with zeros for infinities and NaNs, and sets w to how
// much the square of each weight's error counts.
//
// Without importance all count the same: with inputs about which nothing is
// known, the error of a product is a sum of squared errors of weights. With it,
//
//	w = (importance + a thousandth of its mean)·sqrt(σ² + x²),  σ² the mean of x².
//
// The root is customary: importance comes from a sample, and an error in a large
// weight is the worse one to have misjudged. The share of the mean keeps columns
// that the sample never lit from being rounded at random. What is negative or not
// finite in importance counts as zero, and if all is zero, all count the same
// before the root.
func weigh(x, w []float64, src, importance []float32) {
	var squares float64
	for i, v := range src {
		x[i] = float64(finite(v))
		squares += float64(x[i] * x[i])
	}
	if importance == nil {
		for i := range w {
			w[i] = 1
		}
		return
	}
	squares /= float64(len(x))
	var mean float64
	for i, v := range importance {
		w[i] = float64(max(0, finite(v)))
		mean += w[i]
	}
	mean /= float64(len(x))
	share := mean / 1000
	if mean == 0 {
		share = 1
	}
	for i, x := range x {
		w[i] = (w[i] + share) * math.Sqrt(squares+float64(x*x))
	}
}
