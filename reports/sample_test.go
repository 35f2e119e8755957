package reports_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

// samplesFile writes samples as a run does.
func samplesFile(t testing.TB, samples []reports.Sample) string {
	var text bytes.Buffer
	for _, s := range samples {
		require.NoError(t, json.NewEncoder(&text).Encode(s))
	}
	return text.String()
}

// TestReadSamples cuts a file off at every byte: what is whole is read.
func TestReadSamples(t *testing.T) {
	all := evalSamples()[:3]
	text := samplesFile(t, all)
	for end := range len(text) + 1 {
		samples, torn, err := reports.ReadSamples(iotest.OneByteReader(strings.NewReader(text[:end])))
		require.NoError(t, err, "%d", end)
		whole := strings.Count(text[:end], "\n")
		require.Len(t, samples, whole)
		require.Equal(t, end > 0 && text[end-1] != '\n', torn, "%d", end)
		for i := range samples {
			require.Equal(t, all[i], samples[i])
		}
	}
}

func TestReadSamplesRefuses(t *testing.T) {
	good := samplesFile(t, evalSamples()[:1])
	change := func(from, to string) string {
		require.Contains(t, good, from)
		return good + strings.Replace(good, from, to, 1)
	}
	for text, want := range map[string]string{
		good + "{\n" + good:                                     "line 2: unexpected end",
		good + "\n":                                             "line 2: unexpected end",
		good + "\x00\x00\n":                                     "line 2: invalid character",
		good + "[]\n":                                           "line 2: json: cannot unmarshal array",
		good + "{}\n":                                           `line 2: its key "" is not 64`,
		change(hash("gsm8k", 0, 0), "ABC"):                      `line 2: its key "ABC" is not 64`,
		change(`"key":"`, `"key":"é`):                           "is not 64",
		change(`"n_gen":40`, `"n_gen":-1`):                      "line 2: its n_gen is -1",
		change(`"index":0`, `"index":4e9`):                      "line 2: ",
		change(`"decode":1`, `"decode":-1`):                     "line 2: a time of it is -100.5",
		change(`"doc_id":"gsm8k/0"`, `"doc_id":""`):             "no doc_id",
		change(`"forwards_commit":2`, `"forwards_commit":9e99`): "line 2: ",
		change(`"ids":[5`, `"ids":[5000000000`):                 "line 2: ",
	} {
		samples, _, err := reports.ReadSamples(strings.NewReader(text))
		require.ErrorIs(t, err, reports.ErrSamples, want)
		assert.ErrorContains(t, err, want)
		assert.Empty(t, samples)
	}
	long := io.MultiReader(strings.NewReader(good+`{"text":"`), io.LimitReader(zeros{}, 17<<20))
	_, _, err := reports.ReadSamples(long)
	assert.ErrorContains(t, err, "line 2 has more than 16 MiB")
	disk := errors.New("disk")
	_, _, err = reports.ReadSamples(io.MultiReader(strings.NewReader(good), iotest.ErrReader(disk)))
	assert.ErrorIs(t, err, disk)
	assert.NotErrorIs(t, err, reports.ErrSamples)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// What can be read is read again from what it is written as, and can be summarised,
// written and compared with itself.
func FuzzReadSamples(f *testing.F) {
	f.Add([]byte(samplesFile(f, evalSamples()[:2])))
	f.Add([]byte(samplesFile(f, evalSamples()[:1]) + `{"key":`))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		samples, _, err := reports.ReadSamples(bytes.NewReader(data))
		if err != nil {
			return
		}
		text := samplesFile(t, samples)
		again, torn, err := reports.ReadSamples(strings.NewReader(text))
		require.NoError(t, err)
		require.False(t, torn)
		require.Equal(t, text, samplesFile(t, again))
		e := new(reports.Eval)
		reports.Summarise(e, samples)
		for _, form := range reports.EvalForms() {
			evalIn(t, e, form)
		}
	})
}
