package runtime

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lladakit/kernels"
)

func TestJoint(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  float32
		conf  []float32
		other []float32 // of another token where there is no mask; 0: the model sees the same one
		want  []int
	}{
		// Position 0 is the prompt's.
		{"default 0.9, strictly", 0, []float32{no, 0.96, no, 0.5, no}, []float32{1, 0, 0.89, 0, 0.91}, []int{1, 4}},
		{"a mask at least", 0, []float32{no, 0.3, no, 0.5, no}, []float32{0, 0, 0.91, 0, 0}, []int{2, 3}},
		{"0.5", 0.5, []float32{no, 0.96, no, 0.5, no}, []float32{1, 0, 0.5, 0, 0.75}, []int{1, 4}},
		{"0 corrects whatever differs", -1, []float32{no, 0.96, no, 0.5, no}, []float32{1, 0, 0.01, 0, 0}, []int{1, 2}},
		{"1 never", 1, []float32{no, no, no, no, no}, []float32{1, 1, 1, 1, 1}, []int{}},
		{"without masks", 0, []float32{no, no, no, no, no}, []float32{1, 0, 0.95, 0, 0.5}, []int{2}},
		{"nothing differs", 0, []float32{no, no, no, no, no}, []float32{1, 0, 0, 0, 0}, []int{}},
	} {
		v := viewOf(c.conf...)
		v.fixed[0] = true
		for i, p := range c.other {
			if p > 0 {
				v.stats[i] = kernels.Stats{Token: 7, Prob: p}
			}
		}
		assert.Equal(t, c.want, taken(t, PolicyOptions{Name: PolicyJoint, EditThreshold: c.edit}, v), c.name)
	}
	// A sure prediction of what stands there is no correction.
	v := viewOf(no, no)
	v.stats[1].Prob = 0.99
	assert.Empty(t, taken(t, PolicyOptions{Name: PolicyJoint}, v))
}

func TestStages(t *testing.T) {
	type event struct {
		want  pass
		masks bool // before the pass
		wrote bool
		part  bool // the pass computed a part of the block
	}
	full := event{want: passNone}
	for _, c := range []struct {
		name   string
		o      PolicyOptions
		events []event
	}{
		{"no corrections", PolicyOptions{}, []event{
			{want: passDenoise, masks: true, wrote: true}, {want: passDenoise, masks: true, wrote: true}, {want: passCommit}, full}},
		{"nothing to correct: the edit pass is the commit", PolicyOptions{Name: PolicyJoint}, []event{
			{want: passDenoise, masks: true, wrote: true}, {want: passEdit}, full}},
		{"unless it computed a part", PolicyOptions{Name: PolicyJoint}, []event{
			{want: passDenoise, masks: true, wrote: true}, {want: passEdit, part: true}, {want: passCommit}, full}},
		{"two corrections", PolicyOptions{Name: PolicyJoint}, []event{
			{want: passEdit, wrote: true}, {want: passEdit, wrote: true}, {want: passEdit}, full}},
		{"a budget of two, spent", PolicyOptions{Name: PolicyJoint, PostSteps: 2}, []event{
			{want: passEdit, wrote: true}, {want: passEdit, wrote: true}, {want: passCommit}, full}},
		{"no budget", PolicyOptions{Name: PolicyJoint, PostSteps: -1}, []event{
			{want: passDenoise, masks: true, wrote: true}, {want: passCommit}, full}},
	} {
		d := newDecider(c.o, 4)
		var s stage
		for i, e := range c.events {
			p := d.next(s, e.masks)
			require.Equal(t, e.want, p, "%s, pass %d", c.name, i)
			s = s.after(p, e.wrote, !e.part)
		}
	}
	// The default budget is 16.
	d := newDecider(PolicyOptions{Name: PolicyJoint}, 4)
	var s stage
	edits := 0
	for ; d.next(s, false) == passEdit; edits++ {
		s = s.after(passEdit, true, true)
	}
	assert.Equal(t, 16, edits)
	assert.Equal(t, passCommit, d.next(s, false))
}

// TestPassed: what tops up to the quota has not passed the rule.
func TestPassed(t *testing.T) {
	for _, c := range []struct {
		o       PolicyOptions
		quota   int
		passed  int
		written int
	}{
		{PolicyOptions{}, 3, 2, 3}, // 0.96 and 0.97
		{PolicyOptions{}, 1, 2, 2},
		// 2·0.03 = 0.06 and 3·0.04 = 0.12 are below 0.2; 4·0.4 is not
		{PolicyOptions{Name: PolicyFactor, Factor: 0.2}, 4, 2, 4},
		{PolicyOptions{Name: PolicyFactor, Factor: 0.05}, 1, 0, 1},
		// in order 0.1, 0.1, 0.2, 0.3; sums before them 0, 0.1, 0.2
		{PolicyOptions{Name: PolicyEntropyBound}, 3, 2, 3},
		{PolicyOptions{Name: PolicyKLASS}, 2, 0, 2},
		{PolicyOptions{Name: PolicyKLASS, KLHistory: -1}, 2, 2, 2},
		{PolicyOptions{Name: PolicyHierarchical}, 1, 3, 3}, // 0.96, 0.97, and 0.6 of its run
		{PolicyOptions{Name: PolicyHierarchical}, 4, 3, 4},
		{PolicyOptions{Name: PolicyJoint}, 1, 2, 3}, // and a correction
	} {
		v := viewOf(0.96, 0.97, no, 0.6, 0.5, no)
		v.quota = c.quota
		for i, h := range []float32{0.1, 0.1, 0, 0.2, 0.3, 0} {
			v.stats[i].Entropy = h
		}
		v.stats[5] = kernels.Stats{Token: 7, Prob: 0.95}
		take, n := make([]bool, 6), 0
		passed := newDecider(c.o, 6).decide(take, v)
		for _, t := range take {
			if t {
				n++
			}
		}
		assert.Equal(t, [2]int{c.passed, c.written}, [2]int{passed, n}, "%+v", c.o)
	}
}

func TestSubBlock(t *testing.T) {
	for _, c := range []struct {
		name  string
		sub   int
		quota int
		conf  []float32
		want  []int
	}{
		{"off", 0, 1, []float32{no, 0.3, no, 0.2, 0.99, 0.98, 0.1, 0.1}, []int{4, 5}},
		{"the first part only", 4, 1, []float32{no, 0.3, no, 0.2, 0.99, 0.98, 0.1, 0.1}, []int{1}},
		{"the first part is full", 4, 1, []float32{no, no, no, no, 0.99, 0.98, 0.1, 0.1}, []int{4, 5}},
		{"above the threshold in it", 4, 1, []float32{0.97, 0.3, 0.96, no, 0.99, 0.98, 0.1, 0.1}, []int{0, 2}},
		{"a quota within it", 4, 2, []float32{no, 0.3, no, 0.2, 0.99, 0.98, 0.1, 0.1}, []int{1, 3}},
		{"a quota beyond it", 4, 3, []float32{no, 0.3, no, 0.2, 0.5, 0.4, 0.1, 0.1}, []int{1, 4, 5}},
		{"a shorter last part", 3, 1, []float32{no, no, no, no, no, no, 0.1, 0.2}, []int{7}},
		{"the whole block", 8, 1, []float32{no, 0.3, no, 0.2, 0.99, 0.98, 0.1, 0.1}, []int{4, 5}},
		{"one by one", 1, 1, []float32{no, 0.3, no, 0.2, 0.99, 0.98, 0.1, 0.1}, []int{1}},
		{"no masks", 4, 1, []float32{no, no, no, no, no, no, no, no}, []int{}},
	} {
		v := viewOf(c.conf...)
		v.quota = c.quota
		assert.Equal(t, c.want, taken(t, PolicyOptions{SubBlock: c.sub}, v), c.name)
	}
	// Corrections are made behind it too, and the history of positions behind it grows.
	v := viewOf(0.3, 0.99, no, no)
	v.stats[3] = kernels.Stats{Token: 7, Prob: 0.95}
	assert.Equal(t, []int{0, 3}, taken(t, PolicyOptions{Name: PolicyJoint, SubBlock: 1}, v))
	d := newDecider(PolicyOptions{Name: PolicyCredit, SubBlock: 1}, 2)
	v = viewOf(0.3, 0.5)
	chosen(d, v)
	assert.Greater(t, v.stats[1].Prob, float32(0.5))
}
