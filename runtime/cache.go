package runtime

import "lladakit/internal/arch"

// Cache holds the keys (normed and rotated) and the values of one sequence.
// Entries of positions that are final stay; those of the block being denoised
// are scratch and overwritten by every pass over it.
type Cache struct {
	K, V []float32 // [layers, kvHeads, positions, headDim]

	positions int
	kvHeads   int
	headDim   int
}

// NewCache returns an empty cache for a number of positions.
func NewCache(c *arch.Config, positions int) *Cache {
	n := c.Layers * c.KVHeads * positions * c.HeadDim
	return &Cache{
		K: make([]float32, n), V: make([]float32, n),
		positions: positions, kvHeads: c.KVHeads, headDim: c.HeadDim,
	}
}

// head returns keys and values of one head of one layer: [positions, headDim].
func (c *Cache) head(layer, head int) (k, v []float32) {
	n := c.positions * c.headDim
	at := (layer*c.kvHeads + head) * n
	return c.K[at : at+n], c.V[at : at+n]
}
