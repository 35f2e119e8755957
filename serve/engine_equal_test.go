package serve

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/blockstore"
	"lladakit/internal/oracle"
	"lladakit/runtime"
)

// anyRequest returns a request with settings by chance.
func anyRequest(t *testing.T, m *runtime.Model, rng *rand.Rand, i int) Request {
	r := requestOf(t, m, rng.IntN(40), 20+rng.IntN(90))
	o := &r.Options
	switch rng.IntN(4) {
	case 0: // no chat: noise of any length
		r.Prompt = nil
		for range rng.IntN(300) {
			r.Prompt = append(r.Prompt, rng.Int32N(900))
		}
	case 1: // a known beginning
		o.Template = m.Tokenizer.Encode("The answer is")
	}
	o.BlockLength = []int{8, 16, 32, 32}[rng.IntN(4)]
	o.Steps, o.Threshold = 4+rng.IntN(28), 0.3+0.7*rng.Float32()
	all := runtime.Policies()
	o.Policy.Name = all[i%len(all)].Name
	if rng.IntN(3) == 0 && o.Policy.Name != runtime.PolicyCredit {
		o.Temperature, o.Seed, o.TopK = 0.8, rng.Uint64(), rng.IntN(20)
	}
	o.EOSEarlyStop = rng.IntN(3) == 0
	if rng.IntN(4) == 0 && o.Policy.Name != runtime.PolicyJoint {
		o.Delayed = 2
	}
	if rng.IntN(6) == 0 {
		o.KVKeep = 0.5
	}
	r.Steps = rng.IntN(2) == 0
	return r
}

// TestAnswersAreAsAlone: whatever else is asked at the same time, an answer has the
// tokens, the steps and the text that runtime.Model.Generate gives for it alone.
func TestAnswersAreAsAlone(t *testing.T) {
	m := loadTiny(t)
	rng := rand.New(rand.NewPCG(51, 1))
	var requests []Request
	var want []*runtime.Result
	for i := range 28 {
		r := anyRequest(t, m, rng, i)
		alone, err := m.Generate(t.Context(), r.Prompt, r.Options)
		require.NoError(t, err)
		requests, want = append(requests, r), append(want, alone)
	}
	cache, err := m.NewPromptCache(blockstore.Options{Memory: 1 << 20})
	require.NoError(t, err)
	defer cache.Close()
	e := startEngine(t, m, EngineOptions{Batch: 6, Queue: 40, PromptCache: cache})
	var wait sync.WaitGroup
	for i, r := range requests {
		wait.Go(func() {
			a, err := e.Submit(t.Context(), r)
			if !assert.NoError(t, err) {
				return
			}
			text, _, done := read(a)
			same(t, m, fmt.Sprintf("request %d, %+v", i, r.Options), want[i], text, done)
		})
	}
	wait.Wait()
	s := e.Stats()
	require.Greater(t, float64(s.Sequences)/float64(s.Passes), 3.0, "batches are full")
	require.Positive(t, s.Seconds)
}

// same compares an answer with the one alone.
func same(t *testing.T, m *runtime.Model, what string, want *runtime.Result, text string, done *Done) {
	turn := m.Turn(want.IDs)
	assert.NoError(t, done.Err, what)
	assert.Equal(t, m.Text(want.IDs), text, what)
	assert.Equal(t, len(turn), done.Tokens, what)
	assert.Equal(t, map[bool]string{true: "stop", false: "length"}[len(turn) < len(want.IDs)], done.Finish, what)
	got := done.Result
	if got.Finish == "interrupted" { // the turn ended without the end of the text
		assert.GreaterOrEqual(t, len(want.IDs), len(got.IDs), what)
		assert.Greater(t, len(got.IDs), len(turn), what)
		assert.Equal(t, want.IDs[:len(got.IDs)], got.IDs, what)
		return
	}
	assert.Equal(t, want.IDs, got.IDs, what)
	assert.Equal(t, want.StepsPerBlock, got.StepsPerBlock, what)
	assert.Equal(t, want.Fallbacks, got.Fallbacks, what)
}

// TestNoVocabulary: answers of a model without one have ids, and no texts.
func TestNoVocabulary(t *testing.T) {
	all, err := oracle.Golden()
	require.NoError(t, err)
	m := loadFolder(t, all[0].Dir)
	require.Nil(t, m.Tokenizer)
	o := m.Defaults()
	o.GenLength = 70
	r := Request{Prompt: []int32{1, 2, 3}, Options: o, Steps: true}
	want, err := m.Generate(t.Context(), r.Prompt, o)
	require.NoError(t, err)
	e := startEngine(t, m, EngineOptions{})
	text, steps, done := read(submit(t, e, r))
	require.Empty(t, text)
	require.Equal(t, want.IDs, done.Result.IDs)
	require.Equal(t, len(m.Turn(want.IDs)), done.Tokens)
	require.NotEmpty(t, steps)
	require.True(t, slices.ContainsFunc(steps[0].Tokens, func(x Token) bool { return x.Prob > 0 && x.Text == "" }))
	r.Stop = []string{"x"}
	_, err = e.Submit(t.Context(), r)
	require.ErrorContains(t, err, "vocabulary")
}
