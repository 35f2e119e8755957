package bench

import (
	"math"

	"lladakit/internal/arch"
	"lladakit/kernels"
	"lladakit/runtime"
)

// The parts of a pass.
const (
	partProjections = "attention matrices"
	partAttention   = "attention"
	partDense       = "dense layers"
	partRouter      = "routers"
	partExperts     = "routed experts"
	partShared      = "shared experts"
	partHead        = "head"
	partRest        = "norms and sums"
)

// span is consecutive rows of a pass: how many, and at which position the first is.
type span struct{ rows, at int }

// pricing adds up what passes take.
type pricing struct {
	p     *planner
	g     *gauge
	parts []PartPlan
	turns int // of the pool
	err   error
}

// part returns the entry of a part.
func (x *pricing) part(name string) *PartPlan {
	for i := range x.parts {
		if x.parts[i].Name == name {
			return &x.parts[i]
		}
	}
	x.parts = append(x.parts, PartPlan{Name: name})
	return &x.parts[len(x.parts)-1]
}

// pass predicts one pass over spans, with logits of want rows. It goes the way of
// runtime's Forward, and where that uses one thread, so does this.
func (p *planner) pass(g *gauge, spans []span, want int) (PassPlan, error) {
	x := &pricing{p: p, g: g}
	for _, name := range []string{partProjections, partAttention, partDense, partRouter, partExperts, partShared, partHead, partRest} {
		x.part(name)
	}
	c := &p.Config
	rows := 0
	for _, s := range spans {
		rows += s.rows
	}
	rounds := p.rounds()
	for layer := range c.Layers {
		n := rows
		x.rest(n, g.norm(c.Hidden, rounds))
		x.product(partProjections, arch.AttnQKV, layer, n)
		x.rest(n, g.heads(c.Heads, c.KVHeads, c.HeadDim, c.RotaryDim, p.by[arch.QueryNorm][layer] != nil, p.kv()))
		if layer == c.Layers-1 {
			if want == 0 {
				break
			}
			n = want
		}
		x.attend(spans, float64(n)/float64(rows))
		if rounds {
			x.rest(n, g.round(c.Heads*c.HeadDim))
		}
		x.product(partProjections, arch.AttnOutput, layer, n)
		x.alone(n, 2*g.add(c.Hidden))
		x.rest(n, g.norm(c.Hidden, rounds))
		if layer < c.DenseLayers {
			x.dense(layer, n, rounds)
		} else {
			x.mixture(layer, n, rounds)
		}
	}
	if want > 0 {
		x.head(want, rounds)
	}
	x.part(partRest).Seconds += float64(x.turns) * g.turn()
	return PassPlan{Parts: x.parts}, x.err
}

// prefill predicts the passes of runtime over the first positions of a prompt. None
// of their logits are wanted.
func (p *planner) prefill(g *gauge) (all PassPlan, err error) {
	rows := runtime.PrefillRows(p.Config.BlockLength)
	for at := 0; at < PlanPrompt; at += rows {
		one, err := p.pass(g, []span{{min(rows, PlanPrompt-at), at}}, 0)
		if err != nil {
			return all, err
		}
		for i := range one.Parts {
			if all.Parts == nil {
				all.Parts = one.Parts
				break
			}
			t, u := &all.Parts[i], &one.Parts[i]
			t.MACs, t.Bytes, t.Seconds = t.MACs+u.MACs, t.Bytes+u.Bytes, t.Seconds+u.Seconds
		}
	}
	return all, nil
}

// rounds reports whether matrices take rounded activations.
func (p *planner) rounds() bool {
	r := p.by[arch.AttnQKV][0]
	return r != nil && r.types[0].typ.Rounds()
}

// rest adds n pieces of work, of seconds each, that workers share.
func (x *pricing) rest(n int, seconds float64) {
	x.turns++
	x.part(partRest).Seconds += math.Ceil(float64(n)/float64(x.p.Threads)) * seconds
}

// alone adds n pieces of work of one thread.
func (x *pricing) alone(n int, seconds float64) { x.part(partRest).Seconds += float64(n) * seconds }

// product adds the product of a matrix with n rows.
func (x *pricing) product(part string, role arch.Role, layer, n int) {
	r := x.p.by[role][layer]
	x.matrix(part, r, r.types[0].typ, runtime.ProductRows, 1, n)
	x.turns++
}

// matrix adds the products of count matrices of a role and type with n rows each.
func (x *pricing) matrix(part string, r *planRole, t kernels.Type, chunk int, count float64, n int) {
	if count <= 0 {
		return
	}
	packed := x.p.Pack != runtime.PackNone && r.copied(t)
	key := productKey{t, r.cols, chunk, packed, packed && x.p.Pack == runtime.PackMemory}
	e := x.part(part)
	seconds, err := x.g.row(key, n)
	if err != nil {
		x.err = err
	}
	e.Seconds += count * float64(r.rows) * seconds
	e.Bytes += count * float64(r.bytes(t))
	e.MACs += count * float64(n) * float64(r.rows) * float64(r.cols)
}

// attend adds attention of a share of the rows of spans. Items of work are the rows of
// a block with the query heads that share a key-value head.
func (x *pricing) attend(spans []span, share float64) {
	c, p, e := &x.p.Config, x.p, x.part(partAttention)
	block := c.BlockLength
	most := runtime.AttendRows(c, p.Threads)
	row, _ := p.kv().RowBytes(c.HeadDim)
	items, work := 0.0, 0.0
	for _, s := range spans {
		for at := s.at; at < s.at+s.rows; at += block {
			rows := min(block, s.at+s.rows-at)
			seen := at + rows
			for rows := math.Max(1, math.Round(share*float64(rows))); rows > 0; rows -= float64(most) {
				n := int(math.Min(rows, float64(most)))
				queries := n * c.Heads / c.KVHeads
				work += float64(c.KVHeads) * x.attention(queries, seen)
				items += float64(c.KVHeads)
			}
			e.Bytes += float64(2 * c.KVHeads * seen * row)
			e.MACs += 2 * share * float64(rows*seen*c.Heads*c.HeadDim)
		}
	}
	// Workers take turns; some may wait in the last one.
	e.Seconds += work / items * math.Ceil(items/float64(p.Threads))
	x.turns++
}

// attention is the time of queries against seen positions: on a line between two
// depths that are measured.
func (x *pricing) attention(queries, seen int) float64 {
	const near, far = 64, 1024
	t, dim := x.p.kv(), x.p.Config.HeadDim
	a := x.g.attend(t, queries, dim, near)
	b := x.g.attend(t, queries, dim, far)
	return math.Max(0, a+(b-a)*float64(seen-near)/(far-near))
}

func (x *pricing) dense(layer, n int, rounds bool) {
	ff := x.p.Config.DenseFF
	x.product(partDense, arch.DenseGate, layer, n)
	x.product(partDense, arch.DenseUp, layer, n)
	x.alone(n, x.g.silu(ff))
	if rounds {
		x.rest(n, x.g.round(ff))
	}
	x.product(partDense, arch.DenseDown, layer, n)
}

func (x *pricing) mixture(layer, n int, rounds bool) {
	p, c := x.p, &x.p.Config
	x.product(partRouter, arch.Router, layer, n)
	x.part(partRouter).Seconds += math.Ceil(float64(n)/float64(p.Threads)) * x.g.route(c.Experts, c.ExpertsUsed)

	touched := p.touched(n)
	slots := float64(n * c.ExpertsUsed)
	for _, roles := range [][2]arch.Role{{arch.ExpertGate, arch.SharedGate}, {arch.ExpertUp, arch.SharedUp}, {arch.ExpertDown, arch.SharedDown}} {
		r, shared, total := p.by[roles[0]][layer], p.by[roles[1]][layer], 0
		if touched > 0 {
			read := runtime.ExpertWork(r.rows*r.cols, 0)
			total = int(touched*float64(read) + slots*float64(runtime.ExpertWork(r.rows*r.cols, 1)-read))
		}
		if c.Shared > 0 {
			total += runtime.ExpertWork(shared.rows*shared.cols, n)
			chunk := runtime.ExpertRows(shared.rows, shared.cols, n, total, p.Threads)
			x.matrix(partShared, shared, shared.types[0].typ, chunk, 1, n)
		}
		if touched > 0 {
			chunk := runtime.ExpertRows(r.rows, r.cols, int(math.Ceil(slots/touched)), total, p.Threads)
			for _, t := range r.types {
				count := touched * float64(t.count) / float64(r.matrices)
				for rows, share := range sharers(slots / touched) {
					x.matrix(partExperts, r, t.typ, chunk, count*share, rows)
				}
			}
		}
	}
	between := func(part string, ff int, rows, add float64) {
		each := x.g.silu(ff)
		if rounds {
			each += x.g.round(ff)
		}
		x.part(part).Seconds += rows / float64(p.Threads) * (each + add)
	}
	if touched > 0 {
		between(partExperts, c.ExpertFF, slots, x.g.addScaled(c.Hidden))
	}
	if c.Shared > 0 {
		between(partShared, c.SharedFF, float64(n), 0)
	}
	x.turns += 4
}

// sharers returns for numbers of rows which share of the touched experts has that many,
// if it is so many on average: what is left of a Poisson distribution when those
// without rows are left out.
func sharers(average float64) []float64 {
	if average <= 1 {
		return []float64{0, 1}
	}
	lo, hi := 0.0, average
	for range 60 {
		if mean := (lo + hi) / 2; mean/(1-math.Exp(-mean)) < average {
			lo = mean
		} else {
			hi = mean
		}
	}
	all := make([]float64, int(average+8*math.Sqrt(average))+2)
	term, sum := 1.0, 0.0
	for n := 1; n < len(all); n++ {
		term *= lo / float64(n)
		all[n] = term
		sum += term
	}
	for n := range all {
		all[n] /= sum
	}
	return all
}

func (x *pricing) head(n int, rounds bool) {
	c := &x.p.Config
	r := x.p.by[arch.Head][-1]
	x.rest(n, x.g.norm(c.Hidden, rounds))
	x.matrix(partHead, r, r.types[0].typ, runtime.HeadRows, 1, n)
	x.part(partHead).Seconds += float64(n) * float64(c.Vocab) / runtime.HeadRows * x.g.stats(runtime.HeadRows) / float64(x.p.Threads)
	x.turns++
}
