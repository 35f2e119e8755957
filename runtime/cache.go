package runtime

import (
	"fmt"

	"lladakit/kernels"
)

// Cache holds the keys (normed and rotated) and the values of one sequence.
// Entries of positions that are final stay; those of the block being denoised
// are scratch and overwritten by every pass over it.
type Cache struct {
	Type kernels.Type // of the entries, see KV

	k, v    []kernels.Matrix // [layers·kvHeads] of [positions, headDim]
	kvHeads int
}

// KV says what the keys and values of a cache are rounded to.
type KV string

const (
	// KVF32 rounds nothing, and attends in float32.
	KVF32 KV = "f32"
	// KVF16 takes half of the memory, and attends faster: in whole numbers, as
	// kernels.Attend says. Logits of the tiny checkpoint are off by 0.016 % (relative
	// RMS error, median of positions), and 99.8 % of the top tokens are the same.
	KVF16 KV = "f16"
	// KVQ8 takes a quarter, 34 bytes for 32 values, and is approximate: logits are off
	// by 0.33 %, and 98.9 % of the top tokens are the same. Heads must have a
	// multiple of 32 values.
	KVQ8 KV = "q8_0"
)

var kvTypes = map[KV]kernels.Type{KVF32: kernels.F32, KVF16: kernels.F16, KVQ8: kernels.Q8_0}

// ParseKV reads the name of a KV; "" stays.
func ParseKV(name string) (KV, error) {
	if _, ok := kvTypes[KV(name)]; !ok && name != "" {
		return "", fmt.Errorf("%.80q is not one of %s, %s, %s", name, KVF32, KVF16, KVQ8)
	}
	return KV(name), nil
}

// chooseKV sets the type of keys and values: the one asked for, or without one, for
// a model whose weights are of float types, which are computed with as they are,
// F32, and for others, whose activations are rounded to less anyway, F16.
func (m *Model) chooseKV(kv KV) error {
	switch {
	case kv != "":
		m.KV = kv
	case m.rounds:
		m.KV = KVF16
	default:
		m.KV = KVF32
	}
	t, ok := kvTypes[m.KV]
	if !ok {
		_, err := ParseKV(string(kv))
		return fmt.Errorf("keys and values: %w", err)
	}
	if _, err := t.RowBytes(m.Config.HeadDim); err != nil {
		return fmt.Errorf("keys and values of type %s need heads of a multiple of 32 values; this model's have %d", m.KV, m.Config.HeadDim)
	}
	return nil
}

// NewCache returns an empty cache for a number of positions.
func (m *Model) NewCache(positions int) *Cache {
	c, t := &m.Config, kvTypes[m.KV]
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
