package runtime

import (
	"fmt"
	"math"
	"strings"
)

// A Policy is a rule by which a step of block diffusion chooses the positions of
// the block that it writes.
//
// While a block has masks, every policy writes at least one of them at every step,
// and at least as many as the schedule of Options.Steps asks for. A block is
// therefore full after Steps steps at most.
type Policy struct {
	Name  string
	Class Class  // ClassExact: the authors decode with it
	About string // one line

	// All says that the policy wants the statistics of all positions of a block but
	// the prompt's; the others want those of masked positions only.
	All bool
	// Logits says that the policy wants more of a distribution than its statistics.
	Logits bool

	decide func(take []bool, v *view, o *PolicyOptions) (passed int)
}

// Names of the policies.
const (
	PolicyThreshold    = "threshold"
	PolicyFactor       = "factor"
	PolicyEntropyBound = "entropy-bound"
	PolicyKLASS        = "klass"
	PolicyCredit       = "credit"
	PolicyHierarchical = "hierarchical"
	PolicyJoint        = "joint"
)

var policies = []Policy{
	{
		Name: PolicyThreshold, Class: ClassExact, decide: decideThreshold,
		About: "probabilities above the threshold",
	}, {
		Name: PolicyFactor, Class: ClassApproximate, decide: decideFactor,
		About: "the n most probable ones with (n+1)(1-p) below the factor (Fast-dLLM)",
	}, {
		Name: PolicyEntropyBound, Class: ClassApproximate, decide: decideEntropyBound,
		About: "the least entropies, up to a sum (EB-sampler)",
	}, {
		Name: PolicyKLASS, Class: ClassApproximate, Logits: true, decide: decideKLASS,
		About: "probabilities above the threshold whose distributions have come to rest (KLASS)",
	}, {
		Name: PolicyCredit, Class: ClassApproximate, Logits: true, decide: decideThreshold,
		About: "probabilities above the threshold, raised by those of earlier steps (CreditDecoding)",
	}, {
		Name: PolicyHierarchical, Class: ClassApproximate, decide: decideHierarchical,
		About: "probabilities above the threshold, and the best one of every run of masks (dInfer)",
	}, {
		Name: PolicyJoint, Class: ClassExact, All: true, decide: decideJoint,
		About: "probabilities above the threshold, and corrections of what is written (LLaDA2.1 only)",
	},
}

// Policies returns all policies, the default first.
func Policies() []Policy { return append([]Policy(nil), policies...) }

// PolicyOptions choose a policy and its parameters. The threshold itself is
// Options.Threshold. A parameter that is 0 has the default named here, one below 0
// stands for 0; those of other policies than the chosen one have no effect.
type PolicyOptions struct {
	Name string `json:"name,omitempty"` // "" means "threshold"

	// Factor is f of "factor", see decideFactor. Default 1; 0 writes one token a step.
	Factor float64 `json:"factor,omitempty"`

	// EntropyBound is γ of "entropy-bound" in nats, see decideEntropyBound. Default
	// 0.15; 0 writes one token a step, but for distributions without any entropy.
	EntropyBound float64 `json:"entropy_bound,omitempty"`

	// KLThreshold is the divergence in nats below which a distribution of "klass"
	// counts as unchanged by a step, and KLHistory how many steps in a row must leave
	// it so; see decideKLASS. Defaults 0.01 and 2. History 0 makes it "threshold".
	KLThreshold float64 `json:"kl_threshold,omitempty"`
	KLHistory   int     `json:"kl_history,omitempty"`

	// CreditAlpha, CreditGamma and CreditDecay are the weight of the credits of
	// "credit", the exponent that turns a probability into credit, and the share of
	// it that is left a step later; see credits. Defaults 0.7, 0.2 and 0.8. Alpha 0
	// makes it "threshold".
	CreditAlpha float64 `json:"credit_alpha,omitempty"`
	CreditGamma float64 `json:"credit_gamma,omitempty"`
	CreditDecay float64 `json:"credit_decay,omitempty"`

	// LowThreshold is the probability above which "hierarchical" writes the best
	// position of a run of masks; see decideHierarchical. Default 0.4.
	LowThreshold float32 `json:"low_threshold,omitempty"`

	// EditThreshold is the probability above which "joint" corrects a token, and
	// PostSteps how many passes it may spend on that after the last mask; see
	// decideJoint and stage. Defaults 0.9 and 16. Threshold 0 corrects whatever the
	// model sees otherwise; 0 passes leave the corrections made before the last mask.
	EditThreshold float32 `json:"edit_threshold,omitempty"`
	PostSteps     int     `json:"post_steps,omitempty"`

	// SubBlock, if not 0, fills a block from left to right in parts of so many
	// positions (Fast-dLLM v2 has parts of 8): masks of a part are written only when
	// there are none before it. Where the schedule asks for more tokens than the part
	// has masks, the next part is open too. Corrections are made everywhere.
	SubBlock int `json:"sub_block,omitempty"`
}

// policy returns the chosen policy, or nil where there is none of that name.
func (o *PolicyOptions) policy() *Policy {
	for i := range policies {
		if p := &policies[i]; p.Name == o.Name || o.Name == "" && p.Name == PolicyThreshold {
			return p
		}
	}
	return nil
}

// check reports the first parameter without meaning, whichever policy it is of, for
// blocks of the given length and a temperature of sampling.
func (o *PolicyOptions) check(block int, temperature float64) error {
	if o.policy() == nil {
		var names []string
		for _, p := range policies {
			names = append(names, p.Name)
		}
		return fmt.Errorf("policy %q is not one of %s", o.Name, strings.Join(names, ", "))
	}
	for _, f := range []struct {
		name        string
		value, most float64
	}{
		{"factor", o.Factor, math.MaxFloat64},
		{"entropy bound", o.EntropyBound, math.MaxFloat64},
		{"KL threshold", o.KLThreshold, math.MaxFloat64},
		// Beyond these bounds powers of credits could overflow.
		{"credit alpha", o.CreditAlpha, 16},
		{"credit gamma", o.CreditGamma, 16},
		{"credit decay", o.CreditDecay, 1},
		{"low threshold", float64(o.LowThreshold), 1},
		{"edit threshold", float64(o.EditThreshold), 1},
	} {
		if math.IsNaN(f.value) || math.IsInf(f.value, 0) {
			return fmt.Errorf("%s %g is not finite", f.name, f.value)
		}
		if f.value > f.most {
			return fmt.Errorf("%s %g is above %g", f.name, f.value, f.most)
		}
	}
	switch {
	case o.SubBlock < 0:
		return fmt.Errorf("sub-block %d must not be negative", o.SubBlock)
	case o.SubBlock > block:
		return fmt.Errorf("sub-block %d is longer than the block of %d positions", o.SubBlock, block)
	case o.Name == PolicyCredit && temperature > 0:
		return fmt.Errorf("policy credit needs temperature 0, not %g", temperature)
	}
	return nil
}

// filled returns the options with every default in its place.
func (o PolicyOptions) filled() PolicyOptions {
	if o.Name == "" {
		o.Name = PolicyThreshold
	}
	fill(&o.Factor, 1)
	fill(&o.EntropyBound, 0.15)
	fill(&o.KLThreshold, 0.01)
	fill(&o.KLHistory, 2)
	fill(&o.CreditAlpha, 0.7)
	fill(&o.CreditGamma, 0.2)
	fill(&o.CreditDecay, 0.8)
	fill(&o.LowThreshold, 0.4)
	fill(&o.EditThreshold, 0.9)
	fill(&o.PostSteps, 16)
	return o
}

// fill puts the value that a parameter stands for in its place.
func fill[T float32 | float64 | int](x *T, value T) {
	switch {
	case *x == 0:
		*x = value
	case *x < 0:
		*x = 0
	}
}
