package kernels

import (
	goruntime "runtime"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPoolSpins: workers look out for work only while each has a processor, which
// may change from one operation to the next.
func TestPoolSpins(t *testing.T) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(3))
	p := NewPool(3)
	defer p.Close()
	assert.Positive(t, p.spins)
	for procs, want := range map[int]int{1: 0, 2: 0, 3: spins, 4: spins} {
		goruntime.GOMAXPROCS(procs)
		p.Run(10, 1, func(_, _, _ int) {})
		assert.Equal(t, want, p.spins, "%d processors", procs)
	}
	crowd := NewPool(5)
	defer crowd.Close()
	assert.Zero(t, crowd.spins)
}
