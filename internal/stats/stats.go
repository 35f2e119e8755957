// Package stats has the statistics of right and wrong answers.
package stats

// Wilson returns the 95 % interval of a proportion of k in n (Wilson 1927, without a
// correction for continuity). For n = 0 it is 0 to 1.
func Wilson(k, n int) (low, high float64) { panic("TODO") }
