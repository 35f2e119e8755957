package peak

import (
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A Loop does some microseconds of work, and returns how much: how many products, or
// how many bytes.
type Loop func() int

// turns is how often a Loop goes round.
const turns = 4000

// Supported reports whether there are loops for the processor, and in the build.
func Supported() bool { return supported() }

// Int8Loop, Int4Loop and FloatLoop do what Int8, Int4 and Float measure.
func Int8Loop() int {
	if hasVNNI() {
		return dotsLoop()
	}
	bytes(turns)
	return turns * 192
}

func Int4Loop() int {
	if hasVNNI() {
		return dotsLoop()
	}
	nibbles(turns)
	return turns * 192
}

// dotsLoop is both with AVX-512 VNNI, where sums of 16 bits are no faster.
func dotsLoop() int { dots(turns / 4); return turns / 4 * 768 }

func FloatLoop() int {
	if hasVNNI() {
		fma512(turns)
		return turns * 192
	}
	fma(turns)
	return turns * 96
}

// Reader returns a loop that reads the next part of buf each time, which has at least
// a megabyte.
func Reader(buf []byte) Loop {
	const size = turns * 256
	at := 0
	return func() int {
		if at+size > len(buf) {
			at = 0
		}
		read(&buf[at : at+size][0], turns)
		at += size
		return size
	}
}

// Together repeats loops for a while, each on a thread of its own and all at the same
// time, and returns the sum of their speeds: in GMAC/s, or GB/s. A thread that others
// keep from running counts as slow. It is zero where there are no loops.
func Together(window time.Duration, loops ...Loop) float64 {
	if !supported() {
		return 0
	}
	var (
		ready atomic.Int32
		begin time.Time // when the last thread was ready
		open  atomic.Bool
		wait  sync.WaitGroup
		sum   float64
		mutex sync.Mutex
	)
	for _, loop := range loops {
		wait.Go(func() {
			goruntime.LockOSThread()
			defer goruntime.UnlockOSThread()
			if ready.Add(1) == int32(len(loops)) {
				begin = time.Now()
				open.Store(true)
			}
			for !open.Load() {
				goruntime.Gosched()
			}
			done, took := 0, time.Duration(0)
			for took < window {
				done += loop()
				took = time.Since(begin)
			}
			mutex.Lock()
			defer mutex.Unlock()
			sum += float64(done) / float64(took)
		})
	}
	wait.Wait()
	return sum
}
