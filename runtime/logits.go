package runtime

import (
	"context"
	"fmt"
)

// headRows is how many rows of logits Logits holds at a time.
const headRows = 32

// Logits computes the logits of every given id under the block-causal mask with
// blocks of the given length, and passes them on in order: row is [vocab], valid
// during the call. An error of f ends it.
func (m *Model) Logits(ctx context.Context, ids []int32, block int, f func(row []float32) error) error {
	if err := m.CheckIDs(ids); err != nil {
		return err
	}
	if block < 1 || block > m.Config.Context {
		return fmt.Errorf("block length %d is not between 1 and the model's %d positions", block, m.Config.Context)
	}
	if len(ids) > m.Config.Context {
		return fmt.Errorf("%d ids exceed the model's %d positions", len(ids), m.Config.Context)
	}
	rows := min(max(block, prefillRows/block*block), max(1, len(ids)))
	s, cache := m.NewState(rows, len(ids), headRows), m.NewCache(len(ids))
	for pos := 0; pos < len(ids); pos += rows {
		part := ids[pos:min(pos+rows, len(ids))]
		s.Forward(Part{IDs: part, Pos: pos, Block: block, Cache: cache, Want: s.all[:len(part)]})
		for lo := 0; lo < len(part); lo += headRows {
			if err := ctx.Err(); err != nil {
				return err
			}
			hi := min(lo+headRows, len(part))
			logits := s.Head(lo, hi)
			for i := range hi - lo {
				if err := f(logits[i*m.Config.Vocab : (i+1)*m.Config.Vocab]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
