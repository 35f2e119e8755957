package blockstore

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKeysDiffer: whatever is different, or differently divided, has another key.
func TestKeysDiffer(t *testing.T) {
	root := Root([]byte("model"))
	ids := []int32{1, 2, 3, 4}
	keys := map[string]Key{
		"no parts":            Root(),
		"an empty part":       Root(nil),
		"two empty parts":     Root(nil, nil),
		"model":               root,
		"divided":             Root([]byte("mod"), []byte("el")),
		"divided elsewhere":   Root([]byte("mode"), []byte("l")),
		"and an empty part":   Root([]byte("model"), nil),
		"no ids":              Chain(root, 4, nil),
		"ids":                 Chain(root, 4, ids),
		"block length":        Chain(root, 5, ids),
		"order":               Chain(root, 4, []int32{2, 1, 3, 4}),
		"fewer":               Chain(root, 4, ids[:3]),
		"negative":            Chain(root, 4, []int32{1, 2, 3, -4}),
		"other root":          Chain(Root(), 4, ids),
		"two blocks":          Chain(Chain(root, 4, ids), 4, ids),
		"two blocks, divided": Chain(Chain(root, 4, ids[:2]), 4, append(ids[2:4:4], ids...)),
		"one of their ids":    Chain(root, 4, append(ids[:4:4], ids...)),
		"root of a sum":       Root(root.sum[:]),
		"ids as bytes":        Root(root.sum[:], []byte{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0}),
	}
	seen := map[[32]byte]string{}
	for what, k := range keys {
		if other, ok := seen[k.sum]; ok {
			t.Errorf("%s and %s have the same key", what, other)
		}
		seen[k.sum] = what
	}
	assert.Equal(t, Chain(root, 4, ids), Chain(Root([]byte("model")), 4, slices.Clone(ids)))
}

// TestKeysStay pins keys: a change of them makes every folder useless, and must be
// meant. The values are those of hashlib.sha256 over the bytes that the comments of
// Root and Chain say.
func TestKeysStay(t *testing.T) {
	root := Root([]byte("model"), []byte{1, 2})
	require.Equal(t, "65c079b3c97701bc6588fb237f1d3a53c730b7677748cb71384ed1fe21408128", root.String())
	require.Equal(t, "928895842e1bb7c0a5937ea6b29d208a99f0c881c1a806d24f07fd38cff9a98d", Chain(root, 32, []int32{0, 1, -1, 156895}).String())
}

func TestChain(t *testing.T) {
	root := Root()
	first := Chain(root, 1, []int32{7})
	second := Chain(first, 1, []int32{7})
	assert.True(t, root.first())
	assert.True(t, first.first())
	assert.False(t, second.first())
	assert.Equal(t, first.sum, second.before().sum)
}
