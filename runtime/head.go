package runtime

import (
	"lladakit/internal/arch"
	"lladakit/kernels"
)

// HeadRows is how many tokens of the vocabulary are looked at together: their
// logits of all rows stay in the cache until they are read.
const HeadRows = 512

// headState holds the buffers of the head.
type headState struct {
	logits  []float32         // [head rows, vocab], made when first wanted
	tile    [][]float32       // per worker: [head rows, HeadRows]
	partial []kernels.Partial // [tiles, head rows]
	rows    int
	exclude int32
	task    func(worker, lo, hi int)
}

func newHeadState(c *arch.Config, rows, workers int) headState {
	h := headState{partial: make([]kernels.Partial, tiles(c.Vocab)*rows)}
	for range workers {
		h.tile = append(h.tile, make([]float32, rows*HeadRows))
	}
	return h
}

func tiles(vocab int) int { return (vocab + HeadRows - 1) / HeadRows }

// Head returns logits of the rows that the last pass was asked for, the lo-th to
// the hi-th of them: [hi-lo, vocab], valid until the next call. There is no shift:
// the logits of a position predict the token at that position.
func (s *State) Head(lo, hi int) []float32 {
	n := (hi - lo) * s.cfg.Vocab
	if cap(s.head.logits) < n {
		s.head.logits = make([]float32, n)
	}
	s.head.logits = s.head.logits[:n]
	s.start()
	s.takeNorm(s.h[lo*s.cfg.Hidden:], hi-lo, s.w.OutputNorm)
	s.product(s.head.logits, &s.w.Head)
	s.lap(&s.cost.Head)
	return s.head.logits
}

// logit returns one number of what Head would return: for the i-th row and a token.
func (s *State) logit(i int, token int32) (x float32) {
	s.takeNorm(s.h[i*s.cfg.Hidden:], 1, s.w.OutputNorm)
	s.w.Head.Product(s.one[:], 1, &s.in, nil, int(token), int(token)+1, &s.scratch[0])
	return s.one[0]
}

// HeadStats reads the distributions of the rows that the last pass was asked for
// into stats, one for each, without logits ever being in one place. The token
// exclude is never chosen, but keeps its share.
func (s *State) HeadStats(stats []kernels.Stats, exclude int32) {
	s.start()
	s.cost.read(&s.w.Head, s.n)
	s.takeNorm(s.h, s.n, s.w.OutputNorm)
	s.observe(&s.w.Head, &s.in)
	s.head.rows, s.head.exclude = s.n, exclude
	count := tiles(s.cfg.Vocab)
	s.pool.Run(count, 1, s.head.task)
	for r := range s.n {
		var p kernels.Partial
		for t := range count {
			p.Merge(&s.head.partial[t*s.n+r])
		}
		stats[r] = p.Stats()
	}
	s.lap(&s.cost.Head)
}

// headRange looks at tiles lo to hi.
func (s *State) headRange(worker, lo, hi int) {
	h := &s.head
	for t := lo; t < hi; t++ {
		from, to := t*HeadRows, min((t+1)*HeadRows, s.cfg.Vocab)
		s.w.Head.Product(h.tile[worker], HeadRows, &s.in, nil, from, to, &s.scratch[worker])
		for r := range h.rows {
			logits := h.tile[worker][r*HeadRows:][:to-from]
			h.partial[t*h.rows+r] = kernels.PartialStats(logits, int32(from), h.exclude)
		}
	}
}
