package runtime

import (
	"context"
	"fmt"
)

// headRows is how many rows of logits are held at a time.
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
	all := make([]int, len(ids))
	for i := range all {
		all[i] = i
	}
	return m.logits(ctx, ids, block, all, f)
}

// logits computes everything from the ids alone, and passes on the logits of the
// positions in want, ascending.
func (m *Model) logits(ctx context.Context, ids []int32, block int, want []int, f func(row []float32) error) error {
	rows := min(PrefillRows(block), max(1, len(ids)))
	s, cache := m.NewState(rows, headRows), m.NewCache(len(ids))
	for pos := 0; pos < len(ids); pos += rows {
		part := Part{IDs: ids[pos:min(pos+rows, len(ids))], Pos: pos, Block: block, Cache: cache}
		for len(want) > 0 && want[0] < part.end() {
			part.Want, want = append(part.Want, want[0]-pos), want[1:]
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		s.Forward(part)
		for lo := 0; lo < len(part.Want); lo += headRows {
			hi := min(lo+headRows, len(part.Want))
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
