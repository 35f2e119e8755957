package bench

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"lladakit/internal/arch"
	"lladakit/internal/gguf"
	"lladakit/runtime"
)

// How many experts a pass touches is chosen by how many are offered. A router's bias
// of withheld takes an expert out of the choice for good, since scores are between 0
// and 1; which of the others a row takes depends on the order of their scores alone,
// not on how large hidden states are. n rows that choose u of S offered experts, each
// for itself, touch S(1-(1-u/S)^n) of them on average; rows are alike a little, so
// that the right S is found by trying.
//
// Note: biases that merely favour some experts do less. How much the favour counts
// depends on the spread of the scores, which random ids and masks have each their own.
const withheld = -2

const (
	touchedRows    = arch.DefaultBlockLength // of a pass, over which experts are counted
	touchedPrompts = 4                       // of a measurement, twice as many of a calibration
	touchedRounds  = 3                       // of changing the offers, fewer if all are
	touchedClose   = 0.02                    // as near as this to what is wanted
)

// Touched is how many different routed experts of a layer passes over 32 rows used, on
// average.
type Touched struct {
	Layer int     `json:"layer"`
	IDs   float64 `json:"ids"`   // 32 random ids, behind none or 32 of them
	Masks float64 `json:"masks"` // 32 masks behind 64 random ids
}

// mean is the number that Synthetic.Touched is about.
func (t *Touched) mean() float64 { return (t.IDs + t.Masks) / 2 }

// MeasureTouched counts the experts that a model uses, in every layer that has any, by
// passes over four random prompts. A block of masks without a prompt is left out: its
// rows are equal in every model, and share all experts.
func MeasureTouched(ctx context.Context, m *runtime.Model) ([]Touched, error) {
	return measureTouched(ctx, m, touchedPrompts)
}

func measureTouched(ctx context.Context, m *runtime.Model, prompts int) ([]Touched, error) {
	c := &m.Config
	all := make([]Touched, c.Layers)
	state := m.NewState(touchedRows, 1)
	ids := make([]int32, touchedRows)
	for prompt := range prompts {
		random := rand.New(rand.NewPCG(uint64(prompt), touchedRows))
		cache := m.NewCache(3 * touchedRows)
		for block := range 3 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			masks := block == 2
			for i := range ids {
				if ids[i] = m.MaskID; !masks {
					ids[i] = other(random, c.Vocab, m.MaskID)
				}
			}
			state.Forward(runtime.Part{
				IDs: ids, Pos: block * touchedRows, Block: touchedRows, Cache: cache, Want: []int{0}, WholeLayer: true,
			})
			for i, n := range state.Cost().Experts {
				all[i].Layer = i
				if masks {
					all[i].Masks += float64(n) / float64(prompts)
				} else {
					all[i].IDs += float64(n) / float64(2*prompts)
				}
			}
		}
	}
	return all[c.DenseLayers:], nil
}

// other returns a random id that is not the mask.
func other(random *rand.Rand, vocab int, mask int32) int32 {
	id := random.Int32N(int32(vocab - 1))
	if id >= mask {
		id++
	}
	return id
}

// mostTouched returns how many experts rows touch that choose from all of them by
// chance, rounded up.
func mostTouched(c *arch.Config) float64 {
	return math.Ceil(touchedOf(float64(c.Experts), c.ExpertsUsed, touchedRows))
}

// offer returns which experts of a layer are offered if it is s of them, or, where
// groups do not allow that, the next greater number. They are spread over all groups
// if each row then finds enough in the groups that it looks into, else over fewer.
func offer(c *arch.Config, seed uint64, layer, s int) []bool {
	size := c.Experts / c.ExpertGroups
	random := rand.New(rand.NewPCG(seed, uint64(layer)+2))
	groups := 0
	for ; groups == 0; s++ {
		groups = offerGroups(c, s)
	}
	s--
	order := random.Perm(c.ExpertGroups)
	offered := make([]bool, c.Experts)
	for i, g := range order[:groups] {
		for _, e := range random.Perm(size)[:(s+groups-1-i)/groups] {
			offered[g*size+e] = true
		}
	}
	return offered
}

// offerGroups returns how many groups s offered experts are spread over, 0 if none
// will do. A row looks into the groups with the greatest sums of two scores: groups
// that offer fewer than two are passed over.
func offerGroups(c *arch.Config, s int) int {
	size := c.Experts / c.ExpertGroups
	for groups := c.ExpertGroups; groups > c.GroupsUsed; groups-- {
		least := s / groups // of a group
		if s <= groups*size && least >= min(2, size) && c.GroupsUsed*least >= c.ExpertsUsed {
			return groups
		}
	}
	if s >= c.ExpertsUsed && s <= c.GroupsUsed*size {
		return c.GroupsUsed
	}
	return 0
}

// bias sets a router's bias to what offers experts.
func bias(dst []float32, offered []bool) {
	for e, yes := range offered {
		if dst[e] = withheld; yes {
			dst[e] = 0
		}
	}
}

// chooseOffers finds how many experts each layer has to offer, if it matters, with a
// model of the same numbers but thin experts, made in dir for the time. It returns how
// many that one touches.
//
// Note: with the model itself it would take long where that is larger than memory, and
// could not be done with a checkpoint folder at all.
func (x *Synthetic) chooseOffers(ctx context.Context, dir string) (touched []Touched, err error) {
	if x.Touched == 0 {
		return nil, nil
	}
	thin := Synthetic{Config: x.Config, Type: gguf.Q4_0, Seed: x.Seed}
	c := &thin.Config
	c.Vocab, c.ExpertFF, c.DenseFF, c.SharedFF = min(c.Vocab, 4096), 32, 32, 32
	if c.Shared == 0 {
		c.SharedFF = 0
	}
	if thin.Check() != nil {
		thin.Type = gguf.BF16 // which takes any rows, but several times as long
	}
	m, err := LoadSynthetic(ctx, dir, thin, runtime.LoadOptions{})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	x.offered, touched, err = calibrate(ctx, m, x.Seed, x.Touched)
	return touched, err
}

// calibrate returns the offers with which a model touches the wanted number of
// experts in each layer, or comes nearest of those tried, and how many it touches.
func calibrate(ctx context.Context, m *runtime.Model, seed uint64, want float64) (offered [][]bool, best []Touched, err error) {
	c := &m.Config
	offered = make([][]bool, c.Layers)
	count := make([]float64, c.Layers) // of the experts that this round offers
	for i := range count {
		count[i] = firstCount(c, want)
	}
	off := func(t Touched) float64 { return math.Abs(t.mean()/want - 1) }
	for range touchedRounds {
		now := make([][]bool, c.Layers)
		for i := c.DenseLayers; i < c.Layers; i++ {
			now[i] = offer(c, seed, i, int(math.Round(count[i])))
			bias(m.Weights.Layers[i].RouterBias, now[i])
		}
		touched, err := measureTouched(ctx, m, 2*touchedPrompts)
		if err != nil {
			return nil, nil, err
		}
		if best == nil {
			best, offered = slices.Clone(touched), slices.Clone(now)
		}
		worst := 0.0
		for k, t := range touched {
			if off(t) < off(best[k]) {
				best[k], offered[t.Layer] = t, now[t.Layer]
			}
			worst = max(worst, off(best[k]))
			next := count[t.Layer] * want / t.mean()
			count[t.Layer] = max(float64(c.ExpertsUsed), min(float64(c.Experts), next))
		}
		if worst < touchedClose {
			break
		}
	}
	return offered, best, nil
}

// firstCount returns how many offered experts are tried first: rows are not quite
// independent, and a tenth more than for such as are is about what it takes.
func firstCount(c *arch.Config, want float64) float64 {
	s := c.ExpertsUsed
	for s < c.Experts && touchedOf(float64(s), c.ExpertsUsed, touchedRows) < want-0.05 {
		s++
	}
	if s > c.ExpertsUsed {
		s = min(c.Experts, s+s/10)
	}
	return float64(s)
}
