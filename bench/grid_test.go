package bench_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/bench"
)

func TestInts(t *testing.T) {
	for _, c := range []struct {
		lists []string
		want  []int
	}{
		{nil, nil},
		{[]string{"512"}, []int{512}},
		{[]string{"1,2,4"}, []int{1, 2, 4}},
		{[]string{"1, 2", "0"}, []int{1, 2, 0}},
		{[]string{"1-4"}, []int{1, 2, 3, 4}},
		{[]string{"0-10+4,7"}, []int{0, 4, 8, 7}},
		{[]string{"128-1024*2"}, []int{128, 256, 512, 1024}},
		{[]string{"3-3", "5-25*3"}, []int{3, 5, 15}},
	} {
		got, err := bench.Ints(c.lists...)
		require.NoError(t, err, c.lists)
		assert.Equal(t, c.want, got)
	}
	for text, message := range map[string]string{
		"":              `"" has an empty place`,
		"1,,2":          "has an empty place",
		"x":             `"x" is not a number from 0 to`,
		"-1":            `"-1" is not a number`,
		"1.5":           `"1.5" is not a number`,
		"99999999999":   "is not a number",
		"4-1":           `range "4-1" ends before it begins`,
		"1-4+0":         `range "1-4+0" never ends`,
		"1-4*1":         "never ends",
		"0-4*2":         "never ends",
		"1-1000000000":  `range "1-1000000000" makes more than 256 values`,
		"1-4+x":         `"x" is not a number`,
		"1-4+1+1":       `"1+1" is not a number`,
		"0-200,0-200,5": "more than 256 values",
	} {
		_, err := bench.Ints(text)
		require.ErrorContains(t, err, message, text)
	}
}

func TestFloats(t *testing.T) {
	got, err := bench.Floats("0.85,0.9", "0.8-0.95+0.05,1")
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{0.85, 0.9, 0.8, 0.85, 0.9, 0.95, 1}, got, 1e-12)
	for _, text := range []string{"NaN", "inf", "1e3", "0x10", "0.5-0.9+0", "-0.5", "1_0", "0-1+0.000001"} {
		_, err := bench.Floats(text)
		require.Error(t, err, text)
	}
}

func TestNames(t *testing.T) {
	got, err := bench.Names("a,b-c", "d")
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b-c", "d"}, got)
	_, err = bench.Names("a,")
	require.Error(t, err)
}

// FuzzInts requires that any text is values within bounds, or an error of one short
// line.
func FuzzInts(f *testing.F) {
	for _, text := range []string{"1,2,4", "0-10+4", "1-1000000000", "128-1024*2", "1-2-3", "-", "*", "0-0*2", "1073741824-1073741824"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := bench.Ints(text)
		if err != nil {
			require.Less(t, len(err.Error()), 400)
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.NotEmpty(t, got)
		require.LessOrEqual(t, len(got), 256)
		for _, n := range got {
			require.GreaterOrEqual(t, n, 0)
			require.LessOrEqual(t, n, 1<<30)
		}
	})
}
