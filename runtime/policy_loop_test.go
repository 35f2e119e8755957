package runtime_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// TestPoliciesInTheLoop: under every policy, with and without the cache, with and
// without each saving, alone and in company, the answer is the same; and what is
// final is what a prompt of the same tokens has.
func TestPoliciesInTheLoop(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.Q8_0)
	rng := rand.New(rand.NewPCG(41, 1))
	ways := savings()
	for _, p := range runtime.Policies() {
		for _, sub := range []int{0, 8} {
			o := m.Defaults()
			o.GenLength, o.Threshold = 90, 0.4
			o.Policy = runtime.PolicyOptions{
				Name: p.Name, SubBlock: sub, EntropyBound: 2, Factor: 4, LowThreshold: 0.2, EditThreshold: 0.3, PostSteps: 3, KLThreshold: 1, KLHistory: 1,
			}
			prompt := window(rng, m, 1+rng.IntN(60), 0)
			what := fmt.Sprintf("%s, parts of %d", p.Name, sub)
			written, edited := map[[2]int]bool{}, 0
			o.OnStep = func(s runtime.Step) {
				for i := range s.Tokens {
					at := [2]int{s.Block, i}
					if s.Wrote[i] {
						require.False(t, written[at], what)
						written[at] = true
					}
					if s.Edited != nil && s.Edited[i] {
						require.True(t, written[at], what)
						edited++
					}
				}
			}
			q, want := alone(t, m, prompt, o)
			require.Equal(t, p.Name == runtime.PolicyJoint, edited > 0, what)
			require.True(t, string(q.Prefilled()) == string(q.Final()), what)
			require.Equal(t, p.Class == runtime.ClassExact && sub == 0, want.Class == runtime.ClassExact, what)
			o.OnStep = nil
			b := m.NewBatch()
			var of []*runtime.Sequence
			for range 4 {
				o.Without, o.Profile = ways[rng.IntN(len(ways))], bothProfiles[rng.IntN(2)]
				q, err := b.Add(prompt, o)
				require.NoError(t, err)
				of = append(of, q)
			}
			run(t, b)
			for _, q := range of {
				got, err := q.Result()
				require.NoError(t, err)
				require.Equal(t, want.IDs, got.IDs, what)
				require.Equal(t, want.StepsPerBlock, got.StepsPerBlock, what)
				require.Equal(t, want.Fallbacks, got.Fallbacks, what)
			}
		}
	}
}
