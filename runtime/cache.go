package runtime

import "lladakit/kernels"

// Cache holds the keys (normed and rotated) and the values of one sequence.
// Entries of positions that are final stay; those of the block being denoised
// are scratch and overwritten by every pass over it.
type Cache struct {
	Type kernels.Type // of the entries: F32 or F16

	k, v    []kernels.Matrix // [layers·kvHeads] of [positions, headDim]
	kvHeads int
}

// cacheType returns the type of cache entries.
func (m *Model) cacheType() kernels.Type {
	if m.rounds {
		return kernels.F16
	}
	return kernels.F32
}

// NewCache returns an empty cache for a number of positions. Its entries are F32 in
// a model whose weights are of float types, which are computed with as they are,
// and F16 in others, whose activations are rounded to less anyway.
func (m *Model) NewCache(positions int) *Cache {
	c, t := &m.Config, m.cacheType()
	row, _ := t.RowBytes(c.HeadDim)
	cache := &Cache{Type: t, kvHeads: c.KVHeads}
	for range c.Layers * c.KVHeads {
		for _, part := range []*[]kernels.Matrix{&cache.k, &cache.v} {
			*part = append(*part, kernels.Matrix{Type: t, Rows: positions, Cols: c.HeadDim, Data: make([]byte, positions*row)})
		}
	}
	return cache
}

// head returns keys and values of one head of one layer.
func (c *Cache) head(layer, head int) (k, v *kernels.Matrix) {
	i := layer*c.kvHeads + head
	return &c.k[i], &c.v[i]
}

// put writes an entry, rounded to the cache's type.
func (c *Cache) put(m *kernels.Matrix, position int, x []float32) { m.SetRow(position, x) }
