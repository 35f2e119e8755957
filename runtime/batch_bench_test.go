package runtime_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/runtime"
)

// BenchmarkGenerate decodes 96 tokens of one sequence and of eight together, four
// tokens a step whatever the probabilities, with every saving and without some. The
// model is random, so that no answer ends early: four layers of mini's shape, or the
// file that LLADA_BENCH_MODEL names.
//
//	go test ./runtime -run '^$' -bench Generate
func BenchmarkGenerate(b *testing.B) {
	var m *runtime.Model
	if path := os.Getenv("LLADA_BENCH_MODEL"); path != "" {
		m = benchFile(b, path)
	} else {
		m = benchModel(b, benchShape(b, "mini", 4))
	}
	rng := rand.New(rand.NewPCG(3, 4))
	var prompts [8][]int32
	for i := range prompts {
		for range 64 {
			prompts[i] = append(prompts[i], rng.Int32N(int32(m.Config.Vocab-2)))
		}
	}
	for _, c := range []struct {
		name      string
		sequences int
		without   runtime.Without
	}{
		{"none", 1, runtime.Without{}},
		{"fused-commit", 1, runtime.Without{FusedCommit: true}},
		{"masked-logits", 1, runtime.Without{MaskedLogits: true}},
		{"pruned-layer", 1, runtime.Without{PrunedLayer: true}},
		{"none", 8, runtime.Without{}},
	} {
		b.Run(fmt.Sprintf("without=%s/sequences=%d", c.name, c.sequences), func(b *testing.B) {
			o := m.Defaults()
			o.GenLength, o.Threshold, o.Steps, o.Without = 96, 1, 8, c.without
			tokens := 0
			for b.Loop() {
				batch := m.NewBatch()
				var all []*runtime.Sequence
				for _, prompt := range prompts[:c.sequences] {
					q, err := batch.Add(prompt, o)
					require.NoError(b, err)
					all = append(all, q)
				}
				for batch.Len() > 0 {
					_, err := batch.Step(b.Context())
					require.NoError(b, err)
				}
				for _, q := range all {
					r, err := q.Result()
					require.NoError(b, err)
					tokens += len(r.IDs)
				}
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
