package quant

import (
	"errors"
	"fmt"
	"math"

	"lladakit/internal/gguf"
)

// Option is one way of storing a matrix: its size, and the error that this adds
// to what the model computes, in any unit that is the same for all matrices.
type Option struct {
	Type  gguf.Type
	Bytes uint64
	Error float64
}

// ErrBudget is returned, wrapped, when even the smallest options exceed a budget.
var ErrBudget = errors.New("the size is too small")

// Solution is one option for every matrix.
type Solution struct {
	Picks []int // index of the option of each matrix
	Bytes uint64
	Error float64

	// Gap is how much smaller the error of the best possible solution can be at
	// most, as a share of Error.
	Gap float64
}

// Solve picks one option for each matrix so that all together take at most
// budget bytes and the sum of errors is small.
//
// It is Everett's method: for a price λ per byte every matrix has a best option
// by itself, the one that minimises error + λ·bytes; bisection finds the lowest
// price at which those fit. What is left of the budget goes to the exchanges
// that save most error per byte. The dual value Σ min(error + λ·bytes) - λ·budget
// is a lower bound of every solution's error, and gives the gap.
func Solve(matrices [][]Option, budget uint64) (*Solution, error) {
	var smallest uint64
	for i, options := range matrices {
		if len(options) == 0 {
			return nil, fmt.Errorf("matrix %d has no options", i)
		}
		least := options[0].Bytes
		for _, o := range options {
			if !(o.Error >= 0) || math.IsInf(o.Error, 0) {
				return nil, fmt.Errorf("matrix %d: the error %g of %v is not a number", i, o.Error, o.Type)
			}
			least = min(least, o.Bytes)
		}
		smallest += least
	}
	if smallest > budget {
		return nil, fmt.Errorf("%w: %d bytes, but the smallest types take %d", ErrBudget, budget, smallest)
	}
	low, high := 0.0, 1.0
	for pick(matrices, high).Bytes > budget {
		high *= 2
		if math.IsInf(high, 0) {
			break // errors so large that only the price counts: take what is smallest
		}
	}
	bound := dual(matrices, low, budget)
	for range 200 {
		price := (low + high) / 2
		bound = max(bound, dual(matrices, price, budget))
		if pick(matrices, price).Bytes > budget {
			low = price
		} else {
			high = price
		}
	}
	bound = max(bound, dual(matrices, high, budget))
	s := pick(matrices, high)
	s.spend(matrices, budget)
	if s.Error > 0 {
		s.Gap = max(0, (s.Error-bound)/s.Error)
	}
	return s, nil
}

// pick takes every matrix's best option at a price per byte, the smaller and
// then the earlier of equals.
func pick(matrices [][]Option, price float64) *Solution {
	s := &Solution{Picks: make([]int, len(matrices))}
	for i, options := range matrices {
		best := 0
		for j, o := range options {
			a, b := o.Error+price*float64(o.Bytes), options[best].Error+price*float64(options[best].Bytes)
			if a < b || a == b && o.Bytes < options[best].Bytes {
				best = j
			}
		}
		s.Picks[i] = best
		s.Bytes += options[best].Bytes
		s.Error += options[best].Error
	}
	return s
}

// dual is the value of the relaxed problem at a price.
func dual(matrices [][]Option, price float64, budget uint64) float64 {
	s := pick(matrices, price)
	return s.Error + price*(float64(s.Bytes)-float64(budget))
}

// spend uses what is left of the budget: again and again the exchange of one
// matrix's option that saves the most error per byte and fits.
func (s *Solution) spend(matrices [][]Option, budget uint64) {
	for {
		matrix, option, most := -1, 0, 0.0
		for i, options := range matrices {
			now := options[s.Picks[i]]
			for j, o := range options {
				saved := now.Error - o.Error
				if saved <= 0 || o.Bytes > now.Bytes && o.Bytes-now.Bytes > budget-s.Bytes {
					continue
				}
				rate := math.Inf(1) // smaller and better
				if o.Bytes > now.Bytes {
					rate = saved / float64(o.Bytes-now.Bytes)
				}
				if rate > most {
					matrix, option, most = i, j, rate
				}
			}
		}
		if matrix < 0 {
			return
		}
		now, next := matrices[matrix][s.Picks[matrix]], matrices[matrix][option]
		s.Picks[matrix] = option
		s.Bytes = s.Bytes - now.Bytes + next.Bytes
		s.Error += next.Error - now.Error
	}
}
