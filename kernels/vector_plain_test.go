package kernels_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/kernels"
)

// fence is a vector with a border on both sides that nobody may write.
type fence struct {
	all []float32
	n   int
}

const (
	borderWidth = 72 // more than any vector register or unrolled loop takes
	borderValue = -8765.4321
)

func newFence(values []float32) *fence {
	f := &fence{all: make([]float32, len(values)+2*borderWidth), n: len(values)}
	for i := range f.all {
		f.all[i] = borderValue
	}
	copy(f.all[borderWidth:], values)
	return f
}

// values returns the vector itself. Its capacity ends with it.
func (f *fence) values() []float32 {
	return f.all[borderWidth : borderWidth+f.n : borderWidth+f.n]
}

// requireWhole fails if the border was written.
func (f *fence) requireWhole(t *testing.T, what string) {
	t.Helper()
	for i, v := range f.all {
		if (i < borderWidth || i >= borderWidth+f.n) && v != borderValue {
			t.Fatalf("%s: wrote %g at %d of a vector of %d", what, v, i-borderWidth, f.n)
		}
	}
}

// gaussians returns n normally distributed values.
func gaussians(r *rand.Rand, n int, scale float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(scale * r.NormFloat64())
	}
	return x
}

// requireNear compares with float64 results: got may be away from want by a
// share of it, or by least where that is more.
func requireNear(t *testing.T, want []float64, got []float32, share, least float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= math.Max(share*math.Abs(w), least)) {
			t.Fatalf("%s: value %d of %d is %g, want %g", what, i, len(want), got[i], w)
		}
	}
}

// Functions of an exponential may flush results this small to zero.
const subnormal = 1e-36

func TestRMSNormAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 101 {
		for _, scale := range []float64{1e-4, 1, 1e4} {
			x, weight := gaussians(r, n, scale), gaussians(r, n, 1)
			const eps = 1e-6
			sum := 0.0
			for _, v := range x {
				sum += float64(v) * float64(v)
			}
			want := make([]float64, n)
			for i := range want {
				want[i] = float64(x[i]) / math.Sqrt(sum/float64(n)+float64(float32(eps))) * float64(weight[i])
			}
			what := fmt.Sprintf("%d values of size %g", n, scale)
			dst, in, w := newFence(gaussians(r, n, 1)), newFence(x), newFence(weight)
			kernels.RMSNorm(dst.values(), in.values(), w.values(), eps)
			requireNear(t, want, dst.values(), 2e-6, 0, what)
			require.Equal(t, x, in.values(), what)
			require.Equal(t, weight, w.values(), what)
			apart := slices.Clone(dst.values())
			kernels.RMSNorm(in.values(), in.values(), w.values(), eps)
			require.Equal(t, apart, in.values(), "%s in place", what)
			for _, f := range []*fence{dst, in, w} {
				f.requireWhole(t, what)
			}
		}
	}
}

func TestRopeAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for half := range 51 {
		for _, rest := range []int{0, 1, 7, 32, 100} {
			x := gaussians(r, 2*half+rest, 3)
			sin, cos := make([]float32, half), make([]float32, half)
			want := make([]float64, len(x))
			for i, v := range x {
				want[i] = float64(v)
			}
			for j := range half {
				angle := 1e4 * r.Float64()
				s, c := math.Sincos(angle)
				sin[j], cos[j] = float32(s), float32(c)
				s, c = float64(sin[j]), float64(cos[j])
				a, b := want[j], want[half+j]
				want[j], want[half+j] = a*c-b*s, a*s+b*c
			}
			what := fmt.Sprintf("%d pairs and %d more", half, rest)
			head, c, s := newFence(x), newFence(cos), newFence(sin)
			kernels.Rope(head.values(), c.values(), s.values())
			requireNear(t, want, head.values(), 0, 3e-6, what)
			require.Equal(t, x[2*half:], head.values()[2*half:], what)
			require.Equal(t, cos, c.values(), what)
			require.Equal(t, sin, s.values(), what)
			for _, f := range []*fence{head, c, s} {
				f.requireWhole(t, what)
			}
		}
	}
}

func TestSoftmaxAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	for n := range 101 {
		for _, scale := range []float64{0, 1, 60} {
			for _, shift := range []float32{0, 1e4, -1e4} {
				x := gaussians(r, n, scale)
				high := math.Inf(-1)
				for i := range x {
					x[i] += shift
					high = math.Max(high, float64(x[i]))
				}
				want, sum := make([]float64, n), 0.0
				for i, v := range x {
					want[i] = math.Exp(float64(v) - high)
					sum += want[i]
				}
				for i := range want {
					want[i] /= sum
				}
				what := fmt.Sprintf("%d values of size %g around %g", n, scale, shift)
				f := newFence(x)
				kernels.Softmax(f.values())
				requireNear(t, want, f.values(), 4e-6, subnormal, what)
				f.requireWhole(t, what)
			}
		}
	}
}

// gates returns values for functions of an exponential: ordinary ones and, if
// there is room, those where it overflows or vanishes.
func gates(r *rand.Rand, n int) []float32 {
	x := gaussians(r, n, 4)
	for _, v := range []float32{0, 88, -88, 89, -89, 104, -104, 1e4, -1e4, 3e37, -3e37} {
		if n > 16 {
			x[r.IntN(n)] = v
		}
	}
	return x
}

func TestSiLUMulAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for n := range 101 {
		for range 4 {
			gate, up := gates(r, n), gaussians(r, n, 0.5)
			want := make([]float64, n)
			for i, g := range gate {
				want[i] = float64(g) / (1 + math.Exp(-float64(g))) * float64(up[i])
			}
			what := fmt.Sprintf("%d values", n)
			for _, in := range []string{"its own", "gate", "up"} {
				g, u, d := newFence(gate), newFence(up), newFence(gaussians(r, n, 1))
				switch in {
				case "gate":
					d = g
				case "up":
					d = u
				}
				kernels.SiLUMul(d.values(), g.values(), u.values())
				requireNear(t, want, d.values(), 3e-6, subnormal*100, what+" into "+in)
				for _, f := range []*fence{g, u, d} {
					f.requireWhole(t, what)
				}
			}
		}
	}
}

func TestSigmoidAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for n := range 101 {
		for range 4 {
			x := gates(r, n)
			want := make([]float64, n)
			for i, v := range x {
				want[i] = 1 / (1 + math.Exp(-float64(v)))
			}
			f, what := newFence(x), fmt.Sprintf("%d values", n)
			kernels.Sigmoid(f.values())
			requireNear(t, want, f.values(), 3e-6, subnormal, what)
			f.requireWhole(t, what)
		}
	}
}

// Sums of two have one correct value; a scaled one may be rounded once or twice.
func TestAddAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	for n := range 101 {
		a, b := gaussians(r, n, 2), gaussians(r, n, 1)
		dst, x, what := newFence(a), newFence(b), fmt.Sprintf("%d values", n)
		kernels.Add(dst.values(), x.values())
		for i := range n {
			require.Equal(t, float32(float64(a[i])+float64(b[i])), dst.values()[i], what)
		}
		require.Equal(t, b, x.values(), what)
		dst.requireWhole(t, what)
		x.requireWhole(t, what)

		for _, scale := range []float32{0, 1, -0.37, 1e-3, 512} {
			dst, x := newFence(a), newFence(b)
			kernels.AddScaled(dst.values(), x.values(), scale)
			for i, got := range dst.values() {
				product := float64(scale) * float64(b[i])
				limit := 1.2e-7 * (math.Abs(float64(a[i])) + math.Abs(product))
				require.InDelta(t, float64(a[i])+product, got, limit, "%s, scale %g", what, scale)
			}
			require.Equal(t, b, x.values(), what)
			dst.requireWhole(t, what)
			x.requireWhole(t, what)
		}
	}
}

func TestDotAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	for n := range 101 {
		for range 3 {
			w, x := gaussians(r, n, 1), gaussians(r, n+5, 1)
			sum, size := 0.0, 0.0
			for i := range w {
				sum += float64(w[i]) * float64(x[i])
				size += math.Abs(float64(w[i]) * float64(x[i]))
			}
			// x may be longer: what is behind the length of w does not count.
			got := kernels.Dot(newFence(w).values(), newFence(x).values())
			require.InDelta(t, sum, got, 1e-6*size, "%d values", n)
			require.Equal(t, got, kernels.Dot(newFence(w).values(), newFence(x[:n]).values()), "%d values", n)
		}
	}
}

// wantStats is the definition: sort the candidates, sum up the distribution.
func wantStats(logits []float32, exclude int32) (token int32, prob, second, entropy float64) {
	var order []int
	high := math.Inf(-1)
	for i, v := range logits {
		high = math.Max(high, float64(v))
		if int32(i) != exclude {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case logits[a] > logits[b]:
			return -1
		case logits[a] < logits[b]:
			return 1
		}
		return 0
	})
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - high)
	}
	p := func(i int) float64 { return math.Exp(float64(logits[i])-high) / sum }
	for i := range logits {
		if p(i) > 0 {
			entropy -= p(i) * math.Log(p(i))
		}
	}
	if len(order) > 1 {
		second = p(order[1])
	}
	return int32(order[0]), p(order[0]), second, entropy
}

func TestLogitStatsAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 8))
	check := func(logits []float32, exclude int32, what string) {
		t.Helper()
		token, prob, second, entropy := wantStats(logits, exclude)
		f := newFence(logits)
		got := kernels.LogitStats(f.values(), exclude)
		require.Equal(t, token, got.Token, what)
		requireNear(t, []float64{prob, second}, []float32{got.Prob, got.Second}, 1e-5, subnormal, what)
		requireNear(t, []float64{entropy}, []float32{got.Entropy}, 1e-5, 1e-5, what)
		require.Equal(t, logits, f.values(), what)
	}
	for n := 1; n <= 100; n++ {
		for _, scale := range []float64{0.1, 3, 40} {
			logits := gaussians(r, n, scale)
			for exclude := int32(-1); exclude < int32(n); exclude++ {
				if n > 1 || exclude < 0 {
					check(logits, exclude, fmt.Sprintf("%d logits of size %g without %d", n, scale, exclude))
				}
			}
			// Few different values: equals everywhere, and equal to the best.
			for i := range logits {
				logits[i] = float32(r.IntN(3))
			}
			if n > 1 {
				check(logits, int32(r.IntN(n+1)-1), fmt.Sprintf("%d logits with equals", n))
			}
		}
	}
	check(gaussians(r, 157184, 2), 156895, "a whole vocabulary")
}

// Whatever a damaged model computes, the token is one of the vocabulary: it is
// used as an index.
func TestLogitStatsOfNonFinite(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	odd := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	for n := 2; n <= 100; n++ {
		for _, some := range []int{1, n / 2, n, 10 * n} {
			for _, only := range []int{0, 1, 2, 3} {
				logits := gaussians(r, n, 1)
				for range some {
					v := odd[r.IntN(len(odd))]
					if only < len(odd) {
						v = odd[only]
					}
					logits[r.IntN(n)] = v
				}
				exclude := int32(r.IntN(n))
				token := kernels.LogitStats(logits, exclude).Token
				require.True(t, token >= 0 && int(token) < n && token != exclude, "%v without %d: token %d", logits, exclude, token)
			}
		}
	}
}

func TestVectorsDoNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 10))
	x, y, z := gaussians(r, 96, 1), gaussians(r, 96, 1), gaussians(r, 96, 1)
	require.Zero(t, testing.AllocsPerRun(10, func() {
		kernels.RMSNorm(z, x, y, 1e-6)
		kernels.Rope(z, x[:16], y[:16])
		kernels.Softmax(z)
		kernels.SiLUMul(z, x, y)
		kernels.Sigmoid(z)
		kernels.Add(z, x)
		kernels.AddScaled(z, x, 0.5)
		z[0] = kernels.Dot(x, y)
		z[1] = kernels.LogitStats(x, 3).Prob
	}))
}
