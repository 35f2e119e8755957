package runtime_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// withKV opens the file of a model with another type of keys and values.
func withKV(t *testing.T, m *runtime.Model, kv runtime.KV) *runtime.Model {
	t.Helper()
	other, err := runtime.Load(m.Paths()[0], runtime.LoadOptions{KV: kv})
	require.NoError(t, err)
	t.Cleanup(func() { other.Close() })
	require.Equal(t, kv, other.KV)
	return other
}

// TestKVDistance reports what rounding keys and values costs, and fails when it costs
// more than it did when this was written: as the relative RMS error of the logits of
// a position, the median and over all (an error that sends a token to another expert
// changes a row altogether), and as the share of positions with the same top token.
// The texts are problems with their answers, half of them masked.
func TestKVDistance(t *testing.T) {
	exact := loadTiny(t, gguf.F32)
	require.Equal(t, runtime.KVF32, exact.KV)
	var texts [][]int
	var want [][][]float32
	for _, x := range solved(t)[:40] {
		ids := append(append([]int{}, x.Prompt...), x.Tokens...)
		for i := len(x.Prompt); i < len(ids); i += 2 {
			ids[i] = int(exact.MaskID)
		}
		texts, want = append(texts, ids), append(want, logits(t, exact, ids, 32))
	}
	for kv, limit := range map[runtime.KV]struct{ median, all, agree float64 }{
		runtime.KVF16: {0.00016, 0.0086, 0.996}, runtime.KVQ8: {0.0033, 0.02, 0.985},
	} {
		m := withKV(t, exact, kv)
		var errors, gots, wants []float64
		same := 0.0
		for i, ids := range texts {
			for r, row := range logits(t, m, ids, 32) {
				errors = append(errors, relativeRMS(row, widen(want[i][r])))
				gots, wants = append(gots, widen(row)...), append(wants, widen(want[i][r])...)
				if argmax(row) == argmax(want[i][r]) {
					same++
				}
			}
		}
		var diff, sum float64
		for i, w := range wants {
			diff, sum = diff+(gots[i]-w)*(gots[i]-w), sum+w*w
		}
		slices.Sort(errors)
		median, all, agree := errors[len(errors)/2], math.Sqrt(diff/sum), same/float64(len(errors))
		t.Logf("%s: relative RMS error: median %.2g, of all %.2g; same top token at %.2f %% of %d positions", kv, median, all, 100*agree, len(errors))
		assert.LessOrEqual(t, median, 1.1*limit.median, kv)
		assert.LessOrEqual(t, all, 1.3*limit.all, kv)
		assert.GreaterOrEqual(t, agree, limit.agree, kv)
	}
}

// TestKVIsExact: with keys and values of every type, cached and recomputed runs give
// the same, and steps allocate nothing.
func TestKVIsExact(t *testing.T) {
	first := loadTiny(t, gguf.Q8_0)
	rng := rand.New(rand.NewPCG(41, 1))
	for _, kv := range []runtime.KV{runtime.KVF32, runtime.KVF16, runtime.KVQ8} {
		m := withKV(t, first, kv)
		for _, length := range []int{0, 45, 100} {
			o := m.Defaults()
			o.GenLength, o.Threshold = 70, 0.5
			both(t, m, window(rng, m, length, 0), o, fmt.Sprint(kv, length))
		}
		o := m.Defaults()
		o.GenLength = 64
		step, commit := m.Stepper(window(rng, m, 70, 0), o)
		require.Zero(t, testing.AllocsPerRun(3, step), kv)
		require.Zero(t, testing.AllocsPerRun(3, commit), kv)
	}
}

func TestKVOfNarrowHeads(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.F32)
	require.NotZero(t, m.Config.HeadDim%32)
	_, err := runtime.Load(m.Paths()[0], runtime.LoadOptions{KV: runtime.KVQ8})
	require.ErrorContains(t, err, fmt.Sprintf("q8_0 need heads of a multiple of 32 values; this model's have %d", m.Config.HeadDim))
	_, err = runtime.Load(m.Paths()[0], runtime.LoadOptions{KV: "q9"})
	require.ErrorContains(t, err, `"q9" is not one of f32, f16, q8_0`)
}
