package runtime

import (
	"time"

	"lladakit/kernels"
)

// Forwards counts passes. A pass may do two things, so Prefill+Denoise+Commit-Fused
// were run.
type Forwards struct {
	Prefill int `json:"prefill"` // over whole blocks of the prompt
	Denoise int `json:"denoise"` // denoising steps
	Commit  int `json:"commit"`  // finished blocks that were made final
	Fused   int `json:"fused"`   // of Commit: together with the next block's first step
}

// Passes returns how many passes were run.
func (f Forwards) Passes() int { return f.Prefill + f.Denoise + f.Commit - f.Fused }

// Result is an answer and what it took.
type Result struct {
	IDs           []int32 // up to and including the end token; never the prompt
	Finish        string  // "eos"; "length" when GenLength ended it; "interrupted"
	Forwards      Forwards
	Rows          Forwards // how many positions those passes computed; Fused is part of Commit
	StepsPerBlock []int    // denoising steps of every block
	Fallbacks     int      // steps in which too few probabilities passed the threshold
	Class         Class
	Audit         *Audit // nil unless there was one
	Bytes         int64  // of weights, keys and values read; of a pass that sequences shared, a share
	Cached        int    // positions of the prompt that were in the prompt cache
	Prefill       time.Duration
	Denoise       time.Duration // with the fused commits
	Commit        time.Duration
}

// TPF returns the tokens of the answer per denoising step.
func (r *Result) TPF() float64 { return per(len(r.IDs), r.Forwards.Denoise) }

// TPFWithCommits returns the tokens of the answer per pass after the prompt.
func (r *Result) TPFWithCommits() float64 {
	return per(len(r.IDs), r.Forwards.Passes()-r.Forwards.Prefill)
}

func per(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Step tells of one denoising step. Its slices are used again by the next one.
type Step struct {
	Block  int             // index of the block, counted from position 0
	Step   int             // of this block, from 0
	Prompt int             // how many positions of the block belong to the prompt
	Tokens []int32         // of the block, after the step
	Wrote  []bool          // which of them this step wrote
	Edited []bool          // which of them were written before and replaced by this step; nil for none
	Masked []bool          // which of them were masked before the step
	Stats  []kernels.Stats // of those, and for some policies of others
	Cost   Cost            // of the pass, without the acceptance, which is going on
}
