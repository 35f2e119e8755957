package runtime

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/kernels"
)

const no = -1 // where there is no mask

// viewOf returns what a policy sees of a block with these probabilities, no of them
// where there is no mask. The token 100+i is predicted at position i, and stands there
// where there is no mask.
func viewOf(conf ...float32) *view {
	v := &view{
		current: make([]int32, len(conf)), masked: make([]bool, len(conf)), fixed: make([]bool, len(conf)),
		stats: make([]kernels.Stats, len(conf)), quota: 1, threshold: 0.95,
	}
	for i, c := range conf {
		v.current[i], v.masked[i] = int32(100+i), c >= 0
		v.stats[i] = kernels.Stats{Token: int32(100 + i), Prob: max(0, c)}
	}
	return v
}

// taken lists the positions that a policy writes.
func taken(t testing.TB, o PolicyOptions, v *view) []int {
	t.Helper()
	require.NoError(t, o.check(len(v.masked), 0))
	return chosen(newDecider(o, len(v.masked)), v)
}

func chosen(d *decider, v *view) []int {
	take := make([]bool, len(v.masked))
	for i := range take {
		take[i] = true // what a step before left
	}
	d.decide(take, v)
	at := []int{}
	for i, t := range take {
		if t {
			at = append(at, i)
		}
	}
	return at
}

// The table of acceptThreshold stands in policy_test.go.
func TestThreshold(t *testing.T) {
	v := viewOf(0.96, no, 0.5, 0.97)
	assert.Equal(t, []int{0, 3}, taken(t, PolicyOptions{}, v))
	assert.Equal(t, []int{0, 3}, taken(t, PolicyOptions{Name: PolicyThreshold}, v))
	v.threshold = 0.98
	assert.Equal(t, []int{3}, taken(t, PolicyOptions{}, v))
	v.quota = 0 // the schedule has ended: one still
	assert.Equal(t, []int{3}, taken(t, PolicyOptions{}, v))
	v.quota = 2
	assert.Equal(t, []int{0, 3}, taken(t, PolicyOptions{}, v))
	assert.Empty(t, taken(t, PolicyOptions{}, viewOf(no, no)))
}

func TestFactor(t *testing.T) {
	for _, c := range []struct {
		name   string
		factor float64
		quota  int
		conf   []float32
		want   []int
	}{
		// (n+1)(1-p(n)): n=2: 3·0.1 = 0.3; n=3: 4·0.2 = 0.8; n=4: 5·0.3 = 1.5
		{"default 1", 0, 1, []float32{0.8, 0.95, 0.7, no, 0.9}, []int{0, 1, 4}},
		{"0.5 ends before n=3", 0.5, 1, []float32{0.8, 0.95, 0.7, no, 0.9}, []int{1, 4}},
		{"2 has all", 2, 1, []float32{0.8, 0.95, 0.7, no, 0.9}, []int{0, 1, 2, 4}},
		{"0 writes one", -1, 1, []float32{0.8, 0.95, 0.7, no, 0.9}, []int{1}},
		{"near 0 writes one", 1e-9, 1, []float32{0.8, 0.95, 0.7, no, 0.9}, []int{1}},
		// 3·(1-0.75) = 0.75 exactly, which is not below
		{"strictly below", 0.75, 1, []float32{0.75, 0.75}, []int{0}},
		{"strictly below, passed", 0.7500001, 1, []float32{0.75, 0.75}, []int{0, 1}},
		// n=2: 3·0.9 = 2.7; the first is taken though 2·0.9 = 1.8 is not below 1 either
		{"always one", 1, 1, []float32{0.1, 0.1}, []int{0}},
		// the quota, then on: n=3: 4·0.25 = 1
		{"quota", 1, 3, []float32{0.75, 0.75, 0.75, 0.75}, []int{0, 1, 2}},
		// n=8: 9·0.1 = 0.9; n=9: 10·(1-float32(0.9)) is a little above 1
		{"ten of 0.9", 1, 1, []float32{0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9}, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		// certain ones: (n+1)·0 = 0 < f
		{"certain", 1e-9, 1, []float32{1, 0.5, 1, 1}, []int{0, 2, 3}},
		{"certain, factor 0", -1, 1, []float32{1, 0.5, 1, 1}, []int{0}},
		{"no masks", 1, 1, []float32{no}, []int{}},
	} {
		v := viewOf(c.conf...)
		v.quota = c.quota
		assert.Equal(t, c.want, taken(t, PolicyOptions{Name: PolicyFactor, Factor: c.factor}, v), c.name)
	}
}

func TestEntropyBound(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name    string
		bound   float64
		quota   int
		entropy []float32 // no: no mask
		want    []int
	}{
		// in order 0.04, 0.05, 0.1, 0.3; sums before them 0, 0.04, 0.09, 0.19 > 0.15
		{"default 0.15", 0, 1, []float32{0.1, 0.04, no, 0.3, 0.05}, []int{0, 1, 4}},
		// in order 0.25, 0.25, 0.5, 1; sums before them 0, 0.25, 0.5, 1
		{"as great as the bound", 0.5, 1, []float32{0.5, 0.25, 0.25, 1}, []int{0, 1, 2}},
		{"lower position first", 0.2, 1, []float32{0.5, 0.25, 0.25, 1}, []int{1}},
		{"the bound of the first two", 0.25, 1, []float32{0.5, 0.25, 0.25, 1}, []int{1, 2}},
		{"0 writes one", -1, 1, []float32{0.5, 0.25, 0.25, 1}, []int{1}},
		{"without entropy, all", -1, 1, []float32{0, 0.25, 0, 1}, []int{0, 1, 2}},
		{"quota", -1, 3, []float32{0.5, 0.25, 0.25, 1}, []int{0, 1, 2}},
		{"a great bound", 100, 1, []float32{0.5, 0.25, no, 1}, []int{0, 1, 3}},
		// in order -9, 0.25, 0.5; sums before them 0, 0, 0.25
		{"below 0 counts as 0", 0.125, 1, []float32{0.5, 0.25, -9}, []int{1, 2}},
		{"no number is the greatest", 100, 1, []float32{nan, 1}, []int{0, 1}},
		{"no number is the greatest, before more", -1, 1, []float32{nan, 1}, []int{1}},
		{"no masks", 1, 1, []float32{no}, []int{}},
	} {
		v := viewOf(make([]float32, len(c.entropy))...)
		v.quota = c.quota
		for i, h := range c.entropy {
			v.masked[i], v.stats[i].Entropy = h != no, h
		}
		assert.Equal(t, c.want, taken(t, PolicyOptions{Name: PolicyEntropyBound, EntropyBound: c.bound}, v), c.name)
	}
}

func TestHierarchical(t *testing.T) {
	for _, c := range []struct {
		name  string
		low   float32
		quota int
		conf  []float32
		want  []int
	}{
		// runs {0,1}: 0.6 > 0.4; {3,4}: 0.35 is not; {6,7,8}: 0.97, and 0.96 > 0.95 too
		{"default 0.4", 0, 1, []float32{0.5, 0.6, no, 0.3, 0.35, no, 0.97, 0.96, 0.2}, []int{1, 6, 7}},
		{"lower", 0.3, 1, []float32{0.5, 0.6, no, 0.3, 0.35, no, 0.97, 0.96, 0.2}, []int{1, 4, 6, 7}},
		{"0 has one of every run", -1, 1, []float32{0.5, 0.6, no, 0.3, 0.35, no, 0.2}, []int{1, 4, 6}},
		{"nothing passes: the best", 0, 1, []float32{0.2, 0.3, no, 0.25}, []int{1}},
		{"strictly above", 0.5, 1, []float32{0.5, no, 0.75, no, 0.5}, []int{2}},
		{"the first of equals", 0, 1, []float32{0.5, 0.5, no, 0.25, 0.5}, []int{0, 4}},
		{"one run", 0, 1, []float32{0.5, 0.6, 0.7}, []int{2}},
		{"quota", 0, 3, []float32{0.5, 0.6, 0.7, 0.1}, []int{0, 1, 2}},
		{"no masks", 0, 1, []float32{no, no}, []int{}},
	} {
		v := viewOf(c.conf...)
		v.quota = c.quota
		assert.Equal(t, c.want, taken(t, PolicyOptions{Name: PolicyHierarchical, LowThreshold: c.low}, v), c.name)
	}
}

func TestKLASS(t *testing.T) {
	for _, c := range []struct {
		name    string
		history int
		quota   int
		conf    []float32
		calm    []int
		want    []int
	}{
		{"default 2", 0, 1, []float32{0.97, 0.98, 0.99, 0.5, no}, []int{2, 1, 0, 9, 9}, []int{0}},
		{"1", 1, 1, []float32{0.97, 0.98, 0.99, 0.5, no}, []int{2, 1, 0, 9, 9}, []int{0, 1}},
		{"0 is threshold", -1, 1, []float32{0.97, 0.98, 0.99, 0.5, no}, []int{2, 1, 0, 9, 9}, []int{0, 1, 2}},
		{"none is stable: the best", 0, 1, []float32{0.97, 0.98, 0.99}, []int{1, 1, 0}, []int{2}},
		{"stable ones are not sure: the best", 0, 1, []float32{0.5, 0.98, 0.6}, []int{5, 1, 5}, []int{1}},
		{"quota", 0, 2, []float32{0.97, 0.98, 0.99}, []int{2, 1, 0}, []int{0, 2}},
		{"no masks", 0, 1, []float32{no}, []int{5}, []int{}},
	} {
		v := viewOf(c.conf...)
		v.quota = c.quota
		d := newDecider(PolicyOptions{Name: PolicyKLASS, KLHistory: c.history}, len(c.conf))
		copy(d.stability.calm, c.calm)
		assert.Equal(t, c.want, chosen(d, v), c.name)
	}
}

// kl returns the divergence of two rows of logits.
func kl(p, q []float32) float64 {
	d, norm := divergence(p, q, logSumExp(q))
	if want := logSumExp(p); math.Abs(norm-want) > 1e-12 {
		return math.NaN()
	}
	return d
}

func TestDivergence(t *testing.T) {
	ln3 := float32(math.Log(3))
	inf := float32(math.Inf(1))
	half, three := []float32{0, 0}, []float32{ln3, 0} // (1/2, 1/2) and (3/4, 1/4)
	// ½ ln(½ / ¾) + ½ ln(½ / ¼) = ½ ln(4/3)
	assert.InDelta(t, math.Log(4.0/3)/2, kl(half, three), 1e-7)
	// ¾ ln(¾ / ½) + ¼ ln(¼ / ½)
	assert.InDelta(t, 0.75*math.Log(1.5)-0.25*math.Log(2), kl(three, half), 1e-7)
	// Logits have no zero, and nothing overflows.
	assert.InDelta(t, math.Log(4.0/3)/2, kl([]float32{1024, 1024}, three), 1e-7)
	assert.InDelta(t, math.Log(4.0/3)/2, kl([]float32{-1024, -1024}, three), 1e-7)
	assert.Zero(t, kl(three, three))
	// What p excludes adds nothing: ln(1 / ¾). What q excludes and p has is without end.
	assert.InDelta(t, math.Log(4.0/3), kl([]float32{0, -inf}, three), 1e-7)
	assert.Equal(t, math.Inf(1), kl(three, []float32{0, -inf}))
	assert.Zero(t, kl([]float32{0, -inf}, []float32{0, -inf}))
	// Never below 0, though of equal distributions only rounding is left.
	rng := rand.New(rand.NewPCG(1, 2))
	p, q := make([]float32, 100), make([]float32, 100)
	for range 100 {
		for k := range p {
			p[k] = float32(rng.IntN(1024)) / 64 // so that the sum is exact
			q[k] = p[k] + 1024
		}
		require.GreaterOrEqual(t, kl(p, q), 0.0)
		require.Less(t, kl(p, q), 1e-9)
	}
	for _, bad := range []float32{float32(math.NaN()), inf} {
		d, _ := divergence([]float32{bad, 0}, half, logSumExp(half))
		assert.NotEqual(t, d, d) // NaN
	}
}

func TestStability(t *testing.T) {
	s := newStability(2, 0.01)
	a, b := []float32{0, 0, 1}, []float32{0, 0, 3}
	near := []float32{0, 0.01, 1} // KL(near ‖ a) is about ½·0.01²·p(1-p), p = e⁰/(2e⁰+e¹)
	for i, c := range []struct {
		row  []float32
		calm int
	}{
		{a, 0}, {a, 1}, {near, 2}, {b, 0}, {b, 1}, {a, 0}, {[]float32{float32(math.NaN()), 0, 0}, 0}, {a, 0}, {a, 1}, {a, 2},
	} {
		s.observe(1, c.row)
		assert.Equal(t, []int{0, c.calm}, s.calm, "step %d", i)
	}
	s.reset()
	assert.Equal(t, []int{0, 0}, s.calm)
	s.observe(1, a)
	assert.Equal(t, []int{0, 0}, s.calm, "no step before")
	s.observe(1, a)
	assert.Equal(t, []int{0, 1}, s.calm)
}

// KLASS writes one token a step until there is a history, in every block anew.
func TestKLASSNeedsHistory(t *testing.T) {
	d := newDecider(PolicyOptions{Name: PolicyKLASS}, 4)
	row := []float32{9, 0, 0}
	for range 2 {
		v := viewOf(0.99, 0.99, 0.98, 0.97)
		d.reset()
		for step, want := range [][]int{{0}, {1}, {2, 3}} {
			for i, masked := range v.masked {
				if masked {
					d.observe(i, row)
				}
			}
			got := chosen(d, v)
			assert.Equal(t, want, got, "step %d", step)
			for _, i := range got {
				v.masked[i] = false
			}
		}
	}
}

func TestCredit(t *testing.T) {
	o := PolicyOptions{Name: PolicyCredit, CreditAlpha: 1, CreditGamma: 1, CreditDecay: 0.5}
	d := newDecider(o, 1)
	v := viewOf(0)
	probs := map[int32]float64{}
	v.prob = func(_ int, token int32) float64 { return probs[token] }
	for step, c := range []struct {
		token int32
		p     float32
		other map[int32]float64
		want  int32
		prob  float64
	}{
		// C₇ = 0.5: 0.5·1.5 / (1 + 0.5·0.5) = 0.75 / 1.25
		{7, 0.5, nil, 7, 0.6},
		// C₇ = 0.25, C₈ = 0.45: 0.45·1.45 / (1 + 0.4·0.25 + 0.45·0.45) = 0.6525 / 1.3025
		{8, 0.45, map[int32]float64{7: 0.4}, 8, 0.6525 / 1.3025},
		// C₇ = 0.125, C₈ = 0.225, C₉ = 0.35:
		// 0.35·1.35 / (1 + 0.35·0.35 + 0.3·0.125 + 0.3·0.225) = 0.4725 / 1.2275
		{9, 0.35, map[int32]float64{7: 0.3, 8: 0.3}, 9, 0.4725 / 1.2275},
		// C₈ = 0.1125, C₉ = 0.175, C₇ = 0.0625 + 0.4 = 0.4625:
		// 0.4·1.4625 / (1 + 0.4·0.4625 + 0.3·0.175) = 0.585 / 1.2375
		{7, 0.4, map[int32]float64{8: 0, 9: 0.3}, 7, 0.585 / 1.2375},
	} {
		clear(probs)
		for token, p := range c.other {
			probs[token] = p
		}
		v.stats[0] = kernels.Stats{Token: c.token, Prob: c.p, Second: 0.25, Entropy: 2}
		assert.Equal(t, []int{0}, chosen(d, v))
		assert.Equal(t, c.want, v.stats[0].Token, "step %d", step)
		assert.InDelta(t, c.prob, v.stats[0].Prob, 1e-6, "step %d", step)
		assert.Equal(t, [2]float32{0.25, 2}, [2]float32{v.stats[0].Second, v.stats[0].Entropy})
	}
}

// Credits change a prediction: with γ = 0 and no decay every step adds 1. Of two
// positions only the one that is a mask counts, and a new block begins without any.
func TestCreditChangesPrediction(t *testing.T) {
	o := PolicyOptions{Name: PolicyCredit, CreditAlpha: 1, CreditGamma: -1, CreditDecay: 1}
	d := newDecider(o, 2)
	v := viewOf(0.5, no)
	v.prob = func(position int, token int32) float64 {
		require.Equal(t, 0, position)
		return map[int32]float64{3: 0.4, 4: 0.41}[token]
	}
	for step, c := range []struct {
		token, want int32
		p           float32
		prob        float64
	}{
		{3, 3, 0.5, 1 / 1.5},     // C₃ = 1: 0.5·2 / (1 + 0.5)
		{3, 3, 0.5, 1.5 / 2},     // C₃ = 2: 0.5·3 / (1 + 0.5·2)
		{4, 3, 0.41, 1.2 / 2.21}, // C₃ = 2, C₄ = 1: 0.4·3 over 0.41·2; 1 + 0.4·2 + 0.41
	} {
		v.stats[0] = kernels.Stats{Token: c.token, Prob: c.p}
		d.decide(make([]bool, 2), v)
		assert.Equal(t, c.want, v.stats[0].Token, "step %d", step)
		assert.InDelta(t, c.prob, v.stats[0].Prob, 1e-6, "step %d", step)
		assert.Equal(t, kernels.Stats{Token: 101}, v.stats[1], "no mask")
	}
	d.reset()
	v.stats[0] = kernels.Stats{Token: 4, Prob: 0.41}
	d.decide(make([]bool, 2), v)
	assert.Equal(t, int32(4), v.stats[0].Token)
	assert.InDelta(t, 0.82/1.41, v.stats[0].Prob, 1e-6)
}

// Credit raises a probability above the threshold.
func TestCreditReachesThreshold(t *testing.T) {
	d := newDecider(PolicyOptions{Name: PolicyCredit}, 2)
	v := viewOf(0.9, 0.91)
	// C = 0.9^0.2 = 0.979148: 0.9·1.979148^0.7 / (1 + 0.9·(1.979148^0.7 - 1)) = 0.935541
	assert.Equal(t, []int{1}, chosen(d, v))
	assert.InDelta(t, 0.935541, v.stats[0].Prob, 2e-6)
	v.masked[1] = false
	v.stats[0].Prob = 0.9 // C = 0.979148·0.8 + 0.979148 = 1.762467; 0.948266
	assert.Equal(t, []int{0}, chosen(d, v), "the only one")
	assert.InDelta(t, 0.948266, v.stats[0].Prob, 2e-6)
	v.stats[0].Prob = 0.9 // C = 2.389122; 0.954853
	assert.Equal(t, []int{0}, chosen(d, v))
	assert.InDelta(t, 0.954853, v.stats[0].Prob, 2e-6)
}

func TestShareOf(t *testing.T) {
	logits := []float32{1, 3, 2, -1, 2.5}
	for _, exclude := range []int32{-1, 1} {
		s := kernels.LogitStats(logits, exclude)
		sum := 0.0
		for k := range logits {
			sum += shareOf(logits, &s, int32(k))
		}
		assert.InDelta(t, 1, sum, 1e-6)
		assert.InDelta(t, s.Second, shareOf(logits, &s, map[int32]int32{-1: 4, 1: 2}[exclude]), 1e-7)
	}
}
