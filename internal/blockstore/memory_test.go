package blockstore

import (
	"math/rand/v2"
	goruntime "runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMemoryLimit holds the memory against a simple model: the limit is exact, what
// is kept is whole beginnings of chains, and the chain used last is kept as far as
// it fits.
func TestMemoryLimit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const texts, most = 12, 20
	sizes := [texts][most]int{}
	keys := [texts][]Key{}
	for i := range texts {
		// Texts share beginnings with the one before.
		keys[i] = chain(i, most)
		if i%3 != 0 {
			shared := rng.IntN(most)
			copy(keys[i], keys[i-1][:shared])
			k := keys[i][0]
			for j := max(1, shared); j < most; j++ {
				if j > 0 {
					k = keys[i][j-1]
				}
				keys[i][j] = Chain(k, 1, []int32{int32(i), int32(j)})
			}
		}
	}
	size := map[[32]byte]int{}
	for i := range texts {
		for j := range most {
			if _, ok := size[keys[i][j].sum]; !ok {
				size[keys[i][j].sum] = rng.IntN(3000)
			}
			sizes[i][j] = size[keys[i][j].sum]
		}
	}
	for _, limit := range []int64{0, 700, 5000, 30_000, 200_000} {
		s := Open(Options{Memory: limit})
		for range 400 {
			i, n := rng.IntN(texts), 1+rng.IntN(most)
			for j, k := range keys[i][:n] {
				b, ok := s.Get(k, sizes[i][j])
				if ok {
					require.Equal(t, blobOf(k, sizes[i][j]), b)
				} else {
					s.Put(k, blobOf(k, sizes[i][j]))
				}
				checkMemory(t, &s.memory)
			}
			// Of what was just used stands in memory as much as fits.
			total, fits := int64(0), true
			for j, k := range keys[i][:n] {
				total += bytesOf(sizes[i][j])
				fits = fits && total <= limit
				require.Equal(t, fits, s.memory.entries[k.sum] != nil, "limit %d, block %d of %d", limit, j, n)
			}
		}
		st := s.Stats()
		if limit == 200_000 {
			require.Greater(t, st.Hits, uint64(500))
		}
		if limit >= 5000 {
			require.Positive(t, st.Evicted)
		}
		s.Close()
	}
}

// checkMemory checks what always holds.
func checkMemory(t testing.TB, m *memory) {
	t.Helper()
	sum, n := int64(0), 0
	for e := m.ring.next; e != m.ring; e = e.next {
		require.Same(t, e, m.entries[e.sum])
		require.Same(t, e, e.next.prev)
		sum += int64(len(e.blob)) + entryOverhead
		n++
	}
	require.Equal(t, len(m.entries), n)
	require.Equal(t, sum, m.used)
	require.LessOrEqual(t, m.used, m.limit)
}

// TestMemoryOverhead: the estimate of what small blobs take is not far off.
func TestMemoryOverhead(t *testing.T) {
	const n, size = 30_000, 100
	heap := func() int64 {
		goruntime.GC()
		goruntime.GC()
		var m goruntime.MemStats
		goruntime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	s := Open(Options{Memory: 1 << 30})
	blob := make([]byte, size)
	for i := range n {
		s.Put(single(i), blob)
	}
	took, said := heap()-before, s.Stats().Memory
	t.Logf("%d bytes each, counted as %d", took/n, said/n)
	require.Less(t, took, said*5/4)
	require.Greater(t, took, said/2)
	s.Close()
}

// TestMemoryOrder: what was not used for longest goes first, and of a chain its end.
func TestMemoryOrder(t *testing.T) {
	const size = 100
	s := Open(Options{Memory: 6 * bytesOf(size)})
	defer s.Close()
	a, b, c := chain(1, 4), chain(2, 3), chain(3, 10)
	use := func(keys []Key) {
		for _, k := range keys {
			if _, ok := s.Get(k, size); !ok {
				s.Put(k, blobOf(k, size))
			}
		}
	}
	yes, no := true, false
	use(a[:3])
	use(b)
	require.Equal(t, []bool{yes, yes, yes, no}, s.memory.has(a))
	use(a) // one more
	require.Equal(t, []bool{yes, yes, yes, yes}, s.memory.has(a))
	require.Equal(t, []bool{yes, yes, no}, s.memory.has(b))
	use(b[:1])
	use(c[:2])
	require.Equal(t, []bool{yes, yes, yes, no}, s.memory.has(a), "the end of what was used longest ago")
	require.Equal(t, []bool{yes, no, no}, s.memory.has(b))
	use(c)
	require.Equal(t, []bool{yes, yes, yes, yes, yes, yes, no, no, no, no}, s.memory.has(c))
}
