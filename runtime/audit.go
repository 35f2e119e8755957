package runtime

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"lladakit/kernels"
)

// Audit says how far the denoising steps of an answer were from exact ones, measured
// at some of them: what they predicted, against what the reference pass, which knows
// no cache and no approximation, predicts from the same tokens.
type Audit struct {
	Steps        int     `json:"steps"`         // that were audited
	Positions    int     `json:"positions"`     // masked ones of these steps
	Differ       int     `json:"differ"`        // of Positions: another token is the most probable
	LargestLogit float64 `json:"largest_logit"` // difference of any logit
	LargestProb  float64 `json:"largest_prob"`  // difference of the probability of the predicted token
}

// audit keeps a random choice of an answer's steps: each of them with the same
// probability, however many there are in the end (reservoir sampling).
type audit struct {
	rng   *rand.Rand
	seen  int
	steps []auditedStep // at most as many as were asked for
}

// auditedStep is what a step started from and what it predicted.
type auditedStep struct {
	ids    []int32 // the window, up to the end of the block
	want   []int   // positions that were masked
	stats  []kernels.Stats
	logits []float32 // [want, vocab]
}

func newAudit(steps int) *audit {
	return &audit{rng: rand.New(rand.NewPCG(1, 1)), steps: make([]auditedStep, 0, steps)}
}

// consider takes note of a step, or does not.
func (a *audit) consider(q *Sequence, o *outcome) {
	a.seen++
	at := len(a.steps)
	if at < cap(a.steps) {
		a.steps = append(a.steps, auditedStep{})
	} else if at = a.rng.IntN(a.seen); at >= len(a.steps) {
		return
	}
	vocab := q.m.Config.Vocab
	step := auditedStep{ids: slices.Clone(q.x[:q.at+q.opt.BlockLength])}
	for k, i := range o.part.Want {
		if position := o.part.Pos + i; q.x[position] == q.m.MaskID {
			step.want = append(step.want, position)
			step.stats = append(step.stats, o.stats[k])
			step.logits = append(step.logits, o.logits()[k*vocab:(k+1)*vocab]...)
		}
	}
	a.steps[at] = step
}

// run holds the steps that were kept against the reference.
func (a *audit) run(q *Sequence) *Audit {
	result := &Audit{Steps: len(a.steps)}
	vocab := q.m.Config.Vocab
	for i := range a.steps {
		step := &a.steps[i]
		row := 0
		err := q.m.logits(context.Background(), step.ids, q.opt.BlockLength, step.want, func(exact []float32) error {
			for k, v := range step.logits[row*vocab : (row+1)*vocab] {
				result.LargestLogit = max(result.LargestLogit, math.Abs(float64(v)-float64(exact[k])))
			}
			want := kernels.LogitStats(exact, q.m.MaskID)
			got := step.stats[row]
			if want.Token != got.Token {
				result.Differ++
			} else {
				result.LargestProb = max(result.LargestProb, math.Abs(float64(want.Prob)-float64(got.Prob)))
			}
			row++
			return nil
		})
		if err != nil {
			panic(err) // there is nothing that could fail
		}
		result.Positions += row
	}
	return result
}
