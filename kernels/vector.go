package kernels

import "math"

// RMSNorm writes weight·x / sqrt(mean(x²) + eps) to dst; all three slices have
// the same length, and dst may be x.
func RMSNorm(dst, x, weight []float32, eps float32) {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	scale := float32(1 / math.Sqrt(sum/float64(len(x))+float64(eps)))
	for i, v := range x {
		dst[i] = v * scale * weight[i]
	}
}

// Rope rotates the first 2·len(cos) values of one head in place, pairing value
// j with value j+len(cos) (the half-split, "NEOX" form); the rest stay as they
// are. cos and sin are of the angles position·theta^(-2j/R), R = 2·len(cos).
func Rope(head, cos, sin []float32) {
	lo, hi := head[:len(cos)], head[len(cos):2*len(cos)]
	for j, c := range cos {
		a, b, s := lo[j], hi[j], sin[j]
		lo[j] = a*c - b*s
		hi[j] = b*c + a*s
	}
}

// Softmax replaces x by exp(x) / Σ exp(x), in place.
func Softmax(x []float32) {
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

// SiLUMul writes silu(gate)·up to dst, silu(g) = g / (1 + exp(-g)); dst may be
// either of them.
func SiLUMul(dst, gate, up []float32) {
	for i, g := range gate {
		dst[i] = g / (1 + float32(math.Exp(float64(-g)))) * up[i]
	}
}

// Sigmoid replaces x by 1 / (1 + exp(-x)), in place.
func Sigmoid(x []float32) {
	for i, v := range x {
		x[i] = float32(1 / (1 + math.Exp(float64(-v))))
	}
}

// Add adds x to dst.
func Add(dst, x []float32) {
	for i, v := range x {
		dst[i] += v
	}
}

// AddScaled adds scale·x to dst.
func AddScaled(dst, x []float32, scale float32) {
	for i, v := range x {
		dst[i] += scale * v
	}
}

// Stats describes the softmax of one row of logits.
type Stats struct {
	Token   int32   // the most probable token, the lowest id of equals
	Prob    float32 // its probability
	Second  float32 // the probability of the next most probable one
	Entropy float32 // of the whole distribution, in nats
}

// LogitStats reads one row of logits. The token exclude (-1 for none) is never
// chosen as Token nor counted as Second, but keeps its share of the softmax.
func LogitStats(logits []float32, exclude int32) Stats {
	best, second, token := math.Inf(-1), math.Inf(-1), int32(-1)
	high := math.Inf(-1)
	for i, v := range logits {
		z := float64(v)
		high = max(high, z)
		if int32(i) == exclude {
			continue
		}
		if z > best || token < 0 {
			best, second, token = z, best, int32(i)
		} else if z > second {
			second = z
		}
	}
	var sum, weighted float64
	for _, v := range logits {
		z := float64(v) - high
		e := math.Exp(z)
		sum += e
		weighted += e * z
	}
	return Stats{
		Token:   token,
		Prob:    float32(math.Exp(best-high) / sum),
		Second:  float32(math.Exp(second-high) / sum),
		Entropy: float32(math.Log(sum) - weighted/sum),
	}
}
