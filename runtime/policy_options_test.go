package runtime

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPolicies(t *testing.T) {
	names := map[string]bool{}
	for i, p := range Policies() {
		names[p.Name] = true
		require.NotEmpty(t, p.About)
		require.NotContains(t, p.About, "\n")
		o := PolicyOptions{Name: p.Name}
		require.NoError(t, o.check(32, 0))
		assert.Equal(t, p.Name, o.policy().Name)
		assert.Equal(t, i == 0, p.Name == (&PolicyOptions{}).policy().Name)
		class := ClassApproximate
		if p.Name == PolicyThreshold || p.Name == PolicyJoint {
			class = ClassExact
		}
		assert.Equal(t, class, p.Class, p.Name)
		assert.Equal(t, p.Name == PolicyJoint, p.All, p.Name)
		assert.Equal(t, p.Name == PolicyKLASS || p.Name == PolicyCredit, p.Logits, p.Name)
	}
	assert.Len(t, names, 7)
	Policies()[0].Name = "changed"
	assert.Equal(t, PolicyThreshold, Policies()[0].Name)
}

func TestPolicyDefaults(t *testing.T) {
	assert.Equal(t, PolicyOptions{
		Name: "threshold", Factor: 1, EntropyBound: 0.15, KLThreshold: 0.01, KLHistory: 2,
		CreditAlpha: 0.7, CreditGamma: 0.2, CreditDecay: 0.8,
		LowThreshold: 0.4, EditThreshold: 0.9, PostSteps: 16,
	}, PolicyOptions{}.filled())
	assert.Equal(t, PolicyOptions{Name: "joint", SubBlock: 8}, PolicyOptions{
		Name: "joint", Factor: -1, EntropyBound: -1, KLThreshold: -1, KLHistory: -1,
		CreditAlpha: -1, CreditGamma: -1, CreditDecay: -1,
		LowThreshold: -1, EditThreshold: -1, PostSteps: -1, SubBlock: 8,
	}.filled())
	set := PolicyOptions{
		Name: "factor", Factor: 2, EntropyBound: 3, KLThreshold: 4, KLHistory: 5,
		CreditAlpha: 6, CreditGamma: 7, CreditDecay: 0.5,
		LowThreshold: 0.25, EditThreshold: 0.125, PostSteps: 8, SubBlock: 16,
	}
	require.NoError(t, set.check(16, 0))
	assert.Equal(t, set, set.filled())

	data, err := json.Marshal(PolicyOptions{})
	require.NoError(t, err)
	assert.Equal(t, `{}`, string(data))
	data, err = json.Marshal(set)
	require.NoError(t, err)
	assert.Equal(t, `{"name":"factor","factor":2,"entropy_bound":3,"kl_threshold":4,"kl_history":5,`+
		`"credit_alpha":6,"credit_gamma":7,"credit_decay":0.5,"low_threshold":0.25,"edit_threshold":0.125,`+
		`"post_steps":8,"sub_block":16}`, string(data))
}

func TestPolicyCheck(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for want, o := range map[string]PolicyOptions{
		`policy "fast" is not one of threshold, factor, entropy-bound, klass, credit, hierarchical, joint`: {Name: "fast"},
		"factor NaN is not finite":                              {Factor: nan},
		"entropy bound +Inf is not finite":                      {EntropyBound: inf},
		"KL threshold -Inf is not finite":                       {KLThreshold: -inf},
		"credit alpha 17 is above 16":                           {CreditAlpha: 17},
		"credit gamma 17 is above 16":                           {CreditGamma: 17},
		"credit decay 1.5 is above 1":                           {CreditDecay: 1.5},
		"low threshold 1.5 is above 1":                          {LowThreshold: 1.5},
		"edit threshold NaN is not finite":                      {EditThreshold: float32(nan)},
		"sub-block -1 must not be negative":                     {SubBlock: -1},
		"sub-block 33 is longer than the block of 32 positions": {SubBlock: 33},
	} {
		assert.EqualError(t, o.check(32, 0), want)
	}
	o := PolicyOptions{Name: PolicyCredit}
	assert.EqualError(t, o.check(32, 0.5), "policy credit needs temperature 0, not 0.5")
	o.Name = PolicyKLASS
	assert.NoError(t, o.check(32, 0.5))
}
