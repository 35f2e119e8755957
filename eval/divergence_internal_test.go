package eval

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPosition compares with figures worked out by hand: p = (1/2, 1/4, 1/4)
// and q = (1/4, 1/2, 1/4) have the KL divergence 1/2·ln 2 - 1/4·ln 2.
func TestPosition(t *testing.T) {
	ln := func(p ...float64) (out []float32) {
		for _, v := range p {
			out = append(out, float32(math.Log(v)+7)) // any constant may be added to logits
		}
		return out
	}
	s := position(ln(.25, .5, .25), ln(.5, .25, .25))
	assert.InDelta(t, math.Ln2/4, s.kld, 1e-6)
	assert.InDelta(t, 1.0/16, s.squared, 1e-6)
	assert.Zero(t, s.same)
	assert.Equal(t, 1, s.n)

	s = position(ln(.5, .3, .2), ln(.5, .2, .3))
	assert.InDelta(t, .2*math.Log(.2/.3)+.3*math.Log(.3/.2), s.kld, 1e-6)
	assert.Equal(t, 1.0, s.same)
	assert.InDelta(t, 0, s.squared, 1e-12)
}

func TestMaskBucket(t *testing.T) {
	for masked, want := range map[int]int{1: 0, 8: 0, 9: 1, 16: 1, 17: 2, 24: 2, 25: 3, 32: 3} {
		assert.Equal(t, want, maskBucket(masked, 32), masked)
	}
	assert.Equal(t, 3, maskBucket(1, 1))
}
