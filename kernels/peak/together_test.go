package peak

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestTogether: every loop runs, all of them in the same window, and what they did
// is added up.
func TestTogether(t *testing.T) {
	if !Supported() {
		assert.Zero(t, Together(time.Millisecond, Int8Loop))
		return
	}
	var begun atomic.Int32
	var counts [3]int
	var loops []Loop
	for i := range counts {
		loops = append(loops, func() int {
			if counts[i] == 0 {
				begun.Add(1)
				for begun.Load() < int32(len(counts)) {
					time.Sleep(10 * time.Microsecond) // all of them are under way before any is done
				}
			}
			counts[i]++
			time.Sleep(100 * time.Microsecond)
			return 1000
		})
	}
	const window = 5 * time.Millisecond
	start := time.Now()
	sum := Together(window, loops...)
	assert.GreaterOrEqual(t, time.Since(start), window)
	for i, n := range counts {
		assert.Positive(t, n, "loop %d", i)
	}
	all := float64(1000 * (counts[0] + counts[1] + counts[2]))
	assert.Positive(t, sum)
	assert.LessOrEqual(t, sum, all/float64(window))
}

// TestLoops: a reader goes through all of its memory again and again, and the loops
// say how much they do.
func TestLoops(t *testing.T) {
	if !Supported() {
		t.Skip("no loops for this processor")
	}
	read := Reader(make([]byte, 3<<20))
	for range 10 {
		assert.Equal(t, turns*256, read())
	}
	assert.Equal(t, turns*192, Int8Loop())
	assert.Equal(t, turns*192, Int4Loop())
	floats := 96
	if hasVNNI() {
		floats = 192
	}
	assert.Equal(t, turns*floats, FloatLoop())
	assert.Panics(t, func() { Reader(make([]byte, 1000))() })
}
