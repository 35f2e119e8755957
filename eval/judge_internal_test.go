package eval

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/datasets"
	"lladakit/eval/sandbox"
	"lladakit/reports"
)

type failing struct{}

func (failing) Run(context.Context, sandbox.Program) (sandbox.Verdict, error) {
	return sandbox.Verdict{Status: sandbox.Failed}, nil
}

// The longest answer that is judged, with the most tokens, makes a line that is read.
func TestLongestSample(t *testing.T) {
	it := &item{task: &humanevalInstruct, record: &datasets.Record{EntryPoint: "f"}}
	it.sample = reports.Sample{Key: strings.Repeat("0", 64), Generation: strings.Repeat("0", 64), Task: "t", DocID: "d"}
	a := &Answer{Text: strings.Repeat("\x01", mostText), IDs: slices.Repeat([]int32{156892}, 1<<20)}
	s, err := newJudge(failing{}).sample(t.Context(), it, a)
	require.NoError(t, err)
	require.Len(t, s.Extractions, 4)
	line, err := canonical(s)
	require.NoError(t, err)
	list, _, err := reports.ReadSamples(bytes.NewReader(append(line, '\n')))
	require.NoError(t, err)
	assert.Len(t, list[0].Extractions[3].Value, mostText)
}

// runs notes programs, which all pass.
type runs []sandbox.Program

func (r *runs) Run(_ context.Context, p sandbox.Program) (sandbox.Verdict, error) {
	*r = append(*r, p)
	return sandbox.Verdict{Status: sandbox.Passed, Output: "results"}, nil
}

// What the canonical solution computes is computed once, with time to spare.
func TestExpect(t *testing.T) {
	var r runs
	j := newJudge(&r)
	for range 2 {
		v, err := j.run(t.Context(), &Program{Source: "a", Expect: "e", Seconds: 60})
		require.NoError(t, err)
		assert.Equal(t, sandbox.Passed, v.Status)
	}
	require.Len(t, r, 3)
	assert.Equal(t, sandbox.Program{Source: "e", Time: 10 * time.Minute, Memory: plusMemory, Output: MaxExpect}, r[0])
	for _, p := range r[1:] {
		assert.Equal(t, sandbox.Program{Source: "a", Input: []byte("results"), Time: time.Minute, Memory: plusMemory}, p)
	}
}
