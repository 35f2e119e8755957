package runtime_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/internal/oracle"
	"lladakit/runtime"
)

// TestCacheIsExact compares the cached run with full recomputation where block
// boundaries, the prompt's and the answer's ends, and the end token fall in
// every way onto each other.
func TestCacheIsExact(t *testing.T) {
	c := golden(t)[0]
	require.Equal(t, "narrow", c.Name)
	m := load(t, c.Dir, gguf.BF16)
	rng := rand.New(rand.NewPCG(1, 2))
	never := m.EOSID
	inside := 0
	for _, block := range []int{4, 32} {
		for _, length := range []int{0, 1, block - 1, block, block + 1, 2*block + 1} {
			for _, gen := range []int{1, block - 1, 2*block + 3} {
				for _, steps := range []int{1, block / 4, block, 2 * block} {
					o := m.Defaults()
					o.BlockLength, o.GenLength, o.Steps = block, gen, steps
					o.Threshold = []float32{0.2, 0.6, 0.95}[rng.IntN(3)]
					prompt := make([]int32, length)
					for i := range prompt {
						prompt[i] = rng.Int32N(290)
					}
					name := fmt.Sprintf("prompt %d, %+v", length, o)
					m.EOSID = never
					got := both(t, m, prompt, o, name)
					require.Equal(t, "length", got.Finish, name)

					// Some token of the answer as the end token.
					m.EOSID = got.IDs[rng.IntN(len(got.IDs))]
					o.EOSEarlyStop = rng.IntN(2) == 0
					got = both(t, m, prompt, o, name+" with an end token")
					if got.Finish == "eos" && (length+len(got.IDs))%block != 0 {
						inside++
					}
				}
			}
		}
	}
	assert.Greater(t, inside, 50, "end tokens inside a block")
}

// both generates with and without the cache and holds the two together.
func both(t *testing.T, m *runtime.Model, prompt []int32, o runtime.Options, name string) *runtime.Result {
	t.Helper()
	var got [2]*runtime.Result
	for i, profile := range bothProfiles {
		o.Profile = profile
		var err error
		got[i], err = m.Generate(t.Context(), prompt, o)
		require.NoError(t, err, name)
	}
	require.Equal(t, got[1].IDs, got[0].IDs, name)
	require.Equal(t, got[1].StepsPerBlock, got[0].StepsPerBlock, name)
	require.Equal(t, got[1].Finish, got[0].Finish, name)
	require.LessOrEqual(t, len(got[0].IDs), o.GenLength, name)
	return got[0]
}

// TestRowsAreIndependent: a row's logits have the same bits whether its
// block is computed alone, against the cache, or with the whole window; and
// whatever the number of workers.
func TestRowsAreIndependent(t *testing.T) {
	c := golden(t)[0]
	ids := toIDs(c.Expected.Logits.IDs)
	for _, typ := range []gguf.Type{gguf.F32, gguf.Q8_0, gguf.Q4_0} {
		m := load(t, c.Dir, typ)
		whole := logits(t, m, c.Expected.Logits.IDs, 32)
		one, err := runtime.Load(m.Paths()[0], runtime.LoadOptions{Threads: 1})
		require.NoError(t, err)
		defer one.Close()
		s, cache := one.NewState(32, 1), one.NewCache(len(ids))
		for pos := 0; pos < len(ids); pos += 32 {
			for r := range 32 {
				s.Forward(runtime.Part{IDs: ids[pos : pos+32], Pos: pos, Block: 32, Cache: cache, Want: []int{r}})
				require.Equal(t, whole[pos+r], slices.Clone(s.Head(0, 1)), "%s, position %d", typ, pos+r)
			}
		}
	}
}

// TestOracleShapes asks the oracle about shapes and settings that no golden file
// has.
func TestOracleShapes(t *testing.T) {
	if _, err := oracle.Python(); err != nil {
		t.Skip(err)
	}
	shapes := [][]string{
		{"--seed", "11", "--layers", "1"}, // dense only
		{"--seed", "12", "--layers", "4", "--hidden", "96", "--heads", "6", "--kv-heads", "1", "--head-dim", "32", "--ffn", "64"},
		{"--seed", "13", "--experts", "24", "--groups", "3", "--top-groups", "1", "--top-k", "8", "--moe-ffn", "64"},
		{"--seed", "14", "--experts", "16", "--groups", "16", "--top-groups", "5", "--top-k", "5", "--vocab", "97"},
		{"--seed", "15", "--experts", "8", "--groups", "1", "--top-groups", "1", "--top-k", "1", "--head-dim", "8", "--hidden", "32"},
		{"--seed", "16", "--heads", "4", "--kv-heads", "4", "--hidden", "160", "--head-dim", "24", "--layers", "2"},
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for _, shape := range shapes {
		dir := t.TempDir()
		require.NoError(t, oracle.Make(dir, shape...))
		m := load(t, dir, gguf.BF16)
		ids := make([]int, 70)
		for i := range ids {
			ids[i] = rng.IntN(m.Config.Vocab - 30)
		}
		want, err := oracle.Logits(dir, ids, 16)
		require.NoError(t, err)
		for r, row := range logits(t, m, ids, 16) {
			require.LessOrEqual(t, relativeRMS(row, want[r]), exactError, "%v, row %d", shape, r)
		}
		eos := m.EOSID
		for i := range 4 {
			s := oracle.Settings{
				Prompt: ids[:rng.IntN(len(ids)+1)], GenLength: 1 + rng.IntN(60), BlockLength: []int{4, 8, 20, 32}[i],
				Steps: 1 + rng.IntN(40), Threshold: []float64{0.1, 0.4, 0.9, 0}[rng.IntN(4)],
				MinimalTopK: 1, EarlyStop: rng.IntN(2) == 0,
			}
			s.MinimalTopK += rng.IntN(min(3, s.GenLength))
			answer, err := oracle.Generate(dir, s)
			require.NoError(t, err)
			if answer.SmallestMargin < 1e-5 {
				continue // float32 cannot tell
			}
			for _, profile := range bothProfiles {
				checkAnswer(t, m, s, answer, profile)
			}
			// And with an end token that comes up.
			s.EOS = answer.Tokens[len(answer.Tokens)/2]
			answer, err = oracle.Generate(dir, s)
			require.NoError(t, err)
			m.EOSID = int32(s.EOS)
			for _, profile := range bothProfiles {
				checkAnswer(t, m, s, answer, profile)
			}
			m.EOSID = eos
		}
	}
}
