package tokenizer

import (
	"fmt"
	"math"
)

// bpe is byte pair encoding (Sennrich et al., 2016) over the byte alphabet: as
// long as a word has neighbours that make a learned pair, the pair that was
// learned first is merged, and of several equal ones the leftmost.
type bpe struct {
	symbols [256]int32      // the token of each byte
	pairs   []pair          // in the order they were learned, that is by rank
	merges  map[pair]merged // what each pair becomes
}

type pair struct{ left, right int32 }

type merged struct {
	rank int32
	id   int32
}

// noRank is the rank of neighbours that are no pair.
const noRank = math.MaxInt32

// newBPE makes the rules from tokens, the ids by spelling, and from merges, the
// spellings of each pair. what names the merges in errors.
func newBPE(tokens map[string]int32, merges [][2]string, what string) (bpe, error) {
	b := bpe{
		pairs:  make([]pair, 0, len(merges)),
		merges: make(map[pair]merged, len(merges)),
	}
	for c, r := range alphabet {
		id, ok := tokens[string(r)]
		if !ok {
			return bpe{}, fmt.Errorf("the vocabulary has no symbol %.80q for byte 0x%02x", string(r), c)
		}
		b.symbols[c] = id
	}
	for rank, m := range merges {
		left, ok := tokens[m[0]]
		if !ok {
			return bpe{}, fmt.Errorf("%s: merge %d: %.80q is not in the vocabulary", what, rank, m[0])
		}
		right, ok := tokens[m[1]]
		if !ok {
			return bpe{}, fmt.Errorf("%s: merge %d: %.80q is not in the vocabulary", what, rank, m[1])
		}
		id, ok := tokens[m[0]+m[1]]
		if !ok {
			return bpe{}, fmt.Errorf("%s: merge %d: its result %.80q is not in the vocabulary", what, rank, m[0]+m[1])
		}
		// Implementations disagree on which of two equal merges counts.
		p := pair{left, right}
		if first, ok := b.merges[p]; ok {
			return bpe{}, fmt.Errorf("%s: merge %d repeats merge %d", what, rank, first.rank)
		}
		b.merges[p] = merged{rank: int32(rank), id: id}
		b.pairs = append(b.pairs, p)
	}
	return b, nil
}

func (b *bpe) merge(left, right int32) merged {
	if m, ok := b.merges[pair{left, right}]; ok {
		return m
	}
	return merged{rank: noRank}
}

// shortWord is the length in bytes up to which searching the whole word for the
// next pair is cheaper than keeping a heap, and needs no memory.
const shortWord = 64

// appendWord appends the tokens of one piece of the pre-tokenizer.
//
// Note: other implementations keep a cache of words. Short words cost about as
// much as a look-up that is safe for concurrent use, so there is none.
func (b *bpe) appendWord(ids []int32, word string) []int32 {
	switch {
	case len(word) == 1:
		return append(ids, b.symbols[word[0]])
	case len(word) <= shortWord:
		return b.appendShort(ids, word)
	default:
		return b.appendLong(ids, word)
	}
}

// appendShort takes quadratic time, on at most shortWord bytes.
func (b *bpe) appendShort(ids []int32, word string) []int32 {
	var symbols [shortWord]int32
	var next [shortWord]merged // next[i] is what symbols i and i+1 would become
	n := len(word)
	for i := range n {
		symbols[i] = b.symbols[word[i]]
	}
	for i := range n - 1 {
		next[i] = b.merge(symbols[i], symbols[i+1])
	}
	for n > 1 {
		best := 0
		for i := 1; i < n-1; i++ {
			if next[i].rank < next[best].rank {
				best = i
			}
		}
		if next[best].rank == noRank {
			break
		}
		symbols[best] = next[best].id
		copy(symbols[best+1:n-1], symbols[best+2:n])
		copy(next[best:n-2], next[best+1:n-1])
		n--
		if best > 0 {
			next[best-1] = b.merge(symbols[best-1], symbols[best])
		}
		if best < n-1 {
			next[best] = b.merge(symbols[best], symbols[best+1])
		}
	}
	return append(ids, symbols[:n]...)
}

// appendLong takes O(n log n) time: the symbols are a linked list, and a heap
// holds the pairs. A pair whose symbols have changed since stays in the heap and
// is passed over when it comes up.
func (b *bpe) appendLong(ids []int32, word string) []int32 {
	const gone = -1
	n := len(word)
	symbols := make([]int32, n)
	prev, next := make([]int, n), make([]int, n)
	for i := range n {
		symbols[i], prev[i], next[i] = b.symbols[word[i]], i-1, i+1
	}
	h := make(pairHeap, 0, n)
	for i := range n - 1 {
		if m := b.merge(symbols[i], symbols[i+1]); m.rank != noRank {
			h = append(h, candidate{m.rank, i})
		}
	}
	h.init()
	for len(h) > 0 {
		c := h.pop()
		left := c.at
		if symbols[left] == gone || next[left] == n {
			continue
		}
		right := next[left]
		m := b.merge(symbols[left], symbols[right])
		if m.rank != c.rank {
			continue
		}
		symbols[left], symbols[right] = m.id, gone
		next[left] = next[right]
		if next[left] < n {
			prev[next[left]] = left
			if m := b.merge(m.id, symbols[next[left]]); m.rank != noRank {
				h.push(candidate{m.rank, left})
			}
		}
		if p := prev[left]; p >= 0 {
			if m := b.merge(symbols[p], m.id); m.rank != noRank {
				h.push(candidate{m.rank, p})
			}
		}
	}
	for i := 0; i < n; i = next[i] {
		ids = append(ids, symbols[i])
	}
	return ids
}

// A candidate is a pair that may be merged: its rank and where its left symbol is.
type candidate struct {
	rank int32
	at   int
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

// pairHeap is a binary heap, first candidate on top. container/heap would
// allocate for every element.
type pairHeap []candidate

func (h pairHeap) init() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h *pairHeap) push(c candidate) {
	*h = append(*h, c)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s[i].before(s[parent]) {
			break
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *pairHeap) pop() candidate {
	s := *h
	top := s[0]
	s[0] = s[len(s)-1]
	*h = s[:len(s)-1]
	h.down(0)
	return top
}

func (h pairHeap) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
