package hub

import (
	"cmp"
	"slices"
)

// span is the bytes from one position to before another.
type span struct{ from, to int64 }

// spans are apart from each other and in order.
type spans []span

// add returns the spans with one more, which may overlap them.
func (s spans) add(n span) spans {
	if n.from >= n.to {
		return s
	}
	// Those that end before it, and those that begin after it, stay.
	i, _ := slices.BinarySearchFunc(s, n.from, func(a span, at int64) int { return cmp.Compare(a.to, at) })
	j := i
	for ; j < len(s) && s[j].from <= n.to; j++ {
		n.from, n.to = min(n.from, s[j].from), max(n.to, s[j].to)
	}
	return slices.Replace(s, i, j, n)
}

// missing returns what the spans leave of size bytes, in parts of at most limit bytes.
func (s spans) missing(size, limit int64) spans {
	var gaps spans
	at := int64(0)
	for _, has := range append(s[:len(s):len(s)], span{size, size}) {
		for at < has.from {
			end := min(at+limit, has.from)
			gaps = append(gaps, span{at, end})
			at = end
		}
		at = has.to
	}
	return gaps
}

// bytes returns how many they are.
func (s spans) bytes() int64 {
	var n int64
	for _, has := range s {
		n += has.to - has.from
	}
	return n
}
