package stats

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Pair is what two runs made of one document: the pairs of answers, and how many of each
// run's were right.
type Pair struct {
	A, B, Answers int
}

// McNemar returns the two-sided p of the exact test that two runs have the same accuracy,
// where only the first was right on a documents and only the second on b (McNemar 1947;
// exact as the binomial test of a in a+b at one half). It is exact for any number: the
// chi-squared approximation saves nothing.
func McNemar(a, b int) float64 {
	n := a + b
	var tail float64
	for k := range min(a, b) + 1 {
		tail += math.Exp(logChoose(n, k) - float64(n)*math.Ln2)
	}
	return min(1, 2*tail)
}

// maxSums bounds the additions that the exact distribution of SignFlip takes.
const maxSums = 500_000_000

// SignFlip returns the two-sided p of the same test where documents have several answers:
// the share of all 2^n exchanges of the runs, document by document, whose difference is
// at least the one seen (Fisher's randomization test of paired samples, 1935). With one
// answer a document it is McNemar. Of very many answers the distribution is taken as
// normal.
func SignFlip(pairs []Pair) float64 {
	var steps []int
	var seen, most, a, b int
	var squares float64
	for _, p := range pairs {
		if d := p.B - p.A; d != 0 {
			size := max(d, -d)
			seen += d
			most += size
			squares += float64(d) * float64(d)
			steps = append(steps, size)
			if d < 0 {
				a++
			} else {
				b++
			}
		}
	}
	switch {
	case most == len(steps): // all by one
		return McNemar(a, b)
	case most > maxSums/len(steps):
		return math.Erfc(math.Abs(float64(seen)) / math.Sqrt(2*squares))
	}
	// The distribution of the sum of differences with random signs, by its value + most.
	now, next := make([]float64, 2*most+1), make([]float64, 2*most+1)
	now[most] = 1
	reach := 0
	for _, step := range steps {
		clear(next[most-reach-step : most+reach+step+1])
		for i := most - reach; i <= most+reach; i++ {
			next[i-step] += now[i] / 2
			next[i+step] += now[i] / 2
		}
		reach += step
		now, next = next, now
	}
	var p float64
	for i, probability := range now {
		if size := max(i-most, most-i); size >= max(seen, -seen) {
			p += probability
		}
	}
	return min(p, 1)
}

// resamples is how many samples of the documents an interval comes from.
const resamples = 10_000

// Bootstrap returns the 95 % interval of the difference of accuracies, B's less A's, by
// resampling documents with all of their answers (Efron 1979, percentiles). Its random
// numbers are always the same, so that equal data have equal intervals, and they do not
// depend on the order of documents. Without answers it is -1 to 1.
func Bootstrap(pairs []Pair) (low, high float64) {
	pairs = slices.DeleteFunc(slices.Clone(pairs), func(p Pair) bool { return p.Answers <= 0 })
	if len(pairs) == 0 {
		return -1, 1
	}
	slices.SortFunc(pairs, func(p, q Pair) int {
		return cmp.Or(cmp.Compare(p.Answers, q.Answers), cmp.Compare(p.B-p.A, q.B-q.A))
	})
	rng := rand.New(rand.NewPCG(1, 1))
	differences := make([]float64, resamples)
	for i := range differences {
		sum, answers := 0, 0
		for range pairs {
			p := &pairs[rng.IntN(len(pairs))]
			sum += p.B - p.A
			answers += p.Answers
		}
		differences[i] = float64(sum) / float64(answers)
	}
	slices.Sort(differences)
	return differences[resamples*25/1000], differences[resamples*975/1000-1]
}
