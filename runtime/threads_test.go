package runtime_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// reload opens the file of a model with another number of workers.
func reload(t *testing.T, m *runtime.Model, threads int) *runtime.Model {
	t.Helper()
	other, err := runtime.Load(m.Paths()[0], runtime.LoadOptions{Threads: threads})
	require.NoError(t, err)
	t.Cleanup(func() { other.Close() })
	require.Equal(t, threads, other.Threads())
	return other
}

// TestThreadsDoNotAllocate: neither a denoising step nor a commit, on one worker
// or on several, in the first block or a later one.
func TestThreadsDoNotAllocate(t *testing.T) {
	for _, typ := range []gguf.Type{gguf.F32, gguf.Q8_0, gguf.Q4_0} {
		first := load(t, golden(t)[0].Dir, typ)
		for _, threads := range []int{1, 2, 5} {
			m := reload(t, first, threads)
			for _, prompt := range []int{0, 70} {
				o := m.Defaults()
				o.GenLength = 64
				step, commit := m.Stepper(window(rand.New(rand.NewPCG(11, 1)), m, prompt, 0), o)
				require.Zero(t, testing.AllocsPerRun(10, step), "step: %s, %d threads, prompt of %d", typ, threads, prompt)
				require.Zero(t, testing.AllocsPerRun(10, commit), "commit: %s, %d threads, prompt of %d", typ, threads, prompt)
			}
		}
	}
}

// TestThreadsChangeNothing: not a bit of the logits, no token, no step.
func TestThreadsChangeNothing(t *testing.T) {
	for _, typ := range []gguf.Type{gguf.BF16, gguf.Q4_0} {
		first := load(t, golden(t)[0].Dir, typ)
		ids := window(rand.New(rand.NewPCG(11, 2)), first, 100, 0.2)
		var logits [][]float32
		var answers []string
		for _, threads := range []int{1, 2, 5} {
			m := reload(t, first, threads)
			rows := wholeLogits(t, m, ids, 32)
			if logits == nil {
				logits = rows
			}
			require.True(t, slices.EqualFunc(logits, rows, slices.Equal), "%s, %d threads", typ, threads)
			for i, temperature := range []float64{0, 0.8} {
				o := m.Defaults()
				o.GenLength, o.Temperature, o.Seed = 30, temperature, 3
				got, err := m.Generate(t.Context(), ids[:45], o)
				require.NoError(t, err)
				text := fmt.Sprint(got.IDs, got.StepsPerBlock, got.Finish)
				if len(answers) <= i {
					answers = append(answers, text)
				}
				require.Equal(t, answers[i], text, "%s, %d threads, temperature %g", typ, threads, temperature)
			}
		}
	}
}
