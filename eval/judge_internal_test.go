package eval

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

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
