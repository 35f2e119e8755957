package eval

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"lladakit/datasets"
)

// subsetMethod names how a subset is chosen. Whatever changes the choice takes a new name.
const subsetMethod = "stratified v1"

// Subset returns the indexes of limit records in ascending order, or of all if limit is 0
// or more than there are. Everybody gets the same ones, and a smaller limit gives a part of
// what a greater one gives.
//
// Records are divided by how hard they are: of GSM8K's form by the number of steps in the
// answer, of HumanEval's into quarters by the length of the canonical solution. Within a
// stratum of n they are ordered by a digest of their IDs, and the i-th one stands at
// (i+½)/n; the first of all are taken. So each stratum has its share in every subset.
func Subset(form datasets.Form, records []datasets.Record, limit int) []int {
	all := make([]int, len(records))
	for i := range all {
		all[i] = i
	}
	if limit <= 0 || limit >= len(records) {
		return all
	}
	sums := make([][sha256.Size]byte, len(records))
	for i := range records {
		sums[i] = sha256.Sum256([]byte(subsetMethod + "\n" + records[i].ID))
	}
	byDigest := func(a, b int) int {
		return cmp.Or(slices.Compare(sums[a][:], sums[b][:]), cmp.Compare(a, b))
	}
	at := make([]float64, len(records))
	for _, stratum := range strata(form, records, byDigest) {
		slices.SortFunc(stratum, byDigest)
		for i, r := range stratum {
			at[r] = (float64(i) + 0.5) / float64(len(stratum))
		}
	}
	slices.SortFunc(all, func(a, b int) int { return cmp.Or(cmp.Compare(at[a], at[b]), byDigest(a, b)) })
	chosen := all[:limit]
	slices.Sort(chosen)
	return chosen
}

// strata divides records.
func strata(form datasets.Form, records []datasets.Record, byDigest func(a, b int) int) [][]int {
	if form == datasets.GSM8K {
		steps := map[int][]int{}
		for i := range records {
			n := strings.Count(records[i].Answer, "<<")
			steps[n] = append(steps[n], i)
		}
		var all [][]int
		for _, stratum := range steps { // their order has no effect
			all = append(all, stratum)
		}
		return all
	}
	byLength := make([]int, len(records))
	for i := range byLength {
		byLength[i] = i
	}
	slices.SortFunc(byLength, func(a, b int) int {
		return cmp.Or(cmp.Compare(len(records[a].CanonicalSolution), len(records[b].CanonicalSolution)), byDigest(a, b))
	})
	var all [][]int
	const quarters = 4
	for q := range quarters {
		if stratum := byLength[q*len(byLength)/quarters : (q+1)*len(byLength)/quarters]; len(stratum) > 0 {
			all = append(all, stratum)
		}
	}
	return all
}

// subsetText says what of the data sets is asked, "" for all. With one data set its name is
// left out.
func subsetText(names []string, totals []int, limit int) string {
	var parts []string
	less := false
	for i, name := range names {
		n := totals[i]
		if limit > 0 && limit < n {
			n, less = limit, true
		}
		part := fmt.Sprintf("%d of %d", n, totals[i])
		if len(names) > 1 {
			part += " " + name
		}
		parts = append(parts, part)
	}
	if !less {
		return ""
	}
	return strings.Join(parts, ", ") + ", " + subsetMethod
}
