package reports_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

func example() *reports.Trace {
	return &reports.Trace{
		Header: reports.TraceHeader{Trace: 1, Model: "m.gguf", Mask: 9, EOS: 8, Block: 2, PromptIDs: []int32{1}, Settings: []byte(`{"steps":2}`)},
		Steps: []reports.TraceStep{
			{Tokens: []int32{1, 9}, Prompt: 1, Wrote: []bool{false, false}, Stats: []*reports.TracePrediction{nil, {Token: 3, Text: "�", Prob: 0.5}}, Experts: []int{0, 3}},
			{Step: 1, Tokens: []int32{1, 3}, Prompt: 1, Wrote: []bool{false, true}, Edited: []bool{false, true}, Stats: []*reports.TracePrediction{nil, {Token: 3}}, Zone: true},
		},
		End: &reports.TraceEnd{End: "length", IDs: []int32{3}, Text: "x"},
	}
}

func written(t testing.TB, trace *reports.Trace, zip bool) []byte {
	var b bytes.Buffer
	w := reports.NewTraceWriter(&b, zip)
	require.NoError(t, w.Write(&trace.Header))
	for i := range trace.Steps {
		require.NoError(t, w.Write(&trace.Steps[i]))
	}
	if trace.End != nil {
		require.NoError(t, w.Write(trace.End))
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestTraceRoundTrip(t *testing.T) {
	for _, zip := range []bool{false, true} {
		got, err := reports.ReadTrace(bytes.NewReader(written(t, example(), zip)))
		require.NoError(t, err)
		assert.Equal(t, example(), got)
	}
}

// Wherever a trace is cut off, the whole lines before are read.
func TestTraceCutOff(t *testing.T) {
	for _, zip := range []bool{false, true} {
		data := written(t, example(), zip)
		steps := 0
		for n := range data {
			got, err := reports.ReadTrace(bytes.NewReader(data[:n]))
			if err != nil {
				require.Zero(t, steps, "%d bytes: %v", n, err)
				continue
			}
			require.GreaterOrEqual(t, len(got.Steps), steps, "%d bytes", n)
			steps = len(got.Steps)
			for i := range got.Steps {
				require.Equal(t, example().Steps[i], got.Steps[i], "%d bytes", n)
			}
		}
		require.Equal(t, 2, steps)
	}
}

func TestTraceRefused(t *testing.T) {
	header := `{"trace":1,"block_length":2}` + "\n"
	for text, want := range map[string]string{
		"":                                     "no line",
		"{}\n":                                 "version 0",
		`{"trace":2,"block_length":2}` + "\n":  "version 2 is not between 1 and 1",
		`{"trace":1,"block_length":-2}` + "\n": "block length -2",
		"x\n":                                  "line 1",
		header + "[]\n":                        "line 2",
		header + `{"tokens":[1]}` + "\n":       "not the block's 2 entries",
		header + `{"tokens":[1,2],"wrote":[true,true],"stats":[null,null],"step":-1}` + "\n": "step -1",
		header + `{"end":"eos"}` + "\n{}\n":                                                  "follows the last one",
		"\x1f\x8bxxxxxxxxxxxxxxx":                                                            "no trace",
	} {
		_, err := reports.ReadTrace(strings.NewReader(text))
		require.ErrorIs(t, err, reports.ErrTrace, "%q", text)
		assert.ErrorContains(t, err, want)
	}
}

func FuzzReadTrace(f *testing.F) {
	f.Add(written(f, example(), false))
	f.Add(written(f, example(), true))
	f.Fuzz(func(t *testing.T, data []byte) {
		trace, err := reports.ReadTrace(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := reports.ReadTrace(bytes.NewReader(written(t, trace, false)))
		require.NoError(t, err)
		require.Len(t, again.Steps, len(trace.Steps))
	})
}
