package kernels

import "math"

func rmsNormPlain(dst, x, weight []float32, eps float32) {
	// Squares are exact in float64.
	var s [8]float64
	k := 0
	for ; k+8 <= len(x); k += 8 {
		for j, v := range x[k : k+8] {
			s[j] += float64(v) * float64(v)
		}
	}
	scale := rmsScale(&s, x[k:], len(x), eps)
	for i, v := range x {
		dst[i] = v * scale * weight[i]
	}
}

// rmsScale returns 1 / sqrt(mean + eps) of n values, of which eight sums of squares
// are known and rest are to follow.
func rmsScale(s *[8]float64, rest []float32, n int, eps float32) float32 {
	sum := ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
	for _, v := range rest {
		sum += float64(v) * float64(v)
	}
	return float32(1 / math.Sqrt(sum/float64(n)+float64(eps)))
}

func softmaxPlain(x []float32) {
	high := float32(math.Inf(-1))
	for _, v := range x {
		high = max(high, v)
	}
	var sum float32
	for i, v := range x {
		e := float32(math.Exp(float64(v - high)))
		x[i] = e
		sum += e
	}
	for i := range x {
		x[i] /= sum
	}
}

func siluMulPlain(dst, gate, up []float32) {
	for i, g := range gate {
		dst[i] = g / (1 + float32(math.Exp(float64(-g)))) * up[i]
	}
}

func sigmoidPlain(x []float32) {
	for i, v := range x {
		x[i] = float32(1 / (1 + math.Exp(float64(-v))))
	}
}

func addScaledPlain(dst, x []float32, scale float32) {
	for i, v := range x {
		dst[i] += float32(scale * v)
	}
}

func dotPlain(w, x []float32) float32 {
	x = x[:len(w)]
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	k := 0
	for ; k+8 <= len(w); k += 8 {
		w, x := (*[8]float32)(w[k:]), (*[8]float32)(x[k:])
		s0 += w[0] * x[0]
		s1 += w[1] * x[1]
		s2 += w[2] * x[2]
		s3 += w[3] * x[3]
		s4 += w[4] * x[4]
		s5 += w[5] * x[5]
		s6 += w[6] * x[6]
		s7 += w[7] * x[7]
	}
	return dotRest(((s0+s4)+(s2+s6))+((s1+s5)+(s3+s7)), w[k:], x[k:])
}

// dotRest adds the products of w and x one by one.
func dotRest(sum float32, w, x []float32) float32 {
	for k, v := range w {
		sum += float32(v * x[k])
	}
	return sum
}
