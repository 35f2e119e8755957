package runtime_test

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lladakit/internal/blockstore"
	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/runtime"
)

func newPromptCache(t testing.TB, m *runtime.Model, opt blockstore.Options) *runtime.PromptCache {
	t.Helper()
	p, err := m.NewPromptCache(opt)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// sameBlock requires two sessions to say the same, bit for bit, of a next block.
func sameBlock(t testing.TB, a, b *runtime.Session, tried []int32) {
	t.Helper()
	rows, logits := a.Masked(tried)
	rows, logits = slices.Clone(rows), slices.Clone(logits)
	gotRows, got := b.Masked(tried)
	require.Equal(t, rows, gotRows)
	require.NotEmpty(t, rows)
	require.Equal(t, logits, got)
}

// TestPromptCacheIsExact: a session that begins with what the prompt cache has goes
// on with the bits of one that computed everything, whatever was found: all, a
// beginning, what another text has in common, from memory or from disk.
func TestPromptCacheIsExact(t *testing.T) {
	c := golden(t)[0]
	for _, typ := range []gguf.Type{gguf.BF16, gguf.Q8_0} {
		m := load(t, c.Dir, typ)
		rng := rand.New(rand.NewPCG(9, uint64(typ)))
		for _, block := range []int{1, 5, 32} {
			const blocks = 12
			dir := t.TempDir()
			ids := window(rng, m, blocks*block, 0)
			tried := window(rng, m, block, 0.5)
			tried[0] = m.MaskID
			whole := m.NewSession((blocks+2)*block, block)
			require.NoError(t, whole.Extend(t.Context(), ids))
			first := newPromptCache(t, m, blockstore.Options{Memory: 1 << 30, Dir: dir})
			require.Zero(t, m.NewSession(blocks*block, block).Restore(first, ids))
			whole.Keep(first, ids, 0)
			require.NoError(t, first.Stats().Err)

			// Another text has its first five blocks in common, and a tail.
			other := append(slices.Clone(ids[:5*block]), window(rng, m, 4*block, 0)...)
			other[5*block] = (ids[5*block] + 1) % m.MaskID
			otherWhole := m.NewSession((blocks+2)*block, block)
			require.NoError(t, otherWhole.Extend(t.Context(), other))

			for _, p := range []*runtime.PromptCache{
				first,
				newPromptCache(t, m, blockstore.Options{Dir: dir}),
				newPromptCache(t, m, blockstore.Options{Memory: 1 << 30, Dir: dir}),
			} {
				s := m.NewSession((blocks+2)*block, block)
				require.Equal(t, blocks*block, s.Restore(p, ids))
				sameBlock(t, whole, s, tried)

				s = m.NewSession((blocks+2)*block, block)
				require.Equal(t, 5*block, s.Restore(p, other))
				require.NoError(t, s.Extend(t.Context(), other[5*block:]))
				sameBlock(t, otherWhole, s, tried)

				// A part of a block is nothing.
				s = m.NewSession((blocks+2)*block, block)
				require.Equal(t, 2*block, s.Restore(p, ids[:3*block-1]))
			}
			// Where not all fits, what fits is the beginning.
			size := int64(m.NewCache(block).ExportSize(block)) + 300 // of which some are overhead
			small := newPromptCache(t, m, blockstore.Options{Memory: 3 * size})
			whole.Keep(small, ids, 0)
			s := m.NewSession((blocks+2)*block, block)
			end := s.Restore(small, ids)
			require.Equal(t, 3*block, end)
			require.NoError(t, s.Extend(t.Context(), ids[end:]))
			sameBlock(t, whole, s, tried)
			// And goes on to, when the rest was added.
			s.Keep(small, ids, end)
			require.Equal(t, 3*block, m.NewSession((blocks+2)*block, block).Restore(small, ids))
		}
	}
}

// TestPromptCacheFor: what one way of running a model left, others use if they
// compute the same.
func TestPromptCacheFor(t *testing.T) {
	const block = 32
	m := load(t, golden(t)[0].Dir, gguf.Q8_0)
	dir := t.TempDir()
	ids := window(rand.New(rand.NewPCG(1, 2)), m, 4*block, 0)
	tried := slices.Repeat([]int32{m.MaskID}, block)
	whole := m.NewSession(6*block, block)
	require.NoError(t, whole.Extend(t.Context(), ids))
	whole.Keep(newPromptCache(t, m, blockstore.Options{Dir: dir}), ids, 0)
	for _, opt := range []runtime.LoadOptions{{Threads: 1}, {Threads: 3, Pack: runtime.PackNone}} {
		other, err := runtime.Load(m.Paths()[0], opt)
		require.NoError(t, err)
		defer other.Close()
		s := other.NewSession(6*block, block)
		require.Equal(t, 4*block, s.Restore(newPromptCache(t, other, blockstore.Options{Dir: dir}), ids))
		sameBlock(t, whole, s, tried)
	}
}

// TestPromptCacheDamaged: damaged files cost time and nothing else.
func TestPromptCacheDamaged(t *testing.T) {
	const block = 8
	m := load(t, golden(t)[0].Dir, gguf.BF16)
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	ids := window(rng, m, 10*block, 0)
	tried := slices.Repeat([]int32{m.MaskID}, block)
	whole := m.NewSession(12*block, block)
	require.NoError(t, whole.Extend(t.Context(), ids))
	for range 10 {
		p := newPromptCache(t, m, blockstore.Options{Dir: dir})
		s := m.NewSession(12*block, block)
		end := s.Restore(p, ids)
		require.NoError(t, s.Extend(t.Context(), ids[end:]))
		s.Keep(p, ids, end)
		sameBlock(t, whole, s, tried)
		again := m.NewSession(12*block, block)
		require.Equal(t, len(ids), again.Restore(p, ids))
		sameBlock(t, whole, again, tried)

		var all []string
		require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && e.Name() != "lock" {
				all = append(all, path)
			}
			return err
		}))
		require.Len(t, all, 10)
		path := all[rng.IntN(len(all))]
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
		require.NoError(t, os.WriteFile(path, data, 0o600))
	}
}

// TestPromptCacheKeys: whatever keys and values depend on is in the key, and what
// they do not depend on is not.
func TestPromptCacheKeys(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.Q8_0)
	keys := func(m *runtime.Model) string {
		return newPromptCache(t, m, blockstore.Options{}).Root(m.NewCache(64), 32)
	}
	want := keys(m)
	data, err := os.ReadFile(m.Paths()[0])
	require.NoError(t, err)
	info, err := os.Stat(m.Paths()[0])
	require.NoError(t, err)
	// with loads a copy, changed, with the given time.
	with := func(at time.Time, opt runtime.LoadOptions, change func(f *gguf.File, data []byte)) *runtime.Model {
		data := bytes.Clone(data)
		f, err := gguf.Parse(data)
		require.NoError(t, err)
		change(f, data)
		path := filepath.Join(t.TempDir(), "other name.gguf")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		require.NoError(t, os.Chtimes(path, at, at))
		m, err := runtime.Load(path, opt)
		require.NoError(t, err)
		t.Cleanup(func() { m.Close() })
		return m
	}
	nothing := func(*gguf.File, []byte) {}
	same := with(info.ModTime(), runtime.LoadOptions{Threads: 1, Pack: runtime.PackNone}, nothing)
	require.Equal(t, want, keys(same), "a copy")
	require.Equal(t, want, newPromptCache(t, m, blockstore.Options{}).Root(m.NewCache(640), 32), "a longer cache")

	seen := map[string]string{want: "the model"}
	other := func(what, key string) {
		t.Helper()
		if before, ok := seen[key]; ok {
			t.Errorf("%s and %s have the same key", before, what)
		}
		seen[key] = what
	}
	other("another time", keys(with(info.ModTime().Add(time.Second), runtime.LoadOptions{}, nothing)))
	for i := range same.Config.Tensors() {
		if name := same.Config.Tensors()[i].GGUF; i < 8 {
			other("another "+name, keys(with(info.ModTime(), runtime.LoadOptions{}, func(f *gguf.File, _ []byte) {
				x, ok := f.Tensor(name)
				require.True(t, ok, name)
				x.Data[len(x.Data)-1] ^= 1
			})))
		}
	}
	other("packed in a file", keys(with(info.ModTime(), runtime.LoadOptions{Pack: runtime.PackFile}, nothing)))
	p := newPromptCache(t, m, blockstore.Options{})
	other("another block length", p.Root(m.NewCache(64), 16))
	changed := m.NewCache(64)
	changed.Type = kernels.F32
	other("another type", p.Root(changed, 32))
	for _, name := range kernels.Implementations() {
		if name != kernels.Implementation() {
			restore, err := kernels.Use(name)
			require.NoError(t, err)
			other("kernels "+name, keys(m))
			restore()
		}
	}
	m.Config.RopeTheta++
	other("another number", keys(m))
	m.Config.RopeTheta--
	require.Equal(t, want, keys(m))
}

// TestPromptCacheObserved: an observer sees every product.
func TestPromptCacheObserved(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.BF16)
	p := newPromptCache(t, m, blockstore.Options{Memory: 1 << 30})
	ids := window(rand.New(rand.NewPCG(1, 2)), m, 64, 0)
	s := m.NewSession(64, 32)
	require.NoError(t, s.Extend(t.Context(), ids))
	s.Keep(p, ids, 0)
	m.Observe(func(runtime.Observation) {})
	require.Zero(t, m.NewSession(64, 32).Restore(p, ids))
	m.Observe(nil)
	require.Equal(t, 64, m.NewSession(64, 32).Restore(p, ids))
}
