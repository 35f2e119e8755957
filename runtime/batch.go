package runtime

import (
	"context"
	"slices"
	"time"

	"lladakit/kernels"
)

// Batch decodes several sequences, each as if it were alone, in passes that they
// share: the weights of an expert are read once for all of them. The first one done
// is the first one out, and another may take its place at any time. One operation of
// a model runs at a time, so a batch is for one goroutine.
type Batch struct {
	m         *Model
	s         *State
	rows      int // of s
	sequences []*Sequence
	passes    int // that were planned

	// Of the pass.
	parts []Part
	of    []*Sequence
	stats []kernels.Stats
	out   outcome
	took  int // sequences in the last one
}

// NewBatch returns a batch without sequences.
func (m *Model) NewBatch() *Batch { return &Batch{m: m} }

// Add begins the answer to a prompt. It fails, before any work, when a setting or an
// id is out of range.
func (b *Batch) Add(prompt []int32, opt Options) (*Sequence, error) {
	if err := b.m.Check(&opt, len(prompt)); err != nil {
		return nil, err
	}
	if err := b.m.CheckIDs(prompt); err != nil {
		return nil, err
	}
	if err := b.m.CheckIDs(opt.Template); err != nil {
		return nil, err
	}
	q := b.m.newSequence(prompt, opt)
	q.fed = b.passes
	b.sequences = append(b.sequences, q)
	b.reserve()
	return q, nil
}

// Len returns how many sequences are not done.
func (b *Batch) Len() int { return len(b.sequences) }

// reserve makes room for passes with a step of every sequence. Room that is mostly of
// no use any more is given back: a row of a large model takes some 100 KB.
func (b *Batch) reserve() {
	rows, prompt := 0, 0
	for _, q := range b.sequences {
		rows += q.most()
		prompt = max(prompt, min(prefillRows, q.first-q.final))
	}
	rows = max(rows, prompt)
	if b.s == nil || rows > b.rows || 4*rows < b.rows {
		b.rows = rows
		b.s = b.m.NewState(b.rows, b.rows)
		b.stats = make([]kernels.Stats, b.rows)
	}
}

// Step runs one pass with a step of every sequence that it has room for, all unless
// prompts are long, and returns those that are done. They are no longer part of the
// batch. When ctx has ended it runs none.
func (b *Batch) Step(ctx context.Context) (done []*Sequence, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.pass()
	b.forget()
	left := b.sequences[:0]
	for _, q := range b.sequences {
		if q.done {
			done = append(done, q)
		} else {
			left = append(left, q)
		}
	}
	clear(b.sequences[len(left):])
	b.sequences = left
	return done, nil
}

// forget lets go of the caches of the pass, which would outlive their sequences.
func (b *Batch) forget() {
	b.took = len(b.of)
	clear(b.parts)
	clear(b.of)
	b.out.part = nil
	if b.s != nil {
		clear(b.s.parts)
	}
}

// Took returns how many sequences the last pass computed parts of. It is 0 if there was
// nothing to compute.
func (b *Batch) Took() int { return b.took }

// pass runs the pass.
func (b *Batch) pass() {
	start := time.Now()
	b.plan()
	if len(b.parts) == 0 {
		return
	}
	b.s.Forward(b.parts...)
	if n := len(b.s.want); n > 0 {
		b.s.HeadStats(b.stats[:n], b.m.MaskID)
	}
	b.absorb(time.Since(start))
}

// plan collects the parts of the pass: steps of blocks first, which are short, and
// then as much of the prompts as there is room for. So no prompt, however long, keeps a
// step waiting for more than the rest of a pass; and prompts take turns, so that a short
// one need not wait for all of a long one.
func (b *Batch) plan() {
	b.parts, b.of = b.parts[:0], b.of[:0]
	b.passes++
	budget := b.rows
	for _, q := range b.sequences {
		if !q.done && !q.prefilling() {
			budget -= b.give(q, budget)
		}
	}
	for {
		var next *Sequence
		for _, q := range b.sequences {
			if !q.done && q.prefilling() && q.fed < b.passes && (next == nil || q.fed < next.fed) {
				next = q
			}
		}
		if next == nil {
			return
		}
		rows := b.give(next, budget)
		if rows == 0 {
			return
		}
		next.fed, budget = b.passes, budget-rows
	}
}

// give puts a step of a sequence into the pass if it has at most budget rows, and
// returns how many it has.
func (b *Batch) give(q *Sequence, budget int) int {
	p, ok := q.next(budget)
	if !ok {
		return 0
	}
	b.parts, b.of = append(b.parts, p), append(b.of, q)
	return p.count()
}

// absorb hands out what the pass computed.
func (b *Batch) absorb(took time.Duration) {
	at := 0
	for i, q := range b.of {
		p, from := &b.parts[i], at
		at += len(p.Want)
		b.out = outcome{s: b.s, part: p, stats: b.stats[from:at], first: from, sharers: len(b.of), took: took}
		b.s.start()
		q.absorb(&b.out)
		b.s.lap(&b.s.cost.Acceptance)
	}
}

// Cost returns what the last pass took. Its slice is used again.
func (b *Batch) Cost() Cost { return b.s.Cost() }

// Interrupt ends a sequence of the batch, or all of them if q is nil, with err. Their
// results have what was decided up to the last whole block.
func (b *Batch) Interrupt(q *Sequence, err error) {
	for _, r := range b.sequences {
		if q == nil || q == r {
			r.interrupt(err)
		}
	}
}

// Drop interrupts a sequence of the batch and takes it out at once: Step will not return
// it. One that is not in the batch stays as it is.
func (b *Batch) Drop(q *Sequence, err error) {
	if i := slices.Index(b.sequences, q); i >= 0 {
		q.interrupt(err)
		b.sequences = slices.Delete(b.sequences, i, i+1)
	}
}

// Generate answers a prompt by block diffusion (LLaDA2.0's generate). It fails
// before any work when a setting or an id is out of range. When ctx ends, or
// the model computes what is no number, it returns what was decided up to the
// last whole block with the error.
//
// Two things differ from the published code. The answer never includes the
// prompt, where that code returns both after an early stop. And the mask token
// is never chosen as a prediction (it keeps its share of the softmax), where
// that code would write it and waste the step.
func (m *Model) Generate(ctx context.Context, prompt []int32, opt Options) (*Result, error) {
	b := m.NewBatch()
	q, err := b.Add(prompt, opt)
	if err != nil {
		return nil, err
	}
	for b.Len() > 0 {
		if _, err := b.Step(ctx); err != nil {
			b.Interrupt(nil, err)
			break
		}
	}
	return q.Result()
}
