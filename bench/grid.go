package bench

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Lists of values are written as llama-bench has them: values and ranges between
// commas, and a flag that is given again adds to them. A range is
//
//	a-b      from a to b, one by one
//	a-b+step
//	a-b*mult each one mult times the one before
//
// Both ends belong to it, b if a value hits it.

// Bounds of what a list can ask for, so that a slip of the finger is one error.
const (
	mostValues = 256
	mostValue  = 1 << 30
)

// Ints reads lists of whole numbers from 0 up.
func Ints(lists ...string) ([]int, error) {
	return values(lists, func(text string) (int, error) {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || n > mostValue {
			return 0, fmt.Errorf("%.40q is not a number from 0 to %d", text, mostValue)
		}
		return int(n), nil
	})
}

// Floats reads lists of numbers from 0 up, without exponents.
func Floats(lists ...string) ([]float64, error) {
	return values(lists, func(text string) (float64, error) {
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || strings.Trim(text, "0123456789.") != "" || x > mostValue {
			return 0, fmt.Errorf("%.40q is not a number from 0 to %d", text, mostValue)
		}
		return x, nil
	})
}

// Names reads lists of names, which have no ranges.
func Names(lists ...string) (all []string, err error) {
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			if item = strings.TrimSpace(item); item == "" {
				return nil, fmt.Errorf("%.40q has an empty place", list)
			}
			if all = append(all, item); len(all) > mostValues {
				return nil, fmt.Errorf("more than %d values", mostValues)
			}
		}
	}
	return all, nil
}

// values reads lists of numbers that parse reads.
func values[T int | float64](lists []string, parse func(string) (T, error)) (all []T, err error) {
	items, err := Names(lists...)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		from, rest, isRange := strings.Cut(item, "-")
		first, err := parse(from)
		if err != nil {
			return nil, err
		}
		if !isRange {
			all = append(all, first)
			continue
		}
		if all, err = appendRange(all, item, first, rest, parse); err != nil {
			return nil, err
		}
	}
	if len(all) > mostValues {
		return nil, fmt.Errorf("more than %d values", mostValues)
	}
	return all, nil
}

// appendRange appends what item stands for: a range from first on, of which rest is what
// follows the minus.
func appendRange[T int | float64](all []T, item string, first T, rest string, parse func(string) (T, error)) ([]T, error) {
	end, by, plus, times := rest, "1", true, false
	if at := strings.IndexAny(rest, "+*"); at >= 0 {
		end, by, times = rest[:at], rest[at+1:], rest[at] == '*'
		plus = !times
	}
	last, err := parse(end)
	if err != nil {
		return nil, err
	}
	step, err := parse(by)
	switch {
	case err != nil:
		return nil, err
	case last < first:
		return nil, fmt.Errorf("range %.40q ends before it begins", item)
	case plus && step <= 0, times && (step <= 1 || first <= 0):
		return nil, fmt.Errorf("range %.40q never ends", item)
	}
	// By their number, or else sums of fractions would miss the end.
	const slack = 1e-12
	for i := 0; ; i++ {
		x := float64(first) + float64(i)*float64(step)
		if times {
			x = float64(first) * math.Pow(float64(step), float64(i))
		}
		if x > float64(last)*(1+slack) {
			return all, nil
		}
		if len(all) >= mostValues {
			return nil, fmt.Errorf("range %.40q makes more than %d values", item, mostValues)
		}
		all = append(all, T(x))
	}
}
