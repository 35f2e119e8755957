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

func TestReadComparison(t *testing.T) {
	data, err := os.ReadFile("testdata/compare.json")
	require.NoError(t, err)
	c, err := reports.ReadComparison(bytes.NewReader(data))
	require.NoError(t, err)
	require.NotEmpty(t, c.Tasks)
	var again bytes.Buffer
	require.NoError(t, c.Write(&again, "json"))
	assert.Equal(t, string(data), again.String())

	for text, want := range map[string]string{
		"":                                 "unexpected end",
		"{}":                               `it has no version under "comparison"`,
		"[]":                               "cannot unmarshal",
		`{"comparison":0}`:                 "has no version",
		`{"comparison":2,"gates":7}`:       "it has version 2, and this program reads up to 1",
		`{"comparison":"1"}`:               "cannot unmarshal",
		`{"comparison":1,"gates":[{}]}`:    "",
		`{"comparison":1,"tasks":[[]]}`:    "cannot unmarshal",
		`{"comparison":1,"other":{"a":1}}`: "",
		`{"comparison":1,"passed":true,"gates":[{}]}`:                        "it passed, and gates[0] did not",
		`{"comparison":1,"gates":[` + strings.Repeat("{},", 10_000) + `{}]}`: "10001 gates are more than 10000",
	} {
		_, err := reports.ReadComparison(strings.NewReader(text))
		if want == "" {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorIs(t, err, reports.ErrComparison)
		assert.ErrorContains(t, err, want)
	}
}
