package runtime

import (
	"math"
	"slices"

	"lladakit/kernels"
)

// kept is what a block sees of the positions before it when some of them are left out
// (Sparse-dLLM, arXiv 2508.02558): in every layer, the share of positions whose keys
// have the greatest products with the mean of the block's queries, the greatest of
// three neighbours counting for each. The first two steps of a block see everything,
// and the second one chooses; the cache keeps all, since the next block chooses anew.
type kept struct {
	n    int              // positions before the block that are kept
	at   int              // where the block begins
	k, v []kernels.Matrix // [layers·kvHeads] of [n + block, headDim]

	score, pooled, row []float32
	order              []int32
}

// keepFrom returns memory for keeping a share of the positions before at.
func (c *Cache) keepFrom(old *kept, at, block int, share float64) *kept {
	if old == nil {
		old = new(kept)
	}
	old.n, old.at = int(math.Ceil(share*float64(at))), at
	old.k, old.v = resized(old.k, c.k, old.n+block), resized(old.v, c.v, old.n+block)
	return old
}

// resized gives matrices like those of the cache rows rows.
func resized(m, like []kernels.Matrix, rows int) []kernels.Matrix {
	if m == nil {
		m = make([]kernels.Matrix, len(like))
	}
	for i := range m {
		size := rows * len(like[i].Data) / like[i].Rows
		data := m[i].Data
		if size > cap(data) {
			data = make([]byte, size)
		}
		m[i] = kernels.Matrix{Type: like[i].Type, Rows: rows, Cols: like[i].Cols, Data: data[:size]}
	}
	return m
}

// store says where a part's keys and values of a head lie, and at which row those of a
// position are.
func (p *Part) store(layer, head, pos int) (k, v *kernels.Matrix, row int) {
	if p.keep == nil || p.choose {
		k, v = p.Cache.head(layer, head)
		return k, v, pos
	}
	i := layer*p.Cache.kvHeads + head
	return &p.keep.k[i], &p.keep.v[i], p.keep.n + pos - p.keep.at
}

// seen returns how many rows of its store a position sees.
func (p *Part) seen(pos int) int {
	n := p.visible(pos)
	if p.keep != nil && !p.choose {
		n += p.keep.n - p.keep.at
	}
	return n
}

// choosePositions copies the positions that parts keep in this layer.
func (s *State) choosePositions() {
	for i := range s.parts {
		if p := &s.parts[i]; p.keep != nil && p.choose {
			s.score(p, i)
			p.keep.copy(p.Cache, s.layer)
		}
	}
}

// score computes the scores of the positions before a part's block.
func (s *State) score(p *Part, part int) {
	c, x := s.cfg, p.keep
	x.score = slices.Grow(x.score[:0], x.at)[:x.at]
	clear(x.score)
	x.row = slices.Grow(x.row[:0], 2*c.HeadDim)[:2*c.HeadDim]
	query, key := x.row[:c.HeadDim], x.row[c.HeadDim:]
	group := c.Heads / c.KVHeads
	for g := range c.KVHeads {
		clear(query)
		for r := range s.rows {
			if s.rows[r].part != part {
				continue
			}
			for h := g * group; h < (g+1)*group; h++ {
				kernels.Add(query, s.qkv[r*c.QKVDim()+h*c.HeadDim:][:c.HeadDim])
			}
		}
		keys, _ := p.Cache.head(s.layer, g)
		for j := range x.score {
			keys.Row(key, j)
			x.score[j] += kernels.Dot(query, key)
		}
	}
}

// copy copies keys and values of the positions with the greatest scores, in their
// order; the lower position first among equals.
func (x *kept) copy(cache *Cache, layer int) {
	x.pooled = x.pooled[:0]
	x.order = x.order[:0]
	for j, v := range x.score {
		if j > 0 {
			v = max(v, x.score[j-1])
		}
		if j+1 < len(x.score) {
			v = max(v, x.score[j+1])
		}
		x.pooled, x.order = append(x.pooled, v), append(x.order, int32(j))
	}
	slices.SortFunc(x.order, func(a, b int32) int {
		switch p, q := x.pooled[a], x.pooled[b]; {
		case p > q:
			return -1
		case p < q:
			return 1
		}
		return int(a - b)
	})
	chosen := x.order[:x.n]
	slices.Sort(chosen)
	for g := range cache.kvHeads {
		k, v := cache.head(layer, g)
		i := layer*cache.kvHeads + g
		row := len(k.Data) / k.Rows
		for to, from := range chosen {
			copy(x.k[i].Data[to*row:(to+1)*row], k.Data[int(from)*row:])
			copy(x.v[i].Data[to*row:(to+1)*row], v.Data[int(from)*row:])
		}
	}
}
