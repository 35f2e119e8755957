package runtime

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/kernels"
)

// randomView returns a block with random statistics, about half of it masks.
func randomView(rng *rand.Rand, block int) *view {
	v := viewOf(make([]float32, block)...)
	v.quota, v.threshold = 1+rng.IntN(3), rng.Float32()
	for i := range block {
		v.masked[i] = rng.IntN(2) == 0
		v.fixed[i] = !v.masked[i] && rng.IntN(2) == 0
		v.stats[i] = kernels.Stats{Token: rng.Int32N(9), Prob: rng.Float32(), Entropy: 3 * rng.Float32()}
		v.current[i] = rng.Int32N(9)
	}
	share := rng.Float64()
	v.prob = func(_ int, token int32) float64 { return share * float64(token+1) / 45 }
	return v
}

// decided returns what a policy takes of v, which it leaves as it is. KLASS has a
// history at the even positions.
func decided(o PolicyOptions, v *view) []bool {
	d := newDecider(o, len(v.masked))
	if d.stability != nil {
		for i := range d.stability.calm {
			d.stability.calm[i] = 2 * ((i + 1) % 2)
		}
	}
	w := *v
	w.stats = slices.Clone(v.stats)
	take := make([]bool, len(v.masked))
	d.decide(take, &w)
	return take
}

// sound fails unless a decision is one that every policy may take: only masked
// positions, and for joint corrections; and as many masks as asked for.
func sound(t testing.TB, o PolicyOptions, v *view, take []bool) {
	t.Helper()
	masks, wrote := 0, 0
	for i := range take {
		if v.masked[i] {
			masks++
		}
		switch {
		case !take[i]:
		case v.masked[i]:
			wrote++
		default:
			require.Equal(t, PolicyJoint, o.Name)
			require.False(t, v.fixed[i])
			require.NotEqual(t, v.current[i], v.stats[i].Token)
		}
	}
	require.GreaterOrEqual(t, wrote, min(masks, v.least()), "%+v", o)
	require.Equal(t, take, decided(o, v), "twice the same")
}

func within(a, b []bool) bool {
	for i := range a {
		if a[i] && !b[i] {
			return false
		}
	}
	return true
}

func TestPoliciesAreSound(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		v := randomView(rng, 1+rng.IntN(40))
		for _, p := range Policies() {
			for _, sub := range []int{0, 8} {
				o := PolicyOptions{Name: p.Name, SubBlock: min(sub, len(v.masked))}
				sound(t, o, v, decided(o, v))
			}
		}
	}
}

// Whatever is computed, a block of B positions is full after B steps, and after as
// many steps as the schedule has, if those are fewer.
func TestPoliciesTerminate(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, p := range Policies() {
		for _, steps := range []int{32, 5, 1} {
			for _, sub := range []int{0, 8, 16} {
				o := Options{BlockLength: 32, Steps: steps, GenLength: 64, MinimalTopK: 1}
				d := newDecider(PolicyOptions{Name: p.Name, SubBlock: sub}, 32)
				v := randomView(rng, 32)
				for i := range v.masked {
					v.masked[i], v.fixed[i] = true, false
				}
				take, done := make([]bool, 32), 0
				for ; slices.Contains(v.masked, true); done++ {
					next := randomView(rng, 32)
					v.stats, v.prob, v.threshold = next.stats, next.prob, 1
					v.quota = o.schedule()[done]
					for i, masked := range v.masked {
						if masked {
							d.observe(i, []float32{rng.Float32(), 0})
						}
					}
					d.decide(take, v)
					for i := range take {
						v.masked[i] = v.masked[i] && !take[i]
					}
				}
				assert.LessOrEqual(t, done, steps, "%s, %d", p.Name, sub)
			}
		}
	}
}

// A parameter that allows more never takes less. (KLASS is left out: where no stable
// position passes a higher threshold, it writes an unstable one.)
func TestPoliciesAreMonotonic(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	more := map[string]int{}
	check := func(name string, strict, loose PolicyOptions, v, w *view) {
		a, b := decided(strict, v), decided(loose, w)
		require.True(t, within(a, b), name)
		if !within(b, a) {
			more[name]++
		}
	}
	for range 300 {
		v := randomView(rng, 32)
		low, high := rng.Float64(), rng.Float64()
		if low > high {
			low, high = high, low
		}
		v.threshold = float32(high)
		w := *v
		w.threshold = float32(low)
		for _, name := range []string{PolicyThreshold, PolicyCredit, PolicyHierarchical, PolicyJoint} {
			check(name, PolicyOptions{Name: name}, PolicyOptions{Name: name}, v, &w)
		}
		check("factor", PolicyOptions{Name: PolicyFactor, Factor: 9 * low}, PolicyOptions{Name: PolicyFactor, Factor: 9 * high}, v, v)
		check("bound", PolicyOptions{Name: PolicyEntropyBound, EntropyBound: 9 * low},
			PolicyOptions{Name: PolicyEntropyBound, EntropyBound: 9 * high}, v, v)
		check("edit", PolicyOptions{Name: PolicyJoint, EditThreshold: float32(high)},
			PolicyOptions{Name: PolicyJoint, EditThreshold: float32(low)}, v, v)
		v.quota = 1 // more of it may be met by one run rather than by several
		check("low", PolicyOptions{Name: PolicyHierarchical, LowThreshold: float32(high)},
			PolicyOptions{Name: PolicyHierarchical, LowThreshold: float32(low)}, v, v)
	}
	for _, name := range []string{PolicyThreshold, PolicyCredit, PolicyHierarchical, PolicyJoint, "factor", "bound", "low", "edit"} {
		assert.Greater(t, more[name], 100, name)
	}
}

// Of equals the lower positions are taken.
func TestPoliciesTakeTheFirstOfEquals(t *testing.T) {
	for _, p := range Policies() {
		o := PolicyOptions{Name: p.Name, Factor: -1, EntropyBound: -1, LowThreshold: 1}
		v := viewOf(no, 0.5, 0.5, no, 0.5, 0.5)
		for i := range v.stats {
			v.stats[i].Entropy = 1
		}
		v.quota = 3
		assert.Equal(t, []bool{false, true, true, false, true, false}, decided(o, v), p.Name)
	}
}

// Where a position stands decides among equals only: when blocks of different values
// are permuted, so are the decisions. (For runs of masks order has a meaning.)
func TestPoliciesPermute(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		v := randomView(rng, 24)
		for i := range v.stats {
			v.stats[i].Token = 1
		}
		to := rng.Perm(24)
		w := *v
		w.masked, w.fixed = make([]bool, 24), make([]bool, 24)
		w.stats, w.current = make([]kernels.Stats, 24), make([]int32, 24)
		for i, j := range to {
			w.masked[j], w.fixed[j], w.stats[j], w.current[j] = v.masked[i], v.fixed[i], v.stats[i], v.current[i]
		}
		for _, p := range Policies() {
			if p.Name == PolicyHierarchical || p.Name == PolicyKLASS {
				continue
			}
			o := PolicyOptions{Name: p.Name, Factor: 8, EntropyBound: 4}
			a, b := decided(o, v), decided(o, &w)
			for i, j := range to {
				require.Equal(t, a[i], b[j], p.Name)
			}
		}
	}
}

// With parameters that leave nothing of their own, policies are the threshold.
func TestPoliciesBecomeThreshold(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 200 {
		v := randomView(rng, 32)
		want := decided(PolicyOptions{}, v)
		for _, o := range []PolicyOptions{
			{Name: PolicyCredit, CreditAlpha: -1},
			{Name: PolicyKLASS, KLHistory: -1},
			{Name: PolicyHierarchical, LowThreshold: 1},
			{Name: PolicyJoint, EditThreshold: 1},
			{SubBlock: 32},
		} {
			require.Equal(t, want, decided(o, v), o.Name)
		}
		v.quota = 1
		for _, o := range []PolicyOptions{
			{Name: PolicyFactor, Factor: -1},
			{Name: PolicyEntropyBound, EntropyBound: -1},
		} {
			n := 0
			for _, taken := range decided(o, v) {
				if taken {
					n++
				}
			}
			require.Equal(t, slices.Contains(v.masked, true), n == 1, o.Name)
		}
	}
}

// Credit of a weight of 0 leaves predictions as they are, over many steps.
func TestCreditWithoutWeight(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	d := newDecider(PolicyOptions{Name: PolicyCredit, CreditAlpha: -1}, 8)
	take := make([]bool, 8)
	for range 20 {
		v := randomView(rng, 8)
		// Callers may compute with other roundings than the statistics.
		v.prob = func(i int, _ int32) float64 { return float64(v.stats[i].Prob) * (1 + 1e-7) }
		stats := slices.Clone(v.stats)
		d.decide(take, v)
		require.Equal(t, stats, v.stats)
	}
}

// Hierarchical takes one position of a run beside those above the threshold.
func TestHierarchicalRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for range 300 {
		v := randomView(rng, 32)
		v.quota = 1
		take := decided(PolicyOptions{Name: PolicyHierarchical}, v)
		run := 0
		for i := range take {
			if !v.masked[i] {
				run = 0
				continue
			}
			if take[i] && v.stats[i].Prob <= v.threshold {
				run++
			}
			require.LessOrEqual(t, run, 1)
		}
	}
}

func TestDecidersDoNotAllocate(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	v := randomView(rng, 32)
	take, row := make([]bool, 32), make([]float32, 64)
	for _, p := range Policies() {
		d := newDecider(PolicyOptions{Name: p.Name, SubBlock: 8}, 32)
		step := func() {
			d.observe(3, row)
			d.decide(take, v)
		}
		step()
		assert.Zero(t, testing.AllocsPerRun(5, step), p.Name)
		d.reset()
		assert.Zero(t, testing.AllocsPerRun(5, step), p.Name)
	}
}

// FuzzPolicies gives policies statistics of any bits: NaN, infinities, negative
// numbers, equals.
func FuzzPolicies(f *testing.F) {
	bits := func(x ...float32) []byte {
		var b []byte
		for _, v := range x {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		return b
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for i := range policies {
		f.Add(uint8(i), uint8(0), uint8(1), float32(0.95), bits(nan, nan, nan, nan))
		f.Add(uint8(i), uint8(2), uint8(2), float32(0), bits(inf, -inf, nan, 0, -1, 0.5, 0.5, 0.5, 0.5, 1))
		f.Add(uint8(i), uint8(3), uint8(0), nan, bits(inf, inf, inf, inf, inf, inf, 1, 1, -0.5))
	}
	f.Fuzz(func(t *testing.T, policy, sub, quota uint8, threshold float32, data []byte) {
		block := len(data) / 4
		if block == 0 || block > 64 {
			return
		}
		o := PolicyOptions{Name: policies[int(policy)%len(policies)].Name, SubBlock: int(sub) % (block + 1)}
		number := func(i int) float32 {
			return math.Float32frombits(binary.LittleEndian.Uint32(data[i%block*4:]))
		}
		v := viewOf(make([]float32, block)...)
		v.quota, v.threshold = int(quota), threshold
		for i := range block {
			v.masked[i] = data[4*i]&1 == 0
			v.fixed[i] = !v.masked[i] && data[4*i]&2 == 0
			v.stats[i] = kernels.Stats{Token: int32(data[4*i+1] & 3), Prob: number(i), Second: number(i + 1), Entropy: number(i + 2)}
			v.current[i] = int32(data[4*i+2] & 3)
		}
		v.prob = func(i int, token int32) float64 { return float64(number(i + int(token))) }
		sound(t, o, v, decided(o, v))

		// The same over several steps with a memory.
		d := newDecider(o, block)
		take := make([]bool, block)
		for steps := 0; slices.Contains(v.masked, true); steps++ {
			require.Less(t, steps, block)
			for i, masked := range v.masked {
				if masked {
					d.observe(i, []float32{number(i), number(i + 1 + steps), 0})
					v.stats[i].Prob = number(i + steps)
				}
			}
			d.decide(take, v)
			for i := range take {
				v.masked[i] = v.masked[i] && !take[i]
			}
			for i, s := range v.stats {
				if d.credits != nil && v.masked[i] {
					require.True(t, s.Prob >= 0 && s.Prob <= 1, "%v", s.Prob)
				}
			}
		}
	})
}
