package runtime_test

import (
	"errors"
	"math/rand/v2"
	goruntime "runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// TestPromptsTakeTurns: while a long prompt is read, a step of every other answer is in
// each pass, and a short prompt is read before the long one is; none of it changes an
// answer.
func TestPromptsTakeTurns(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.BF16)
	rng := rand.New(rand.NewPCG(24, 1))
	o := m.Defaults()
	o.GenLength, o.Threshold = 64, 1
	b := m.NewBatch()
	steps := 0
	talking := o
	talking.OnStep = func(runtime.Step) { steps++ }
	first, err := b.Add(window(rng, m, 10, 0), talking)
	require.NoError(t, err)
	_, err = b.Step(t.Context())
	require.NoError(t, err)

	prompts := [][]int32{window(rng, m, 1500, 0), window(rng, m, 90, 0)}
	var began [2]bool
	var of []*runtime.Sequence
	for i, prompt := range prompts {
		with := o
		with.OnStep = func(runtime.Step) { began[i] = true }
		q, err := b.Add(prompt, with)
		require.NoError(t, err)
		of = append(of, q)
	}
	passes, shortAt := 0, 0
	for ; !began[0]; passes++ {
		before := steps
		_, err := b.Step(t.Context())
		require.NoError(t, err)
		require.Equal(t, before+1, steps, "a step in every pass")
		require.GreaterOrEqual(t, b.Took(), 2)
		require.LessOrEqual(t, b.Cost().Rows, 256)
		if began[1] && shortAt == 0 {
			shortAt = passes + 1
		}
	}
	require.Greater(t, passes, 5)
	require.LessOrEqual(t, shortAt, 3)
	run(t, b)
	require.True(t, first.Done())
	for i, q := range of {
		got, err := q.Result()
		require.NoError(t, err)
		_, want := alone(t, m, prompts[i], o)
		require.Equal(t, want.IDs, got.IDs)
	}
}

// TestDecided follows an answer: what is decided only grows, by whole blocks, and is the
// answer in the end.
func TestDecided(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.BF16)
	rng := rand.New(rand.NewPCG(25, 1))
	for _, early := range []bool{false, true} {
		for _, length := range []int{0, 7, 32, 75} {
			o := m.Defaults()
			o.GenLength, o.Threshold, o.EOSEarlyStop = 90, 0.3, early
			b := m.NewBatch()
			q, err := b.Add(window(rng, m, length, 0), o)
			require.NoError(t, err)
			before := []int32{}
			for b.Len() > 0 {
				_, err := b.Step(t.Context())
				require.NoError(t, err)
				now := q.Decided()
				require.Equal(t, before, now[:len(before)])
				require.NotContains(t, now, m.MaskID)
				if !q.Done() && len(now) > 0 {
					require.Zero(t, (length+len(now))%o.BlockLength)
				}
				before = slices.Clone(now)
			}
			r, err := q.Result()
			require.NoError(t, err)
			require.Equal(t, r.IDs, before[:len(r.IDs)])
		}
	}
}

// TestDrop: what is dropped is gone at once, has what was decided, and disturbs nobody.
func TestDrop(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.BF16)
	o := m.Defaults()
	o.GenLength, o.Threshold = 96, 1
	b := m.NewBatch()
	q, err := b.Add([]int32{1, 2, 3}, o)
	require.NoError(t, err)
	other, err := b.Add([]int32{1, 2, 3, 4}, o)
	require.NoError(t, err)
	for range 40 { // into the second block
		_, err := b.Step(t.Context())
		require.NoError(t, err)
	}
	left := errors.New("the client left")
	b.Drop(q, left)
	require.Equal(t, 1, b.Len())
	b.Drop(q, errors.New("again"))
	got, err := q.Result()
	require.ErrorIs(t, err, left)
	require.Len(t, got.IDs, 29)
	require.Equal(t, got.IDs, q.Decided())
	run(t, b)
	_, want := alone(t, m, []int32{1, 2, 3, 4}, o)
	rest, err := other.Result()
	require.NoError(t, err)
	require.Equal(t, want.IDs, rest.IDs)
	b.Drop(other, left) // which is not there any more
	_, err = other.Result()
	require.NoError(t, err)
}

// TestSequencesAreLetGo: neither a batch nor a result keeps the keys and values of an
// answer that is done.
func TestSequencesAreLetGo(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.BF16)
	o := m.Defaults()
	o.GenLength = 40
	b := m.NewBatch()
	gone := make(chan int, 2)
	var results []*runtime.Result
	for i := range 2 {
		q, err := b.Add([]int32{1, 2, 3}, o)
		require.NoError(t, err)
		goruntime.AddCleanup(q, func(i int) { gone <- i }, i)
		if i == 0 {
			run(t, b)
		} else {
			_, err = b.Step(t.Context())
			require.NoError(t, err)
			b.Drop(q, errors.New("enough"))
		}
		r, _ := q.Result()
		results = append(results, r)
	}
	left := 2
	for range 1000 { // cleanups run some time after a collection
		goruntime.GC()
		select {
		case <-gone:
			left--
		case <-time.After(time.Millisecond):
		}
		if left == 0 {
			break
		}
	}
	require.Zero(t, left)
	require.Len(t, results, 2)
	goruntime.KeepAlive(b)
}
