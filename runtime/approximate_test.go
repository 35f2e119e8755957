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
	"lladakit/kernels"
	"lladakit/runtime"
)

// TestApproximationsKeepTheContextExact: whatever is approximate within a block, the
// keys and values of finished blocks are those that their tokens have as a prompt.
func TestApproximationsKeepTheContextExact(t *testing.T) {
	for _, typ := range []gguf.Type{gguf.BF16, gguf.Q4_0} {
		m := load(t, golden(t)[0].Dir, typ)
		rng := rand.New(rand.NewPCG(31, uint64(typ)))
		for i, delayed := range []int{0, 2, 4, 100} {
			for _, coreset := range []runtime.Coreset{{}, {Size: 5}, {Mass: 0.5, Min: 3}} {
				o := m.Defaults()
				o.GenLength, o.Threshold, o.Delayed, o.Coreset, o.KVKeep = 100, 0.4, delayed, coreset, []float64{0, 0, 0.5, 0.1}[i]
				what := fmt.Sprintf("%s, delayed %d, %+v, kv-keep %g", typ, delayed, coreset, o.KVKeep)
				q, got := alone(t, m, window(rng, m, 40, 0), o)
				require.Len(t, got.IDs, 100, what)
				require.True(t, string(q.Prefilled()) == string(q.Final()), what)
				require.Equal(t, delayed > 0 || coreset != runtime.Coreset{}, got.Class == runtime.ClassExactContext, what)
				// The second step of a block has what the first one decided, too.
				if delayed != 2 && (delayed == 0 || slices.Max(got.StepsPerBlock) > 2) {
					require.Equal(t, delayed > 0, got.Rows.Denoise < 32*got.Forwards.Denoise, what)
				}
			}
		}
	}
}

// TestApproximationsOfNothing: limits that limit nothing leave every bit as it is.
func TestApproximationsOfNothing(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.Q8_0)
	prompt := window(rand.New(rand.NewPCG(32, 1)), m, 40, 0)
	o := m.Defaults()
	o.GenLength, o.Threshold = 100, 0.4
	q, want := alone(t, m, prompt, o)
	for _, change := range []func(*runtime.Options){
		func(o *runtime.Options) { o.Delayed = 1 },
		func(o *runtime.Options) { o.Coreset.Size = m.Config.Experts },
		func(o *runtime.Options) { o.Coreset.Mass = 1 },
		func(o *runtime.Options) { o.KVKeep = 1 },
	} {
		o := o
		change(&o)
		p, got := alone(t, m, prompt, o)
		require.Equal(t, want.IDs, got.IDs)
		require.Equal(t, want.StepsPerBlock, got.StepsPerBlock)
		require.True(t, string(q.Final()) == string(p.Final()))
	}
}

// TestDelayedWithoutMaskedLogits: what decided positions would have changes nothing, also
// in steps that do not compute all of them.
func TestDelayedWithoutMaskedLogits(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.Q8_0)
	prompt := window(rand.New(rand.NewPCG(33, 1)), m, 40, 0)
	for _, delayed := range []int{2, 3, 8, 100} {
		o := m.Defaults()
		o.GenLength, o.Threshold, o.Delayed = 100, 0.4, delayed
		_, want := alone(t, m, prompt, o)
		o.Without.MaskedLogits = true
		_, got := alone(t, m, prompt, o)
		require.Equal(t, want.IDs, got.IDs)
		require.Equal(t, want.StepsPerBlock, got.StepsPerBlock)
	}
}

// TestCoreset holds the vote against the rule, said once more in other words, and
// counts the experts of real passes.
func TestCoreset(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.BF16)
	c := &m.Config
	s := m.NewState(32, 1)
	rng := rand.New(rand.NewPCG(33, 1))
	for range 200 {
		prob := make([][]float32, 1+rng.IntN(8))
		for r := range prob {
			for range c.Experts {
				prob[r] = append(prob[r], rng.Float32())
			}
		}
		before, weights := s.Vote(prob, runtime.Coreset{Size: c.Experts})
		votes := map[int32]float32{}
		var sum float32
		for r := range before {
			for k, x := range before[r] {
				votes[x] += weights[r][k]
				sum += weights[r][k]
			}
		}
		var order []int32
		for x := range votes {
			order = append(order, x)
		}
		slices.SortFunc(order, func(a, b int32) int {
			if votes[a] != votes[b] {
				return map[bool]int{true: -1, false: 1}[votes[a] > votes[b]]
			}
			return int(a - b)
		})
		limit := runtime.Coreset{Size: 1 + rng.IntN(c.Experts)}
		keep := limit.Size
		if rng.IntN(2) == 0 {
			limit = runtime.Coreset{Mass: 0.1 + 0.8*rng.Float32(), Min: rng.IntN(5)}
			var mass float32
			keep = 0
			for mass <= limit.Mass*sum {
				mass += votes[order[keep]]
				keep++
			}
			keep = max(keep, limit.Min)
		}
		keep = min(len(order), max(keep, c.ExpertsUsed))
		core := order[:keep]
		after, weights := s.Vote(prob, limit)
		for r := range prob {
			if keep == len(order) {
				require.Equal(t, before[r], after[r])
				continue
			}
			best := slices.Clone(core)
			slices.SortFunc(best, func(a, b int32) int {
				if prob[r][a] != prob[r][b] {
					return map[bool]int{true: -1, false: 1}[prob[r][a] > prob[r][b]]
				}
				return int(a - b)
			})
			require.Equal(t, best[:c.ExpertsUsed], after[r], "%+v", limit)
			var share float32
			for _, w := range weights[r] {
				share += w
			}
			require.InDelta(t, c.ExpertScale, share, 1e-5)
		}
	}

	most := func(coreset runtime.Coreset) (experts int) {
		o := m.Defaults()
		o.GenLength, o.Threshold, o.Coreset, o.Without.FusedCommit = 32, 1, coreset, true
		o.OnStep = func(s runtime.Step) { experts = max(experts, slices.Max(s.Cost.Experts)) }
		alone(t, m, window(rng, m, 32, 0), o)
		return experts
	}
	size := c.ExpertsUsed + 1
	require.Greater(t, most(runtime.Coreset{}), size)
	require.Equal(t, size, most(runtime.Coreset{Size: size}))
}

// TestKVKeep: a block that keeps half of the positions before it predicts something
// else, from its third step on; and what it keeps is what the rule says.
func TestKVKeep(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.BF16)
	rng := rand.New(rand.NewPCG(36, 1))
	o := m.Defaults()
	o.GenLength, o.Threshold = 32, 1
	prompt := window(rng, m, 320, 0)
	steps := func(keep float64) (stats [][]kernels.Stats) {
		o.KVKeep = keep
		o.OnStep = func(s runtime.Step) { stats = append(stats, slices.Clone(s.Stats)) }
		alone(t, m, prompt, o)
		return stats
	}
	all, half := steps(0), steps(0.5)
	require.Equal(t, all[:2], half[:2])
	require.NotEqual(t, all[2], half[2])

	for range 100 {
		n := 1 + rng.IntN(200)
		score := make([]float32, n)
		for i := range score {
			score[i] = float32(rng.IntN(30)) // with many equals
		}
		keep := rng.Float64()
		pooled := func(i int) float32 { return slices.Max(score[max(0, i-1):min(n, i+2)]) }
		var want []int
		for i := range n {
			before := 0
			for j := range n {
				if pooled(j) > pooled(i) || pooled(j) == pooled(i) && j < i {
					before++
				}
			}
			if before < int(math.Ceil(keep*float64(n))) {
				want = append(want, i)
			}
		}
		require.Equal(t, want, m.Kept(score, keep))
	}
}

// TestTemplate: what is known stays, what is not is found in its sight, and blocks
// without holes take no step.
func TestTemplate(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.BF16)
	rng := rand.New(rand.NewPCG(34, 1))
	for range 8 {
		o := m.Defaults()
		o.GenLength, o.Threshold = 150, 0.4
		o.Template = window(rng, m, 140, []float64{0.1, 0.5, 1}[rng.IntN(3)])
		for i, id := range o.Template {
			if id == m.EOSID {
				o.Template[i]++
			}
		}
		whole := rng.IntN(3) * 32
		for i := range whole { // from the 26th on, a block boundary
			o.Template[26+i] = rng.Int32N(100)
		}
		prompt := window(rng, m, 6, 0)
		got := both(t, m, prompt, o, "template")
		for i, id := range got.IDs {
			if i < len(o.Template) && o.Template[i] != m.MaskID {
				require.Equal(t, o.Template[i], id)
			}
			require.NotEqual(t, m.MaskID, id)
		}
		if whole > 0 && got.Finish == "length" {
			require.Len(t, got.StepsPerBlock, 5)
			assert.Zero(t, got.StepsPerBlock[1])
		}
		for _, without := range savings() {
			o.Without = without
			_, again := alone(t, m, prompt, o)
			require.Equal(t, got.IDs, again.IDs, "%+v", without)
		}
	}
	o := m.Defaults()
	o.GenLength = 62 // to the end of a block
	want, err := m.Generate(t.Context(), []int32{1, 2}, o)
	require.NoError(t, err)
	o.Template = slices.Repeat([]int32{m.MaskID}, 62)
	got, err := m.Generate(t.Context(), []int32{1, 2}, o)
	require.NoError(t, err)
	require.Equal(t, want.IDs, got.IDs, "all holes")
	o.Template = want.IDs
	got, err = m.Generate(t.Context(), []int32{1, 2}, o)
	require.NoError(t, err)
	require.Equal(t, want.IDs, got.IDs, "no holes")
	require.Zero(t, got.Forwards)
	o.Template = append(slices.Clone(want.IDs), 5)
	_, err = m.Generate(t.Context(), nil, o)
	require.ErrorContains(t, err, "exceeds the generation length")
	o.Template = []int32{int32(m.Config.Vocab)}
	_, err = m.Generate(t.Context(), nil, o)
	require.ErrorContains(t, err, "outside the vocabulary")
}

// TestAudit: exact answers differ nowhere from the reference, and approximate ones do.
func TestAudit(t *testing.T) {
	for _, typ := range []gguf.Type{gguf.BF16, gguf.Q4_0} {
		m := load(t, golden(t)[0].Dir, typ)
		prompt := window(rand.New(rand.NewPCG(35, 1)), m, 40, 0)
		o := m.Defaults()
		o.GenLength, o.Threshold, o.Audit = 100, 0.9, 12
		exact, err := m.Generate(t.Context(), prompt, o)
		require.NoError(t, err)
		require.Greater(t, exact.Audit.Positions, 12)
		require.Equal(t, &runtime.Audit{Steps: 12, Positions: exact.Audit.Positions}, exact.Audit)
		o.Coreset.Size = 5
		limited, err := m.Generate(t.Context(), prompt, o)
		require.NoError(t, err)
		require.Greater(t, limited.Audit.LargestLogit, 0.01)
		require.Greater(t, limited.Audit.LargestProb, 0.0)
		require.Greater(t, limited.Audit.Differ, 0)
		o.GenLength, o.Audit, o.Threshold = 10, 64, 0
		few, err := m.Generate(t.Context(), prompt, o)
		require.NoError(t, err)
		require.Equal(t, few.Forwards.Denoise, few.Audit.Steps)
	}
}
