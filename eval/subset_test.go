package eval_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/datasets"
	"lladakit/eval"
)

// testData opens a data set that is not part of the repository.
func testData(t testing.TB, name string) *datasets.Data {
	t.Helper()
	dir := os.Getenv("LLADA_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	d, err := datasets.Open(t.Context(), name, datasets.Options{Folder: dir, Cache: t.TempDir(), Offline: true})
	if err != nil {
		t.Skip("without LLADA_TEST_DATA: ", err)
	}
	return d
}

func TestSubset(t *testing.T) {
	all := data(t, 1000)
	for _, name := range []string{"tiny-gsm8k", "tiny-humaneval"} {
		d := all[name]
		n := len(d.Records)
		before := []int{}
		for limit := 1; limit <= n; limit += 7 {
			chosen := eval.Subset(d.Form, d.Records, limit)
			require.Len(t, chosen, limit)
			require.True(t, slices.IsSorted(chosen))
			require.Len(t, slices.Compact(slices.Clone(chosen)), limit)
			for _, i := range before {
				require.Contains(t, chosen, i, "a smaller limit is a part of a greater one")
			}
			before = chosen
		}
		assert.Len(t, eval.Subset(d.Form, d.Records, 0), n)
		assert.Len(t, eval.Subset(d.Form, d.Records, n+1), n)
	}
	assert.Empty(t, eval.Subset(datasets.GSM8K, nil, 3))
	assert.Len(t, eval.Subset(datasets.HumanEval, all["tiny-humaneval"].Records[:2], 1), 1)
}

// Each stratum has its share, and the choice never changes.
func TestSubsetOfPublishedData(t *testing.T) {
	for name, want := range map[string]string{
		"gsm8k":     "5c949b1b5ccc08bab2e81beae48b6195707c49bde7453df905b98dcec9dc3391",
		"humaneval": "46a98619a573f5bad1b1ca0d912d46f8fc741ded5f6874ab4d10d2538a685ece",
	} {
		t.Run(name, func(t *testing.T) {
			d := testData(t, name)
			chosen := eval.Subset(d.Form, d.Records, 100)
			var ids []string
			steps, of := map[int]float64{}, map[int]float64{}
			for _, i := range chosen {
				ids = append(ids, d.Records[i].ID)
				steps[strings.Count(d.Records[i].Answer, "<<")]++
			}
			for i := range d.Records {
				of[strings.Count(d.Records[i].Answer, "<<")]++
			}
			for n, have := range of {
				assert.InDelta(t, have/float64(len(d.Records))*100, steps[n], 1, "problems of %d steps", n)
			}
			assert.Equal(t, want, fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(ids, "\n")))))
		})
	}
}
