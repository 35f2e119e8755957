package bench

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/convert"
	"lladakit/internal/disk"
	"lladakit/internal/gguf"
	"lladakit/quant"
	"lladakit/runtime"
)

// TestSynthesizeHF converts a checkpoint of several files and runs it.
func TestSynthesizeHF(t *testing.T) {
	c, err := Shape("3x256:experts=64,used=4,groups=4,ff=32,dense-ff=64,vocab=1000,shared=2")
	require.NoError(t, err)
	dir := t.TempDir()
	folder := filepath.Join(dir, "checkpoint")
	var done, total int64
	x := Synthetic{Config: c, Type: gguf.BF16, Seed: 3, Touched: 32, Progress: func(d, n int64) { done, total = d, n }}
	const limit = 3 << 20
	tried, err := x.checkpoint(t.Context(), folder, limit)
	require.NoError(t, err)
	require.Len(t, tried, 2)
	assert.Positive(t, total)
	assert.Equal(t, total, done)
	files, err := filepath.Glob(filepath.Join(folder, "*.safetensors"))
	require.NoError(t, err)
	require.Greater(t, len(files), 2)
	var bytes int64
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(t, err)
		bytes += info.Size()
		assert.Less(t, info.Size(), int64(limit+limit/10), "with its header")
	}
	assert.Greater(t, bytes, total)

	source, err := convert.Open(folder)
	require.NoError(t, err)
	defer source.Close()
	want := c
	want.Name = "checkpoint"
	assert.Equal(t, want, source.Config)
	plan, err := source.Plan(convert.Options{Recipe: quant.Plain(gguf.Q8_0)})
	require.NoError(t, err)
	path := filepath.Join(dir, "model.gguf")
	_, err = plan.Write(t.Context(), path)
	require.NoError(t, err)
	m, err := runtime.Load(path, runtime.LoadOptions{})
	require.NoError(t, err)
	defer m.Close()
	touched, err := MeasureTouched(t.Context(), m)
	require.NoError(t, err)
	for i, l := range touched {
		assert.Equal(t, l.Layer, tried[i].Layer)
		assert.InEpsilon(t, 32, tried[i].mean(), 0.05)
		assert.InEpsilon(t, 32, l.mean(), 0.1)
	}
}

// TestSynthesizeHFPlace: a folder appears where there is none or an empty one, and
// nothing else is touched or left.
func TestSynthesizeHFPlace(t *testing.T) {
	c, err := Shape("tiny")
	require.NoError(t, err)
	x := Synthetic{Config: c, Type: gguf.BF16}
	dir := t.TempDir()
	folder := filepath.Join(dir, "checkpoint")
	left := func(at string) (names []string) {
		entries, err := os.ReadDir(at)
		require.NoError(t, err)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	ctx, cancel := context.WithCancel(t.Context())
	during := x
	during.Progress = func(int64, int64) { cancel() }
	_, err = SynthesizeHF(ctx, folder, during)
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, left(dir))

	require.NoError(t, os.Mkdir(folder, 0o777))
	_, err = SynthesizeHF(t.Context(), folder+"/", x)
	require.NoError(t, err)
	assert.Equal(t, []string{"checkpoint"}, left(dir))
	assert.Equal(t, []string{"config.json", "model-00001-of-00001.safetensors", "model.safetensors.index.json"}, left(folder))

	_, err = SynthesizeHF(t.Context(), folder, x)
	require.ErrorContains(t, err, "exists and is not empty")
	file := filepath.Join(folder, "config.json")
	_, err = SynthesizeHF(t.Context(), file, x)
	require.ErrorContains(t, err, "exists and is not a folder")
	_, err = SynthesizeHF(t.Context(), filepath.Join(dir, "missing", "x"), x)
	require.ErrorIs(t, err, os.ErrNotExist)

	// What fills the folder in the meantime stays.
	other := filepath.Join(dir, "other")
	require.NoError(t, os.Mkdir(other, 0o777))
	during.Progress = func(int64, int64) { _ = os.WriteFile(filepath.Join(other, "mine"), nil, 0o666) }
	_, err = SynthesizeHF(t.Context(), other, during)
	require.Error(t, err)
	assert.Equal(t, []string{"mine"}, left(other))
	assert.Equal(t, []string{"checkpoint", "other"}, left(dir))

	x.Type = gguf.Q4_0
	_, err = SynthesizeHF(t.Context(), filepath.Join(dir, "new"), x)
	require.ErrorContains(t, err, "weights of type bf16, not q4_0")
	x.Type = gguf.BF16
	x.Config, err = Shape("100x16384:experts=64")
	require.NoError(t, err)
	_, err = SynthesizeHF(t.Context(), filepath.Join(dir, "new"), x)
	require.ErrorIs(t, err, disk.ErrSpace)
	x.Config, err = Shape("tiny:context=131072")
	require.NoError(t, err)
	_, err = SynthesizeHF(t.Context(), filepath.Join(dir, "new"), x)
	require.ErrorContains(t, err, "max_position_embeddings")
	assert.Equal(t, []string{"checkpoint", "other"}, left(dir))
}

func TestOffer(t *testing.T) {
	for _, shape := range []string{"mini", "tiny", "tiny:used=3", "tiny:groups=1", "mini:used=6", "mini:groups=16,groups-used=1,used=16", "mini:groups=256,groups-used=8"} {
		c, err := Shape(shape)
		require.NoError(t, err)
		size := c.Experts / c.ExpertGroups
		for s := c.ExpertsUsed; s <= c.Experts; s++ {
			offered := offer(&c, 1, 2, s)
			assert.Equal(t, offered, offer(&c, 1, 2, s))
			all, groups, least := 0, 0, c.Experts
			for g := range c.ExpertGroups {
				n := 0
				for _, yes := range offered[g*size : (g+1)*size] {
					if yes {
						n++
					}
				}
				if all += n; n > 0 {
					groups, least = groups+1, min(least, n)
				}
			}
			if !assert.GreaterOrEqual(t, all, s, shape) {
				return
			}
			if groups > c.GroupsUsed {
				assert.GreaterOrEqual(t, c.GroupsUsed*least, c.ExpertsUsed, "%s: %d: groups are short of experts", shape, s)
				assert.GreaterOrEqual(t, least, min(2, size), "%s: %d: a group is passed over", shape, s)
			}
			if shape == "mini" {
				assert.Equal(t, s, all)
			}
		}
		offered := offer(&c, 1, 2, c.Experts)
		assert.NotContains(t, offered, false)
	}
}
