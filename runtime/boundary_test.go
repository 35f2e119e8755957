package runtime_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/internal/oracle"
)

// TestOracleBoundaries asks the oracle where TestCacheIsExact asks only whether
// two ways of computing agree: prompts that end just before, on and just after
// a block's end, answers that do not, end tokens inside a block, and steps
// below and above the block's length.
func TestOracleBoundaries(t *testing.T) {
	if _, err := oracle.Python(); err != nil {
		t.Skip(err)
	}
	dir := golden(t)[0].Dir
	m := load(t, dir, gguf.BF16)
	eos := m.EOSID
	rng := rand.New(rand.NewPCG(12, 1))
	checked, inside := 0, 0
	ask := func(s oracle.Settings) (tokens []int) {
		answer, err := oracle.Generate(dir, s)
		require.NoError(t, err)
		if answer.SmallestMargin < 1e-5 {
			return nil // float32 cannot tell
		}
		if s.EOS != 0 {
			m.EOSID = int32(s.EOS)
		}
		defer func() { m.EOSID = eos }()
		for _, profile := range bothProfiles {
			t.Run(fmt.Sprintf("%d+%d, %d steps, end %d, %s", len(s.Prompt), s.GenLength, s.Steps, s.EOS, profile), func(t *testing.T) {
				checkAnswer(t, m, s, answer, profile)
			})
		}
		checked++
		return answer.Tokens
	}

	const block = 32
	lengths := []int{0, 1, 31, 32, 33, 63, 64, 65}
	for i, length := range lengths {
		settings := []int{1, 5, 31, 32, 33, 64} // steps
		if os.Getenv(fullVariable) == "" {
			settings = []int{settings[i%len(settings)]}
		}
		for j, steps := range settings {
			s := oracle.Settings{
				GenLength: []int{1, 30, 32, 33, 45}[(i+j)%5], BlockLength: block, Steps: steps,
				Threshold: []float64{0.2, 0.5, 0.95}[rng.IntN(3)], MinimalTopK: 1,
			}
			for range length {
				s.Prompt = append(s.Prompt, rng.IntN(290))
			}
			tokens := ask(s)
			if len(tokens) < 2 {
				continue
			}
			at := rng.IntN(len(tokens) - 1)
			s.EOS, s.EarlyStop = tokens[at], rng.IntN(2) == 0
			if ask(s) != nil && (length+at+1)%block != 0 {
				inside++
			}
		}
	}
	require.Greater(t, checked, len(lengths))
	require.Greater(t, inside, len(lengths)/2)
}
