package reports_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/reports"
)

// Files of version 1 are read for ever: this one is as the first of them were.
func TestReadBench(t *testing.T) {
	data, err := os.ReadFile("testdata/bench-v1.json")
	require.NoError(t, err)
	got, err := reports.ReadBench(bytes.NewReader(data))
	require.NoError(t, err)
	want := fixture()
	want.Asked, want.Repetitions = 0, 0 // which are not as old as the file
	assert.Equal(t, want, got)

	again, err := reports.ReadBench(strings.NewReader(inForm(t, beside(t), "json")))
	require.NoError(t, err)
	assert.Equal(t, beside(t), again)
}

// What an interrupted benchmark says about itself, with and without knowing what it was to be.
func TestBenchPart(t *testing.T) {
	b := fixture()
	for _, c := range []struct {
		asked, repetitions int
		want               string
	}{
		{8, 3, "interrupted: 5 of 8 tests\n"},
		{6, 4, "interrupted: 5 of 6 tests, 4 of them with fewer than 4 repetitions\n"}, // the fifth failed
		{0, 0, "interrupted: it has 5 tests, and others are missing or have fewer repetitions\n"},
	} {
		b.Asked, b.Repetitions = c.asked, c.repetitions
		assert.Contains(t, inForm(t, b, "md"), c.want)
	}
}

func TestReadBenchRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "unexpected end",
		"null":                                   `no version under "bench"`,
		"[]":                                     "cannot unmarshal array",
		`{"trace":1}`:                            `no version under "bench"`,
		`{"bench":0}`:                            `no version under "bench"`,
		`{"bench":2,"tests":{"new":1}}`:          "version 2, and this program reads up to 1: use a newer one",
		`{"bench":2}`:                            "version 2, and this program reads up to 1: use a newer one",
		`{"bench":1.5}`:                          "cannot unmarshal",
		`{"bench":1}x`:                           "invalid character",
		`{"bench":1,"tests":[{"n_threads":-1}]}`: "tests[0].n_threads is -1",
		`{"bench":1,"tests":[{},{"avg_ts":-0.5}]}`:                      "tests[1].avg_ts is -0.5",
		`{"bench":1,"tests":[{"avg_ts":1e999}]}`:                        "1e999",
		`{"bench":1,"tests":[{"avg_ts":NaN}]}`:                          "invalid character",
		`{"bench":1,"tests":[{"samples_ts":[1,-1]}]}`:                   "tests[0].samples_ts[1] is -1",
		`{"bench":1,"tests":[{"avg_ns":99999999999999999999}]}`:         "99999999999999999999",
		`{"bench":1,"tests_asked":1,"tests":[{},{}]}`:                   "tests_asked is 1, and there are 2 tests",
		`{"bench":1,"started":"2026-01-02T03:03:05+24:59"}`:             "started: ",
		`{"bench":1,"repetitions":-3}`:                                  "repetitions is -3",
		`{"bench":1,"machine":{"memory":-1}}`:                           "-1",
		`{"bench":1,"limits":[{"memory_gb_per_s":-1}]}`:                 "limits[0].memory_gb_per_s is -1",
		`{"bench":1,"imported":[{"tests":[{"phases_ns":{"ffn":-1}}]}]}`: "imported[0].tests[0].phases_ns.ffn is -1",
		`{"bench":1,"tests":[` + strings.Repeat("{},", 60_000) + `{}]}`: "60001 tests are more than 50000",
		`{"bench":1}` + strings.Repeat(" ", 32<<20):                     "more than 32 MiB",
	} {
		_, err := reports.ReadBench(strings.NewReader(text))
		short := text[:min(len(text), 80)]
		require.ErrorIs(t, err, reports.ErrBench, "%s", short)
		assert.ErrorContains(t, err, want, "%s", short)
	}
}

// What can be read can be written in every form, and read again as it was.
func FuzzReadBench(f *testing.F) {
	data, err := os.ReadFile("testdata/bench-v1.json")
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte(`{"bench":1,"started":"2026-01-02T03:04:05+23:59","tests":[{"model_type":"\u0000|"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := reports.ReadBench(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, form := range reports.BenchForms() {
			text := inForm(t, b, form)
			if form != "json" {
				continue
			}
			again, err := reports.ReadBench(strings.NewReader(text))
			require.NoError(t, err)
			require.Equal(t, text, inForm(t, again, "json"))
		}
	})
}
