package bench

import (
	"context"
	"math/rand/v2"
	"time"

	"lladakit/internal/blockstore"
	"lladakit/kernels"
	"lladakit/runtime"
)

// cacheMemory is what a prompt cache may take: all that a test puts there.
const cacheMemory = 1 << 50

// repeat returns what runs a repetition of a scenario and writes to a tally what it
// took, on a model with the scenario's threads. Everything is in place then, the cache
// filled up to the depth, but warm.
func (b *bed) repeat(ctx context.Context, m *runtime.Model, s Scenario, burst time.Duration) (func(context.Context, *tally) error, error) {
	switch s.Kind {
	case Prefill:
		cache, err := b.cache(ctx, m, s)
		return b.prefill(m, s, cache), err
	case Step, Commit:
		cache, err := b.cache(ctx, m, s)
		return b.single(m, s, cache, burst), err
	default:
		return b.generate(m, s)
	}
}

// prefill computes the prompt as generations do.
func (b *bed) prefill(m *runtime.Model, s Scenario, cache *runtime.Cache) func(context.Context, *tally) error {
	rows := min(s.Tokens, runtime.PrefillRows(s.Block))
	state := m.NewState(rows, 1)
	return func(ctx context.Context, t *tally) error {
		start := time.Now()
		for pos := s.Depth; pos < s.Depth+s.Tokens; pos += rows {
			if err := ctx.Err(); err != nil {
				return err
			}
			from := time.Now()
			ids := b.ids[pos:min(pos+rows, s.Depth+s.Tokens)]
			state.Forward(runtime.Part{IDs: ids, Pos: pos, Block: s.Block, Cache: cache})
			t.forward(time.Since(from), state.Cost())
		}
		t.repetition(time.Since(start), s.Tokens, 0)
		return nil
	}
}

// single runs one forward over a block again and again, for as long as a burst: half of its tokens are masks, as
// on average while it is denoised, or none if it is a commit.
func (b *bed) single(m *runtime.Model, s Scenario, cache *runtime.Cache, burst time.Duration) func(context.Context, *tally) error {
	state := m.NewState(s.Block, s.Block)
	stats := make([]kernels.Stats, s.Logits)
	part := runtime.Part{Pos: s.Depth, Block: s.Block, Cache: cache}
	part.IDs = append(part.IDs, b.ids[s.Depth:s.Depth+s.Block]...)
	if s.Kind == Step {
		for i := 1; i < s.Block; i += 2 {
			part.IDs[i] = m.MaskID
		}
	}
	for i := range s.Logits {
		part.Want = append(part.Want, ((i+1)*s.Block-1)/s.Logits) // masks first
	}
	return func(ctx context.Context, t *tally) error {
		start := time.Now()
		for n := 1; ; n++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			from := time.Now()
			state.Forward(part)
			if s.Logits > 0 {
				state.HeadStats(stats, m.MaskID)
			}
			t.forward(time.Since(from), state.Cost())
			if took := time.Since(start); took >= burst {
				t.repetition(took/time.Duration(n), 0, 0)
				return nil
			}
		}
	}
}

// generate answers a prompt that is as long as the depth.
func (b *bed) generate(m *runtime.Model, s Scenario) (func(context.Context, *tally) error, error) {
	opt := s.options(m)
	prompt := b.ids[:s.Depth]
	if err := m.Check(&opt, len(prompt)); err != nil {
		return nil, &SettingError{s.Name(), err}
	}
	if opt.Profile != runtime.Reference {
		cache, err := m.NewPromptCache(blockstore.Options{Memory: cacheMemory})
		if err != nil {
			return nil, err
		}
		b.closers = append(b.closers, cache.Close)
		opt.PromptCache = cache
	}
	batch := m.NewBatch()
	return func(ctx context.Context, t *tally) error {
		end := m.EOSID
		defer func() { m.EOSID = end }()
		if s.forced() {
			m.EOSID = -1 // no answer ends early
		}
		q, err := batch.Add(prompt, opt)
		if err != nil {
			return err
		}
		start := time.Now()
		for batch.Len() > 0 {
			from := time.Now()
			if _, err := batch.Step(ctx); err != nil {
				batch.Interrupt(q, err)
				return err
			}
			t.forward(time.Since(from), batch.Cost())
		}
		took := time.Since(start)
		r, err := q.Result()
		if err != nil {
			return err
		}
		t.repetition(took, len(r.IDs), r.Forwards.Denoise)
		return nil
	}, nil
}

// cache returns a cache that is filled up to a scenario's depth, with room for a test.
func (b *bed) cache(ctx context.Context, m *runtime.Model, s Scenario) (*runtime.Cache, error) {
	key := place{s.Block, s.Depth}
	if cache := b.caches[key]; cache != nil {
		return cache, nil
	}
	if b.caches == nil {
		b.caches = map[place]*runtime.Cache{}
	}
	if !b.keep {
		clear(b.caches)
	}
	cache := m.NewCache(s.Depth + b.room)
	if s.Depth > 0 {
		rows := min(s.Depth, runtime.PrefillRows(s.Block))
		state := m.NewState(rows, 1)
		for pos := 0; pos < s.Depth; pos += rows {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			state.Forward(runtime.Part{IDs: b.ids[pos:min(pos+rows, s.Depth)], Pos: pos, Block: s.Block, Cache: cache})
		}
	}
	b.caches[key] = cache
	return cache, nil
}

// place says what of a cache is filled.
type place struct{ block, depth int }

// randomIDs returns ids without the mask or the end, the same at every call.
func randomIDs(m *runtime.Model, n int) []int32 {
	rng := rand.New(rand.NewPCG(1, 2))
	ids := make([]int32, 0, n)
	for len(ids) < n {
		if id := rng.Int32N(int32(m.Config.Vocab)); id != m.MaskID && id != m.EOSID {
			ids = append(ids, id)
		}
	}
	return ids
}
