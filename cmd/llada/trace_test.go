package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/kernels"
	"lladakit/reports"
	"lladakit/runtime"
)

func readTrace(t *testing.T, path string) *reports.Trace {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	trace, err := reports.ReadTrace(f)
	require.NoError(t, err)
	return trace
}

// Replaying a trace by the rule of the threshold gives the answer.
func TestTrace(t *testing.T) {
	const threshold, mask, block = 0.3, 301, 16
	path := filepath.Join(t.TempDir(), "trace.jsonl.gz")
	prompt := []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}
	got := document[runDocument](t, "run --json --gen-length 40 --block-length 16 --steps 16 --threshold 0.3 --ids "+ids(prompt)+
		" --model "+models.narrow+" --trace "+path)
	trace := readTrace(t, path)
	lines := trace.Steps
	require.Len(t, lines, got.Forwards.Denoise)
	assert.Equal(t, block, trace.Header.Block)
	assert.Equal(t, "exact", trace.Header.Class)
	assert.Equal(t, got.Finish, trace.End.End)
	assert.Empty(t, trace.End.Error)
	assert.Equal(t, fmt.Sprint(got.IDs), fmt.Sprint(trace.End.IDs))

	answer := append([]int{}, prompt...)
	for len(answer) < 64 {
		answer = append(answer, mask)
	}
	before := reports.TraceStep{Block: len(prompt) / block, Step: -1}
	for _, l := range lines {
		if l.Step == 0 {
			assert.Equal(t, before.Block+min(1, before.Step+1), l.Block)
			assert.Equal(t, max(0, len(prompt)-l.Block*block), l.Prompt)
		} else {
			assert.Equal(t, before.Block, l.Block)
			assert.Equal(t, before.Step+1, l.Step)
		}
		before = l
		x := answer[l.Block*block : (l.Block+1)*block]
		high, wrote, least, most := 0, 0, float32(1), float32(0)
		var entropy, margin float64
		masked := 0
		for i, id := range x {
			require.Equal(t, id == mask, l.Stats[i] != nil)
			if id != mask {
				require.False(t, l.Wrote[i])
				continue
			}
			s := l.Stats[i]
			assert.True(t, 0 <= s.Second && s.Second <= s.Prob && s.Prob <= 1 && s.Entropy >= 0, "%+v", s)
			masked++
			entropy += float64(s.Entropy)
			margin += float64(s.Prob - s.Second)
			if s.Prob > threshold {
				high++
			}
			if l.Wrote[i] {
				x[i] = int(s.Token)
				wrote++
				least = min(least, s.Prob)
			} else {
				most = max(most, s.Prob)
			}
		}
		assert.Equal(t, max(1, high), wrote)
		assert.GreaterOrEqual(t, least, most)
		assert.Equal(t, fmt.Sprint(x), fmt.Sprint(l.Tokens))
		assert.InDelta(t, entropy/float64(masked), l.Entropy, 1e-6)
		assert.InDelta(t, 1-margin/float64(masked), l.Margin, 1e-6)
		assert.Nil(t, l.Edited)
		assert.Len(t, l.Experts, 3)
		assert.Greater(t, l.MS.Total, 0.0)
	}
	assert.Equal(t, got.IDs, answer[len(prompt):len(prompt)+len(got.IDs)])
}

func TestTraceRefused(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "model.gguf")
	data, err := os.ReadFile(models.tiny)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(model, data, 0o666))
	prompt := filepath.Join(dir, "prompt")
	require.NoError(t, os.WriteFile(prompt, []byte("Hello"), 0o666))
	require.NoError(t, os.Symlink(model, filepath.Join(dir, "link")))
	for _, c := range []struct {
		path, want string
		code       int
	}{
		{model, "is read, and would be overwritten", 2},
		{filepath.Join(dir, "link"), "is read, and would be overwritten", 2},
		{prompt, "is read, and would be overwritten", 2},
		{"", "--trace is empty", 2},
		{filepath.Join(dir, "missing", "trace"), "missing", 3},
		{dir, "is a directory", 1},
	} {
		o := llada(t, "run --gen-length 8 --model "+model+" --prompt-file "+prompt, "--trace", c.path)
		assert.Equal(t, c.code, o.code, "%v", o.err)
		assert.ErrorContains(t, o.err, c.want)
		assert.Empty(t, o.stdout)
	}
	after, err := os.ReadFile(model)
	require.NoError(t, err)
	assert.Equal(t, data, after)
}

// A full disk ends the run, which says so and prints what there is.
func TestTraceFails(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	o := llada(t, "run --ids 1,2 --gen-length 2000 --model "+models.narrow+" --trace /dev/full")
	assert.Equal(t, 3, o.code)
	assert.ErrorContains(t, o.err, "/dev/full")
	assert.Contains(t, o.stderr, "0 tokens, 0 forwards")
	assert.Empty(t, o.stdout)
}

// JSON has no numbers for what a damaged model may compute.
func TestTraceNotFinite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	ctx, cancel := context.WithCancel(t.Context())
	m, err := runtime.Load(models.narrow, runtime.LoadOptions{})
	require.NoError(t, err)
	defer m.Close()
	tr, err := createTrace(path, nil, m, nil, &runtime.Options{BlockLength: 1}, cancel)
	require.NoError(t, err)
	step := runtime.Step{Block: 2, Step: 1, Tokens: []int32{7}, Wrote: []bool{true}, Masked: []bool{true}, Stats: []kernels.Stats{{Token: 7, Prob: 1}}}
	tr.step(step)
	require.NoError(t, ctx.Err())
	step.Step, step.Stats[0].Entropy = 2, float32(math.NaN())
	tr.step(step)
	tr.step(step)
	assert.Error(t, ctx.Err(), "the generation is stopped")
	assert.EqualError(t, tr.end(nil, nil), path+": block 2, step 2: the model's probabilities are not finite")
	assert.Len(t, readTrace(t, path).Steps, 1)
}
