package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/blockstore"
	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// savings lists every way of leaving savings out.
func savings() (all []runtime.Without) {
	for bits := range 16 {
		all = append(all, runtime.Without{
			FusedCommit: bits&1 != 0, SkippedCommit: bits&2 != 0, MaskedLogits: bits&4 != 0, PrunedLayer: bits&8 != 0,
		})
	}
	return all
}

// run decodes a batch to its end.
func run(t *testing.T, b *runtime.Batch) {
	t.Helper()
	for b.Len() > 0 {
		_, err := b.Step(t.Context())
		require.NoError(t, err)
	}
}

// alone decodes one sequence by itself.
func alone(t *testing.T, m *runtime.Model, prompt []int32, o runtime.Options) (*runtime.Sequence, *runtime.Result) {
	t.Helper()
	b := m.NewBatch()
	q, err := b.Add(prompt, o)
	require.NoError(t, err)
	run(t, b)
	r, err := q.Result()
	require.NoError(t, err)
	return q, r
}

// TestGoldenBatches decodes the golden cases in batches of up to eight, in all exact
// ways at once.
func TestGoldenBatches(t *testing.T) {
	cached := 0
	var hits, damaged, evicted uint64
	for _, c := range golden(t) {
		m := load(t, c.Dir, gguf.BF16)
		all := c.Expected.Generate
		rng := rand.New(rand.NewPCG(21, 1))
		ways := savings()
		dir := t.TempDir()
		folder, err := m.NewPromptCache(blockstore.Options{Dir: dir})
		require.NoError(t, err)
		memory, err := m.NewPromptCache(blockstore.Options{Memory: 40 << 10}) // a few blocks: others are dropped
		require.NoError(t, err)
		caches := []*runtime.PromptCache{nil, folder, memory}
		for size := 1; size <= 8; size++ {
			cut(t, dir, rng)
			b := m.NewBatch()
			var of []*runtime.Sequence
			var cases []int
			for range size {
				i := rng.IntN(len(all))
				o := options(m, all[i].Settings, bothProfiles[rng.IntN(2)])
				o.Without, o.PromptCache = ways[rng.IntN(len(ways))], caches[rng.IntN(3)]
				q, err := b.Add(toIDs(all[i].Settings.Prompt), o)
				require.NoError(t, err)
				of, cases = append(of, q), append(cases, i)
			}
			run(t, b)
			for k, q := range of {
				got, err := q.Result()
				require.NoError(t, err)
				want := all[cases[k]].Answer
				require.Equal(t, toIDs(want.Tokens), got.IDs, "%s, batch of %d, case %d", c.Name, size, cases[k])
				require.Equal(t, want.Forwards, got.Forwards.Denoise, "%s, batch of %d, case %d", c.Name, size, cases[k])
				cached += got.Cached
			}
		}
		disk, ram := folder.Stats(), memory.Stats()
		hits, damaged, evicted = hits+ram.Hits+disk.DiskHits, damaged+disk.Damaged, evicted+ram.Evicted
	}
	require.Positive(t, cached)
	require.Positive(t, hits)
	require.Positive(t, damaged)
	require.Positive(t, evicted)
}

// cut leaves half of some files of a folder, as a machine that stops may.
func cut(t *testing.T, dir string, rng *rand.Rand) {
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || rng.IntN(3) > 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Truncate(path, info.Size()/2)
	}))
}

// TestSavingsChangeNothing: whatever is left out, tokens and steps are the same, and
// keys and values have the same bits.
func TestSavingsChangeNothing(t *testing.T) {
	for _, typ := range []gguf.Type{gguf.BF16, gguf.Q4_0} {
		m := load(t, golden(t)[0].Dir, typ)
		rng := rand.New(rand.NewPCG(22, uint64(typ)))
		for _, length := range []int{0, 5, 32, 75} {
			prompt := window(rng, m, length, 0)
			o := m.Defaults()
			o.GenLength, o.Threshold = 90, 0.3
			q, want := alone(t, m, prompt, o)
			require.Greater(t, want.Forwards.Fused, 0)
			require.Equal(t, want.Forwards.Commit, want.Forwards.Fused)
			for _, without := range savings() {
				o.Without = without
				what := fmt.Sprintf("%s, prompt of %d, %+v", typ, length, without)
				p, got := alone(t, m, prompt, o)
				require.Equal(t, want.IDs, got.IDs, what)
				require.Equal(t, want.StepsPerBlock, got.StepsPerBlock, what)
				require.Equal(t, without.FusedCommit, got.Forwards.Fused == 0, what)
				commits := want.Forwards.Commit
				if without.SkippedCommit {
					commits++
				}
				require.Equal(t, commits, got.Forwards.Commit, what)
				final := q.Final()
				if len(p.Final()) == len(final) {
					require.Equal(t, final, p.Final(), what)
					continue
				}
				require.True(t, without.SkippedCommit, what)
				_, again := alone(t, m, prompt, o)
				require.Equal(t, got.IDs, again.IDs)
			}
		}
	}
}

// TestBatchEqualsSingle: random sequences that come and go have, in any company, the
// answers, the steps and the keys and values that they have alone.
func TestBatchEqualsSingle(t *testing.T) {
	for _, typ := range []gguf.Type{gguf.BF16, gguf.Q8_0, gguf.Q4_0} {
		m := load(t, golden(t)[0].Dir, typ)
		rng := rand.New(rand.NewPCG(23, uint64(typ)))
		type job struct {
			prompt []int32
			o      runtime.Options
			q      *runtime.Sequence
		}
		var jobs []*job
		b := m.NewBatch()
		left, most, mixed := 24, 0, 0
		finished := 0
		for left > 0 || b.Len() > 0 {
			for left > 0 && b.Len() < 8 && rng.IntN(3) > 0 {
				o := m.Defaults()
				o.BlockLength = []int{4, 8, 32}[rng.IntN(3)]
				o.GenLength, o.Threshold = 1+rng.IntN(70), rng.Float32()
				o.Steps = 1 + rng.IntN(o.BlockLength)
				if rng.IntN(3) == 0 {
					o.Temperature, o.Seed = 0.7, rng.Uint64()
				}
				j := &job{prompt: window(rng, m, rng.IntN(400), 0), o: o}
				var err error
				j.q, err = b.Add(j.prompt, o)
				require.NoError(t, err)
				jobs, left = append(jobs, j), left-1
			}
			most = max(most, b.Len())
			done, err := b.Step(t.Context())
			require.NoError(t, err)
			finished += len(done)
			if len(done) > 0 && b.Len() > 0 {
				mixed++
			}
		}
		require.Equal(t, len(jobs), finished)
		require.Equal(t, 8, most)
		require.Greater(t, mixed, 5, "sequences that are done before others")
		for i, j := range jobs {
			got, err := j.q.Result()
			require.NoError(t, err)
			q, want := alone(t, m, j.prompt, j.o)
			require.Equal(t, want.IDs, got.IDs, "%s, sequence %d", typ, i)
			require.Equal(t, want.StepsPerBlock, got.StepsPerBlock, "%s, sequence %d", typ, i)
			require.Equal(t, want.Fallbacks, got.Fallbacks, "%s, sequence %d", typ, i)
			require.True(t, string(q.Final()) == string(j.q.Final()), "%s, sequence %d: keys and values", typ, i)
		}
	}
}

// TestBatchInterrupt ends one of three sequences, then the others by the context.
func TestBatchInterrupt(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.BF16)
	o := m.Defaults()
	o.GenLength, o.Threshold = 96, 1
	b := m.NewBatch()
	var qs []*runtime.Sequence
	for range 3 {
		q, err := b.Add([]int32{1, 2, 3}, o)
		require.NoError(t, err)
		qs = append(qs, q)
	}
	for range 40 { // into the second block
		_, err := b.Step(t.Context())
		require.NoError(t, err)
	}
	left := errors.New("the client left")
	b.Interrupt(qs[1], left)
	done, err := b.Step(t.Context())
	require.NoError(t, err)
	require.Equal(t, []*runtime.Sequence{qs[1]}, done)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Step(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 2, b.Len())
	b.Interrupt(nil, err)
	_, want := alone(t, m, []int32{1, 2, 3}, o)
	for i, q := range qs {
		got, err := q.Result()
		assert.ErrorIs(t, err, []error{context.Canceled, left, context.Canceled}[i])
		assert.Equal(t, "interrupted", got.Finish)
		assert.Equal(t, want.IDs[:29], got.IDs, "the first block")
	}
}
