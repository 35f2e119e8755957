package eval

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"lladakit/runtime"
)

// maskBuckets is into how many ranges of the share of masked positions the
// figures are divided.
const maskBuckets = 4

// Divergence says how far a model is from its reference at masked positions.
type Divergence struct {
	All     Figures
	Buckets [maskBuckets]Figures // by the masked share of the block: (0, 1/4], (1/4, 1/2], …
}

// Figures are means over positions. Intervals hold 95 % of the means of bootstrap
// samples of prompts: positions of one answer depend on each other.
type Figures struct {
	Positions  int      `json:"positions"`
	KLD        Interval `json:"kld"`         // of the softmax from the reference's, in nats
	Agreement  Interval `json:"top1"`        // share of positions with the same most probable token
	ProbChange Interval `json:"prob_change"` // RMS change of the probability of the reference's most probable token
	MaxKLD     float64  `json:"max_kld"`
}

// Interval is a mean and its 95 % interval.
type Interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// maskBucket returns the bucket of a block with some masks.
func maskBucket(masked, block int) int { return (masked*maskBuckets - 1) / block }

// sums are what Figures are made of, for one prompt and bucket.
type sums struct {
	n                  int
	kld, same, squared float64
	most               float64
}

func (s *sums) add(o sums) {
	s.n += o.n
	s.kld += o.kld
	s.same += o.same
	s.squared += o.squared
	s.most = max(s.most, o.most)
}

// Diverge has the reference answer every prompt, and compares model with it at
// every masked position before every step. Both must have the same vocabulary.
// progress, if not nil, is called after every prompt.
func Diverge(ctx context.Context, model, reference *runtime.Model, prompts [][]int32, opt runtime.Options, progress func(done, total int)) (*Divergence, error) {
	if model.Config.Vocab != reference.Config.Vocab || model.MaskID != reference.MaskID {
		return nil, fmt.Errorf("the models have different vocabularies: %d tokens with mask %d, and %d with mask %d",
			model.Config.Vocab, model.MaskID, reference.Config.Vocab, reference.MaskID)
	}
	perPrompt := make([][maskBuckets]sums, len(prompts))
	for i, prompt := range prompts {
		t, err := Record(ctx, reference, prompt, opt)
		if err != nil {
			return nil, err
		}
		if perPrompt[i], err = compare(ctx, model, reference, t, opt.BlockLength); err != nil {
			return nil, err
		}
		if progress != nil {
			progress(i+1, len(prompts))
		}
	}
	return summarise(perPrompt), nil
}

// compare computes both models along one trajectory.
func compare(ctx context.Context, model, reference *runtime.Model, t *Trajectory, block int) (out [maskBuckets]sums, err error) {
	if len(t.Blocks) == 0 {
		return out, nil
	}
	last := t.Blocks[len(t.Blocks)-1]
	sessions := [2]*runtime.Session{
		model.NewSession(last.Start+block, block), reference.NewSession(last.Start+block, block),
	}
	extend := func(ids []int32) error {
		for _, s := range sessions {
			if err := s.Extend(ctx, ids); err != nil {
				return err
			}
		}
		return nil
	}
	if err := extend(t.Prompt[:t.Blocks[0].Start]); err != nil {
		return out, err
	}
	for i, b := range t.Blocks {
		for _, state := range b.States {
			if err := ctx.Err(); err != nil {
				return out, err
			}
			rows, got := sessions[0].Masked(state)
			_, want := sessions[1].Masked(state)
			bucket := maskBucket(len(rows), block)
			vocab := model.Config.Vocab
			for r := range rows {
				out[bucket].add(position(got[r*vocab:(r+1)*vocab], want[r*vocab:(r+1)*vocab]))
			}
		}
		if i+1 < len(t.Blocks) {
			if err := extend(b.Final); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// position compares two rows of logits: Σ p·(log p - log q), p of the reference.
func position(got, want []float32) sums {
	logSum := func(x []float32) (logSum float64, top int) {
		for i, v := range x {
			if v > x[top] {
				top = i
			}
		}
		var sum float64
		for _, v := range x {
			sum += math.Exp(float64(v - x[top]))
		}
		return float64(x[top]) + math.Log(sum), top
	}
	q, topQ := logSum(got)
	p, topP := logSum(want)
	s := sums{n: 1}
	for i, v := range want {
		logP := float64(v) - p
		s.kld += math.Exp(logP) * (logP - (float64(got[i]) - q))
	}
	s.most = s.kld
	if topQ == topP {
		s.same = 1
	}
	change := math.Exp(float64(got[topP])-q) - math.Exp(float64(want[topP])-p)
	s.squared = change * change
	return s
}

func summarise(perPrompt [][maskBuckets]sums) *Divergence {
	d := &Divergence{}
	all := make([]sums, len(perPrompt))
	for b := range maskBuckets {
		bucket := make([]sums, len(perPrompt))
		for i := range perPrompt {
			bucket[i] = perPrompt[i][b]
			all[i].add(bucket[i])
		}
		d.Buckets[b] = figures(bucket)
	}
	d.All = figures(all)
	return d
}

// bootstrapSamples is how many samples of prompts the intervals come from.
const bootstrapSamples = 1000

func figures(prompts []sums) Figures {
	var total sums
	for _, s := range prompts {
		total.add(s)
	}
	f := Figures{Positions: total.n, MaxKLD: total.most}
	if total.n == 0 {
		return f
	}
	means := func(s sums) [3]float64 {
		n := float64(max(s.n, 1))
		return [3]float64{s.kld / n, s.same / n, math.Sqrt(s.squared / n)}
	}
	rng := rand.New(rand.NewPCG(1, 1)) // the same data gives the same intervals
	var samples [3][]float64
	for range bootstrapSamples {
		var sample sums
		for range prompts {
			sample.add(prompts[rng.IntN(len(prompts))])
		}
		if sample.n == 0 {
			continue
		}
		for k, v := range means(sample) {
			samples[k] = append(samples[k], v)
		}
	}
	for k, mean := range means(total) {
		slices.Sort(samples[k])
		n := len(samples[k])
		*[]*Interval{&f.KLD, &f.Agreement, &f.ProbChange}[k] = Interval{mean, samples[k][n*25/1000], samples[k][min(n-1, n*975/1000)]}
	}
	return f
}
