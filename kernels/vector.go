package kernels

// RMSNorm writes weight·x / sqrt(mean(x²) + eps) to dst; all three slices have
// the same length, and dst may be x.
func RMSNorm(dst, x, weight []float32, eps float32) {
	active.rmsNorm(dst[:len(x)], x, weight[:len(x)], eps)
}

// Rope rotates the first 2·len(cos) values of one head in place, pairing value
// j with value j+len(cos) (the half-split, "NEOX" form); the rest stay as they
// are. cos and sin are of the angles position·theta^(-2j/R), R = 2·len(cos).
func Rope(head, cos, sin []float32) {
	lo, hi := head[:len(cos)], head[len(cos):2*len(cos)]
	sin = sin[:len(cos)]
	for j, c := range cos {
		a, b, s := lo[j], hi[j], sin[j]
		lo[j] = a*c - b*s
		hi[j] = b*c + a*s
	}
}

// Softmax replaces x by exp(x) / Σ exp(x), in place.
func Softmax(x []float32) { active.softmax(x) }

// SiLUMul writes silu(gate)·up to dst, silu(g) = g / (1 + exp(-g)); dst may be
// either of them.
func SiLUMul(dst, gate, up []float32) { active.siluMul(dst[:len(gate)], gate, up[:len(gate)]) }

// Sigmoid replaces x by 1 / (1 + exp(-x)), in place.
func Sigmoid(x []float32) { active.sigmoid(x) }

// Add adds x to dst.
func Add(dst, x []float32) { active.addScaled(dst[:len(x)], x, 1) }

// AddScaled adds scale·x to dst, with a rounding of the product and one of the sum.
func AddScaled(dst, x []float32, scale float32) { active.addScaled(dst[:len(x)], x, scale) }

// Dot returns Σ w[k]·x[k] over the length of w. Eight sums are kept, of the k with
// the same remainder by 8; they are added in pairs four apart, then two apart, then
// the last two, and then what follows the last whole eight, one by one.
func Dot(w, x []float32) float32 { return active.dot(w, x[:len(w)]) }
