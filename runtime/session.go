package runtime

import (
	"context"
	"slices"
)

// Session computes one sequence block by block for a caller that decides itself
// what stands in the blocks.
type Session struct {
	m     *Model
	s     *State
	cache *Cache
	block int
	end   int // positions whose keys and values are final
	rows  []int
}

// NewSession returns an empty sequence of at most positions positions, in blocks
// of the given length.
func (m *Model) NewSession(positions, block int) *Session {
	positions = (positions + block - 1) / block * block
	return &Session{
		m: m, s: m.NewState(max(block, min(PrefillRows(block), positions)), block),
		cache: m.NewCache(positions), block: block,
	}
}

// Extend appends whole blocks of final tokens.
func (s *Session) Extend(ctx context.Context, ids []int32) error {
	for part := range slices.Chunk(ids, s.s.most) {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.s.Forward(Part{IDs: part, Pos: s.end, Block: s.block, Cache: s.cache})
		s.end += len(part)
	}
	return nil
}

// Masked computes the next block with the given tokens, some of them masks, and
// returns which positions of the block are masked and their logits, [masked,
// vocab], valid until the next call. The block does not become final.
func (s *Session) Masked(ids []int32) (rows []int, logits []float32) {
	s.rows = s.rows[:0]
	for i, id := range ids {
		if id == s.m.MaskID {
			s.rows = append(s.rows, i)
		}
	}
	s.s.Forward(Part{IDs: ids, Pos: s.end, Block: s.block, Cache: s.cache, Want: s.rows})
	return s.rows, s.s.Head(0, len(s.rows))
}
