package runtime_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// TestQuantizedLogits reports what quantization costs, and fails when it costs
// more than it did when this was written.
//
// The figure is the median over positions of the relative RMS error of a row of
// logits. The golden checkpoints have random weights, where an error that sends
// a row to another expert changes that row altogether (by half or more), and
// which rows those are is chance: the median does not see them. Quantizing the
// same weights in NumPy and asking the oracle, whose activations are exact, gives
// 0.0220 and 0.3703 for wide: what is above that is the rounding of activations.
func TestQuantizedLogits(t *testing.T) {
	limits := map[string]float64{
		"wide/f16": 1e-4, "wide/q8_0": 0.0315, "wide/q4_0": 0.376,
		"tiny/f16": 1e-4, "tiny/q8_0": 0.0105, "tiny/q4_0": 0.0935,
	}
	var wide []int
	models := map[string]func(typ gguf.Type) *runtime.Model{
		"tiny": func(typ gguf.Type) *runtime.Model { return loadTiny(t, typ) },
	}
	for _, c := range golden(t) {
		if c.Name == "wide" {
			wide = c.Expected.Logits.IDs
			models[c.Name] = func(typ gguf.Type) *runtime.Model { return load(t, c.Dir, typ) }
		}
	}
	texts := map[string][][]int{"wide": {wide}}
	for _, x := range solved(t)[:40] { // of one alone, the median is chance
		texts["tiny"] = append(texts["tiny"], x.Prompt)
	}
	for name, open := range models {
		exact := open(gguf.F32)
		for _, typ := range []gguf.Type{gguf.F16, gguf.Q8_0, gguf.Q4_0} {
			key := fmt.Sprint(name, "/", typ)
			var errors []float64
			rounded := open(typ)
			for _, ids := range texts[name] {
				want := logits(t, exact, ids, 32)
				for r, row := range logits(t, rounded, ids, 32) {
					errors = append(errors, relativeRMS(row, widen(want[r])))
				}
			}
			slices.Sort(errors)
			median := errors[len(errors)/2]
			t.Logf("%s: relative RMS error of a row: median %.4f, largest %.4f", key, median, errors[len(errors)-1])
			assert.LessOrEqual(t, median, 1.1*limits[key], key)
		}
	}
}

func widen(row []float32) []float64 {
	out := make([]float64, len(row))
	for i, v := range row {
		out[i] = float64(v)
	}
	return out
}
