package runtime

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/internal/oracle"
	"lladakit/kernels"
)

// referenceCase is a block to decode; see testdata/policies.py.
type referenceCase struct {
	Policy    string         `json:"policy"`
	Options   map[string]any `json:"options"`
	Threshold float32        `json:"threshold"`
	Quota     []int          `json:"quota"`
	Mask      int32          `json:"mask"`
	Block     []int32        `json:"block"`
	Logits    [][][]float32  `json:"logits"` // [pass][position][token]

	opt PolicyOptions
}

// parameters are all of the options by name, also those that are 0.
func parameters(o PolicyOptions) map[string]any {
	o = o.filled()
	return map[string]any{
		"factor": o.Factor, "entropy_bound": o.EntropyBound,
		"kl_threshold": o.KLThreshold, "kl_history": o.KLHistory,
		"credit_alpha": o.CreditAlpha, "credit_gamma": o.CreditGamma, "credit_decay": o.CreditDecay,
		"low_threshold": o.LowThreshold, "edit_threshold": o.EditThreshold,
		"post_steps": o.PostSteps, "sub_block": o.SubBlock,
	}
}

// randomCase makes a block whose logits wander from pass to pass, some positions
// more than others, and less and less.
func randomCase(rng *rand.Rand, o PolicyOptions) referenceCase {
	block, vocab := 4+rng.IntN(13), 7
	c := referenceCase{
		Policy: o.filled().Name, Options: parameters(o), opt: o,
		Threshold: 0.5 + 0.45*rng.Float32(), Mask: int32(rng.IntN(vocab)),
	}
	prompt := rng.IntN(block / 2)
	for i := range block {
		c.Block = append(c.Block, c.Mask)
		if i < prompt {
			c.Block[i] = (c.Mask + 1 + int32(rng.IntN(vocab-1))) % int32(vocab)
		}
	}
	schedule := Options{BlockLength: block, Steps: []int{block, block, 4}[rng.IntN(3)], GenLength: 99, MinimalTopK: 1}
	c.Quota = schedule.schedule()
	rows, pace := make([][]float32, block), make([]float64, block)
	for i := range rows {
		rows[i], pace[i] = make([]float32, vocab), rng.Float64()*rng.Float64()
		for k := range rows[i] {
			rows[i][k] = float32(1.7 * rng.NormFloat64())
		}
	}
	for range block + o.filled().PostSteps + 1 {
		pass := make([][]float32, block)
		for i := range rows {
			pass[i] = slices.Clone(rows[i])
			for k := range rows[i] {
				rows[i][k] += float32(pace[i] * rng.NormFloat64())
			}
			pace[i] *= 0.9
		}
		c.Logits = append(c.Logits, pass)
	}
	return c
}

// decode runs a case as the loop does, and returns the passes in the form of
// testdata/policies.py.
func (c *referenceCase) decode() [][2]any {
	n := len(c.Block)
	d := newDecider(c.opt, n)
	v := &view{
		current: slices.Clone(c.Block), masked: make([]bool, n), fixed: make([]bool, n),
		stats: make([]kernels.Stats, n), threshold: c.Threshold,
	}
	for i, id := range c.Block {
		v.fixed[i] = id != c.Mask
	}
	take := make([]bool, n)
	var passes [][2]any
	var s stage
	d.reset()
	for step, logits := range c.Logits {
		v.prob = func(i int, token int32) float64 { return shareOf(logits[i], &v.stats[i], token) }
		for i, id := range v.current {
			v.masked[i] = id == c.Mask
		}
		p := d.next(s, slices.Contains(v.masked, true))
		if p == passNone {
			break
		}
		wrote := [][2]int{}
		if p != passCommit {
			for i := range n {
				if v.masked[i] || d.policy.All && !v.fixed[i] {
					v.stats[i] = kernels.LogitStats(logits[i], c.Mask)
				}
				if v.masked[i] && d.policy.Logits {
					d.observe(i, logits[i])
				}
			}
			v.quota = 1
			if step < len(c.Quota) {
				v.quota = c.Quota[step]
			}
			d.decide(take, v)
			for i := range take {
				if take[i] {
					v.current[i] = v.stats[i].Token
					wrote = append(wrote, [2]int{i, int(v.current[i])})
				}
			}
		}
		passes = append(passes, [2]any{map[pass]string{passDenoise: "denoise", passEdit: "edit", passCommit: "commit"}[p], wrote})
		s = s.after(p, len(wrote) > 0, true)
	}
	return passes
}

// TestPolicyReference decodes random blocks from beginning to end, against another
// implementation.
func TestPolicyReference(t *testing.T) {
	python, err := oracle.Python()
	if err != nil {
		t.Skip(err)
	}
	rng := rand.New(rand.NewPCG(21, 22))
	var cases []referenceCase
	for range 12 {
		for _, o := range []PolicyOptions{
			{},
			{Name: PolicyFactor}, {Name: PolicyFactor, Factor: 2.5}, {Name: PolicyFactor, Factor: 0.4},
			{Name: PolicyEntropyBound, EntropyBound: 1.5}, {Name: PolicyEntropyBound, EntropyBound: 4},
			{Name: PolicyKLASS}, {Name: PolicyKLASS, KLThreshold: 0.2, KLHistory: 1}, {Name: PolicyKLASS, KLThreshold: 0.1, KLHistory: 3},
			{Name: PolicyCredit}, {Name: PolicyCredit, CreditAlpha: 3, CreditGamma: 1, CreditDecay: 0.95},
			{Name: PolicyHierarchical}, {Name: PolicyHierarchical, LowThreshold: 0.25},
			{Name: PolicyJoint}, {Name: PolicyJoint, EditThreshold: 0.5, PostSteps: 3}, {Name: PolicyJoint, EditThreshold: -1},
			{Name: PolicyJoint, EditThreshold: -1, PostSteps: -1},
		} {
			cases = append(cases, randomCase(rng, o))
			o.SubBlock = 1 + rng.IntN(4)
			cases = append(cases, randomCase(rng, o))
		}
	}
	input, err := json.Marshal(cases)
	require.NoError(t, err)
	cmd := exec.Command(python, "-B", filepath.Join("testdata", "policies.py"))
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s", stderr.Bytes())
	var want []any
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &want))
	require.Len(t, want, len(cases))

	// What the cases exercise: how many blocks took fewer passes than the threshold
	// alone would have, changed a prediction, or ended by an edit pass.
	seen := map[string]int{}
	for i := range cases {
		c := &cases[i]
		passes := c.decode()
		got, err := json.Marshal(passes)
		require.NoError(t, err)
		expected, err := json.Marshal(want[i])
		require.NoError(t, err)
		assert.Equal(t, string(expected), string(got), "case %d: %s %+v", i, c.Policy, c.opt)
		other := *c
		other.opt = PolicyOptions{SubBlock: c.opt.SubBlock}
		if fmt.Sprint(other.decode()) != fmt.Sprint(passes) {
			seen[c.Policy]++
		}
		seen[fmt.Sprint(c.Policy, " ends by ", passes[len(passes)-1][0])]++
	}
	t.Log(seen)
	for _, p := range Policies() {
		if p.Name != PolicyThreshold {
			assert.Greater(t, seen[p.Name], 5, "%s differs from the threshold", p.Name)
		}
	}
	assert.Positive(t, seen["joint ends by edit"])
	assert.Positive(t, seen["joint ends by commit"])
}
