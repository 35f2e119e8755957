package runtime_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/runtime"
)

func TestAcceptThreshold(t *testing.T) {
	const no = -1 // not masked
	for _, c := range []struct {
		name      string
		conf      []float32
		quota     int
		threshold float32
		want      []int
	}{
		{"above the threshold, strictly", []float32{0.5, 0.96, 0.95, 0.99}, 1, 0.95, []int{1, 3}},
		{"none above: the best", []float32{0.5, 0.7, 0.6}, 1, 0.95, []int{1}},
		{"fewer above than the quota: topped up", []float32{0.5, 0.96, 0.6}, 2, 0.95, []int{1, 2}},
		{"the first of equals", []float32{0.6, 0.7, 0.7}, 1, 0.95, []int{1}},
		{"decided positions never", []float32{no, 0.3, no, 0.2}, 1, 0.95, []int{1}},
		{"a quota above the masks", []float32{no, 0.3, no, 0.2}, 3, 0.95, []int{1, 3}},
		{"quota 0, none above", []float32{0.5, 0.7}, 0, 0.95, nil},
		{"quota 0, one above", []float32{0.5, 0.97}, 0, 0.95, []int{1}},
		{"threshold 0 takes whatever has a probability", []float32{0, 0.1, no}, 1, 0, []int{1}},
		{"probability 0 can be the best", []float32{no, 0}, 1, 0, []int{1}},
		{"no masks", []float32{no, no}, 2, 0.5, nil},
	} {
		take := make([]bool, len(c.conf))
		for i := range take {
			take[i] = true // what a step before left
		}
		runtime.AcceptThreshold(take, c.conf, c.quota, c.threshold)
		var got []int
		for i, v := range take {
			if v {
				got = append(got, i)
			}
		}
		assert.Equal(t, c.want, got, c.name)
	}
}

// TestStepsDoNotAllocate runs many steps, for what a garbage collection allocates
// meanwhile counts, too; less than one allocation a step is none.
func TestStepsDoNotAllocate(t *testing.T) {
	m := loadTiny(t, gguf.Q8_0)
	for _, temperature := range []float64{0, 1} {
		o := m.Defaults()
		o.GenLength, o.Temperature = 64, temperature
		step, commit := m.Stepper(m.Tokenizer.Encode("How many pens are there?"), o)
		assert.Zero(t, testing.AllocsPerRun(20, step))
		assert.Zero(t, testing.AllocsPerRun(20, commit))
	}
}

// TestSampling: the seed decides, low temperatures give the greedy answer, and
// the filters leave out what they should.
func TestSampling(t *testing.T) {
	m := loadTiny(t, gguf.Q8_0)
	prompt := m.Tokenizer.Encode("<role>HUMAN</role>Count")
	answer := func(change func(*runtime.Options)) []int32 {
		o := m.Defaults()
		o.GenLength = 40
		change(&o)
		r, err := m.Generate(t.Context(), prompt, o)
		require.NoError(t, err)
		assert.NotContains(t, r.IDs, m.MaskID)
		return r.IDs
	}
	greedy := answer(func(*runtime.Options) {})
	hot := func(seed uint64) func(*runtime.Options) {
		return func(o *runtime.Options) { o.Temperature, o.Seed = 2, seed }
	}
	assert.Equal(t, answer(hot(1)), answer(hot(1)))
	assert.NotEqual(t, answer(hot(1)), answer(hot(2)))
	assert.NotEqual(t, greedy, answer(hot(1)))
	// Confidence is of the tempered distribution: near 0 all are sure at once.
	assert.Equal(t, answer(func(o *runtime.Options) { o.Steps = 1 }),
		answer(func(o *runtime.Options) { o.Temperature, o.TopK, o.TopP = 1e-6, 50, 0.9 }))
	// One candidate left is the greedy token, though its confidence is another.
	topOne := answer(func(o *runtime.Options) { o.Temperature, o.TopK, o.Steps, o.Threshold = 1, 1, 40, 1 })
	tiny := answer(func(o *runtime.Options) { o.Temperature, o.TopP, o.Steps, o.Threshold = 1, 1e-9, 40, 1 })
	assert.Equal(t, topOne, tiny)
}

func TestBadSettings(t *testing.T) {
	m := loadTiny(t, gguf.BF16)
	for name, change := range map[string]func(*runtime.Options){
		"block length 0":             func(o *runtime.Options) { o.BlockLength = 0 },
		"steps 0":                    func(o *runtime.Options) { o.Steps = 0 },
		"threshold 1.5":              func(o *runtime.Options) { o.Threshold = 1.5 },
		"generation length 0":        func(o *runtime.Options) { o.GenLength = 0 },
		"minimal top-k 65":           func(o *runtime.Options) { o.MinimalTopK = 65 },
		"temperature -1":             func(o *runtime.Options) { o.Temperature = -1 },
		"top-k -1":                   func(o *runtime.Options) { o.TopK = -1 },
		"top-p 2":                    func(o *runtime.Options) { o.TopP = 2 },
		`profile "fast"`:             func(o *runtime.Options) { o.Profile = "fast" },
		"4096 positions":             func(o *runtime.Options) { o.GenLength = 4096 },
		"exceed the model's":         func(o *runtime.Options) { o.GenLength = 1 << 62 },
		"in blocks of 4611686018427": func(o *runtime.Options) { o.BlockLength = 1 << 62 },
	} {
		o := m.Defaults()
		o.GenLength = 64
		change(&o)
		_, err := m.Generate(t.Context(), []int32{1, 2}, o)
		assert.ErrorContains(t, err, name)
	}
	for _, id := range []int32{-1, 1024} {
		_, err := m.Generate(t.Context(), []int32{1, id}, m.Defaults())
		assert.ErrorContains(t, err, "at position 1 is outside the vocabulary of 1024")
	}
}
