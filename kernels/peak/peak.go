// Package peak measures what one core can do at most: the arithmetic that
// products of matrices are made of, on registers, and reading memory. Speeds of
// kernels are stated as shares of it.
//
// Every function returns the best of a number of short trials, the least
// disturbed one on a machine that does other things too, and zero where there are
// no loops for the processor.
package peak

import "time"

// Int8 returns how many products of 8-bit weights and activations a core can add
// up, in GMAC/s.
func Int8(trials int) float64 {
	if hasVNNI() {
		return best(trials, 768, dots)
	}
	return best(trials, 192, bytes)
}

// Int4 is Int8 for 4-bit weights, whose sums stay in 16 bits for a while.
func Int4(trials int) float64 {
	if hasVNNI() {
		return best(trials, 768, dots)
	}
	return best(trials, 192, nibbles)
}

// Float is Int8 for float32.
func Float(trials int) float64 {
	if hasVNNI() {
		return best(trials, 192, fma512)
	}
	return best(trials, 96, fma)
}

// Memory returns how fast a core reads buf, in GB/s. Each trial reads the next
// part of it; for the speed of memory, make it several times as large as the
// caches.
func Memory(buf []byte, trials int) float64 {
	const unit = 256
	at := 0
	return best(trials, unit, func(n int) {
		if at+n*unit > len(buf) {
			at = 0
		}
		read(&buf[at : at+n*unit][0], n)
		at += n * unit
	})
}

// best times f(n), which does n·unit things, and returns how many it does in a
// nanosecond.
func best(trials, unit int, f func(n int)) float64 {
	if !supported() {
		return 0
	}
	const n = 4000
	least := time.Duration(1<<63 - 1)
	for range trials {
		start := time.Now()
		f(n)
		least = min(least, time.Since(start))
	}
	return n * float64(unit) / float64(least.Nanoseconds())
}
