package kernels

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// ulps returns how far got is from want in units of want's last place as a float32.
func ulps(got float32, want float64) float64 {
	w := float32(want)
	if got == w || got != got && want != want {
		return 0
	}
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

// exponentials calls f with 4096 values at a time from the whole range in which
// exponentials are neither zero nor infinite, and beyond.
func exponentials(f func(x []float32)) {
	step := float32(0x1p-9)
	if os.Getenv("LLADA_TEST_FULL") == "1" {
		step = 0x1p-14
	}
	x := make([]float32, 0, 4096)
	for v := float32(-110); v < 95; v += step {
		if x = append(x, v); len(x) == cap(x) {
			f(x)
			x = x[:0]
		}
	}
	f(append(x[:0], 0, 1e-30, -1e-30, 88.72283, 88.722839, 88.8, -87.3, -87.4, -103.9, -103.98, -104, -1e30, 1e30,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())))
}

// What is made of exponentials is within 3 ulps.
func TestSigmoidAndSiLU(t *testing.T) {
	each(t, func(t *testing.T) {
		most := map[string]float64{}
		note := func(what string, got float32, want, x float64) {
			most[what] = max(most[what], ulps(got, want))
			require.LessOrEqual(t, most[what], map[string]float64{"sigmoid": 2.5, "silu": 3}[what], "%s of %g: %g, not %g", what, x, got, want)
		}
		exponentials(func(x []float32) {
			s := slices.Clone(x)
			Sigmoid(s)
			up, dst := make([]float32, len(x)), make([]float32, len(x))
			for i := range up {
				up[i] = 1
			}
			SiLUMul(dst, x, up)
			for i, v := range x {
				e := math.Exp(-float64(v))
				if v > -88.7 || v < -105 { // between, 1 + exp(-x) is an infinity too soon
					note("sigmoid", s[i], 1/(1+e), float64(v))
				}
				if v > -88.7 {
					note("silu", dst[i], float64(v)/(1+e), float64(v))
				}
			}
		})
		t.Log(most)
	})
}

// What follows whole vectors is computed as they are.
func TestRestsAreAlike(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(4, 1))
		x, y := make([]float32, 64), make([]float32, 64)
		for i := range x {
			x[i], y[i] = float32(4*r.NormFloat64()), float32(r.NormFloat64())
		}
		silu, sigmoid := make([]float32, 64), slices.Clone(x)
		SiLUMul(silu, x, y)
		Sigmoid(sigmoid)
		for lo := range 64 {
			for hi := lo; hi <= 64; hi++ {
				dst, s := make([]float32, hi-lo), slices.Clone(x[lo:hi])
				SiLUMul(dst, x[lo:hi], y[lo:hi])
				Sigmoid(s)
				require.Equal(t, silu[lo:hi], dst)
				require.Equal(t, sigmoid[lo:hi], s)
			}
		}
	})
}

// Of these the order is fixed and every product exact or rounded: they are the same
// everywhere.
func TestVectorsAreThePlainOnes(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(4, 2))
		for n := range 101 {
			x, w := make([]float32, n), make([]float32, n)
			for i := range x {
				x[i], w[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
			}
			want, got := make([]float32, n), make([]float32, n)
			rmsNormPlain(want, x, w, 1e-6)
			RMSNorm(got, x, w, 1e-6)
			require.Equal(t, want, got)
			addScaledPlain(want, x, 0.3)
			AddScaled(got, x, 0.3)
			require.Equal(t, want, got)
			if n > 0 {
				for _, v := range []float32{float32(math.NaN()), float32(math.Inf(-1)), float32(math.Inf(1)), 0} {
					y := slices.Clone(x)
					for range r.IntN(n) + 1 {
						y[r.IntN(n)] = v
					}
					at, best, second := greatestPlain(y)
					gotAt, gotBest, gotSecond := active.greatest(y)
					require.Equal(t, []any{at, best, second}, []any{gotAt, gotBest, gotSecond}, "%v", y)
				}
			}
		}
	})
}

// Partials of whatever ranges give the statistics of the whole.
func TestPartialStats(t *testing.T) {
	each(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(4, 3))
		near := func(want, got float64) {
			require.InDelta(t, want, got, 1e-5*math.Abs(want)+1e-7)
		}
		for range 2000 {
			logits := make([]float32, 2+r.IntN(300))
			scale := []float64{0.1, 3, 30}[r.IntN(3)]
			for i := range logits {
				logits[i] = float32(scale * r.NormFloat64())
				if r.IntN(4) == 0 {
					logits[i] = float32(math.Inf(-1))
				}
				if r.IntN(3) == 0 {
					logits[i] = float32(r.IntN(3)) // equals
				}
			}
			logits[r.IntN(len(logits))] = 1
			exclude := int32(r.IntN(len(logits)+1) - 1)
			var p Partial
			for lo := 0; lo < len(logits); {
				hi := min(lo+1+r.IntN(60), len(logits))
				q := PartialStats(logits[lo:hi], int32(lo), exclude)
				p.Merge(&q)
				lo = hi
			}
			var sum, high, best, second float64
			high, best, second = math.Inf(-1), math.Inf(-1), math.Inf(-1)
			token := int32(-1)
			for i, v := range logits {
				high = max(high, float64(v))
				if int32(i) == exclude {
					continue
				}
				if float64(v) > best || token < 0 {
					token, best, second = int32(i), float64(v), best
				} else {
					second = max(second, float64(v))
				}
			}
			entropy := 0.0
			for _, v := range logits {
				sum += math.Exp(float64(v) - high)
			}
			for _, v := range logits {
				if q := math.Exp(float64(v)-high) / sum; q > 0 {
					entropy -= q * math.Log(q)
				}
			}
			s := p.Stats()
			require.Equal(t, token, s.Token)
			near(math.Exp(best-high)/sum, float64(s.Prob))
			near(math.Exp(second-high)/sum, float64(s.Second))
			near(entropy, float64(s.Entropy))
			near(high+math.Log(sum), p.LogSumExp())
		}
	})
}
