package runtime

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Profile is a bundle of options, see Options.Use. Exact and Reference give the same
// tokens.
type Profile string

const (
	// Exact keeps the keys and values of finished blocks.
	Exact Profile = "exact"
	// Reference recomputes the whole window at every step, as the authors'
	// code does: slow, and what Exact is held against.
	Reference Profile = "reference"
	// Balanced and Turbo are approximate, and were chosen by the measurements in the
	// folder's README.md.
	Balanced Profile = "balanced"
	Turbo    Profile = "turbo"
)

// Profiles lists all profiles, the default first.
func Profiles() []Profile { return []Profile{Exact, Balanced, Turbo, Reference} }

// Use sets the options that a profile stands for.
func (o *Options) Use(p Profile) {
	o.Profile = p
	switch p {
	case Balanced:
		o.Policy = PolicyOptions{Name: PolicyFactor, Factor: 1.5}
		o.Delayed, o.EOSEarlyStop = 8, true
	case Turbo:
		o.Policy, o.Threshold = PolicyOptions{Name: PolicyHierarchical, LowThreshold: 0.2}, 0.5
		o.Delayed, o.EOSEarlyStop = 8, true
	}
}

// Options are the settings of Generate. The zero value is not usable: begin
// with Model.Defaults.
type Options struct {
	BlockLength int     `json:"block_length"` // positions denoised together
	Steps       int     `json:"steps"`        // most denoising steps of a block
	Threshold   float32 `json:"threshold"`    // a probability above it is accepted
	GenLength   int     `json:"gen_length"`   // most tokens of the answer
	MinimalTopK int     `json:"minimal_topk"` // Steps is at most GenLength / MinimalTopK

	Temperature float64 `json:"temperature"` // 0: the most probable token
	TopK        int     `json:"top_k"`       // sample among this many; 0: among all
	TopP        float64 `json:"top_p"`       // sample within this share; 0 or 1: all
	Seed        uint64  `json:"seed"`        // of the sampling; equal seeds give equal answers

	Policy       PolicyOptions `json:"policy"`         // what a step writes
	EOSEarlyStop bool          `json:"eos_early_stop"` // stop inside a block once the answer is complete
	Profile      Profile       `json:"profile"`        // "" means Exact

	Without Without `json:"without,omitzero"`

	// Delayed, if above 0, computes in a step only the positions that are masked or
	// were decided by the step before; the others keep the keys and values that they
	// had. Every Delayed-th step of a block computes all. (dKV-Cache-Decode, arXiv
	// 2505.15781, within a block.)
	Delayed int     `json:"delayed,omitempty"`
	Coreset Coreset `json:"coreset,omitzero"`

	// KVKeep, if above 0, is the share of the positions before a block that its steps,
	// from the third on, see: for long contexts.
	KVKeep float64 `json:"kv_keep,omitempty"`

	// Template has the first tokens of the answer, where they are known, and masks
	// where they are to be found. A known token is seen by its block, and by those
	// after it, but not by those before.
	Template []int32 `json:"template,omitempty"`

	Audit int `json:"audit,omitempty"` // how many steps are held against the reference

	// PromptCache, if not nil, has keys and values of blocks of prompts, and gets those
	// of this one. It is the model's.
	PromptCache *PromptCache `json:"-"`

	// OnStep, if not nil, is told of every denoising step.
	OnStep func(Step) `json:"-"`
}

// Without switches off what saves time and changes no bit of the answer, so that
// this can be seen, and what it saves be measured. The zero value saves all.
type Without struct {
	FusedCommit   bool `json:"fused_commit,omitempty"`   // a finished block is made final in a pass of its own
	SkippedCommit bool `json:"skipped_commit,omitempty"` // also after the end of the answer
	MaskedLogits  bool `json:"masked_logits,omitempty"`  // logits of all positions of the block, decided ones too
	PrunedLayer   bool `json:"pruned_layer,omitempty"`   // the whole last layer, also where no logits are wanted
}

// Class says how an answer that is made with some options relates to the exact one.
type Class string

const (
	// ClassExact: the tokens that the published code gives for the same settings, up
	// to the rounding of weights and activations.
	ClassExact Class = "exact"
	// ClassExactContext: keys and values of finished blocks are exact; within the
	// block being denoised, predictions are approximate.
	ClassExactContext Class = "exact-context"
	// ClassApproximate: other tokens are written at other steps, so that what is
	// predicted after them is another context's.
	ClassApproximate Class = "approximate"
)

// Class returns the class of answers made with the options.
func (o *Options) Class() Class {
	switch p := o.Policy.policy(); {
	case p.Class != ClassExact || o.Policy.SubBlock > 0:
		return ClassApproximate
	case o.approximates():
		return ClassExactContext
	}
	return ClassExact
}

// approximates reports whether passes leave something out.
func (o *Options) approximates() bool { return o.Delayed > 0 || o.Coreset.limits() || o.KVKeep > 0 }

// Defaults returns the recommended settings, as the file names them.
func (m *Model) Defaults() Options {
	return Options{
		BlockLength: m.Config.BlockLength, Steps: m.Config.Steps, Threshold: m.Config.Threshold,
		GenLength: 2048, MinimalTopK: 1, Profile: Exact, Policy: PolicyOptions{Name: PolicyThreshold},
	}
}

// maxAudit bounds the audited steps: the logits of each are kept.
const maxAudit = 64

// joined lists names.
func joined[T ~string](names []T) string {
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(n))
	}
	return b.String()
}

// Check reports the first setting without meaning for a prompt of the given
// length.
func (m *Model) Check(o *Options, prompt int) error {
	finite := func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
	switch {
	case o.BlockLength < 1:
		return fmt.Errorf("block length %d must be at least 1", o.BlockLength)
	case o.Steps < 1:
		return fmt.Errorf("steps %d must be at least 1", o.Steps)
	case !(o.Threshold >= 0 && o.Threshold <= 1):
		return fmt.Errorf("threshold %g is not between 0 and 1", o.Threshold)
	case o.GenLength < 1:
		return fmt.Errorf("generation length %d must be at least 1", o.GenLength)
	case o.MinimalTopK < 1 || o.MinimalTopK > o.GenLength:
		return fmt.Errorf("minimal top-k %d is not between 1 and the generation length %d", o.MinimalTopK, o.GenLength)
	case !finite(o.Temperature) || o.Temperature < 0:
		return fmt.Errorf("temperature %g must not be negative", o.Temperature)
	case o.TopK < 0:
		return fmt.Errorf("top-k %d must not be negative", o.TopK)
	case !(o.TopP >= 0 && o.TopP <= 1):
		return fmt.Errorf("top-p %g is not between 0 and 1", o.TopP)
	case o.Profile != "" && !slices.Contains(Profiles(), o.Profile):
		return fmt.Errorf("profile %q is not one of %s", o.Profile, joined(Profiles()))
	case o.PromptCache != nil && o.PromptCache.model != m:
		return fmt.Errorf("the prompt cache is of another model")
	case o.Policy.check(o.BlockLength, o.Temperature) != nil:
		return o.Policy.check(o.BlockLength, o.Temperature)
	case o.Policy.policy().All && o.Delayed > 0:
		return fmt.Errorf("policy %s looks at all positions in every step, so steps cannot be delayed", o.Policy.Name)
	case o.Delayed < 0:
		return fmt.Errorf("delayed %d must not be negative", o.Delayed)
	case !(o.KVKeep >= 0 && o.KVKeep <= 1):
		return fmt.Errorf("kv-keep %g is not between 0 and 1", o.KVKeep)
	case o.Coreset.Size < 0 || o.Coreset.Min < 0 || !(o.Coreset.Mass >= 0 && o.Coreset.Mass <= 1):
		return fmt.Errorf("coreset of %d experts, or of a share of %g and at least %d, has no meaning", o.Coreset.Size, o.Coreset.Mass, o.Coreset.Min)
	case o.Coreset.Size > 0 && o.Coreset.Mass > 0:
		return fmt.Errorf("a coreset has a size or a share of the votes, not both")
	case o.Coreset.limits() && m.Config.DenseLayers == m.Config.Layers:
		return fmt.Errorf("a coreset needs a model with experts")
	case o.Profile == Reference && o.approximates():
		return fmt.Errorf("the reference profile is exact: leave the approximations out")
	case o.Audit < 0 || o.Audit > maxAudit:
		return fmt.Errorf("audit of %d steps is not between 0 and %d", o.Audit, maxAudit)
	case len(o.Template) > o.GenLength:
		return fmt.Errorf("a template of %d tokens exceeds the generation length %d", len(o.Template), o.GenLength)
	// Each alone first: the sum could overflow.
	case o.BlockLength > m.Config.Context || o.GenLength > m.Config.Context || prompt+o.GenLength > m.Config.Context:
		return fmt.Errorf("%d prompt tokens and an answer of up to %d in blocks of %d exceed the model's %d positions",
			prompt, o.GenLength, o.BlockLength, m.Config.Context)
	}
	return nil
}

// blocks returns how many blocks the prompt and the answer have together.
func (o *Options) blocks(prompt int) int {
	return (prompt + o.GenLength + o.BlockLength - 1) / o.BlockLength
}

// schedule returns how many tokens each step of a block must write at least:
// the block length spread evenly, the remainder over the first steps.
func (o *Options) schedule() []int {
	steps := min(o.Steps, o.GenLength/o.MinimalTopK)
	quota := make([]int, min(steps, o.BlockLength+1))
	for i := range quota {
		quota[i] = o.BlockLength / steps
		if i < o.BlockLength%steps {
			quota[i]++
		}
	}
	return quota
}
