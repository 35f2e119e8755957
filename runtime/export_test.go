package runtime

import "lladakit/kernels"

// Stepper returns a function that runs the first denoising step of a generation
// again and again, and one that commits the block.
func (m *Model) Stepper(prompt []int32, opt Options) (step, commit func()) {
	b := m.NewBatch()
	q, err := b.Add(prompt, opt)
	if err != nil {
		panic(err)
	}
	for q.final < q.first {
		b.pass()
	}
	start := *q
	ids := append([]int32(nil), q.x...)
	again := func() {
		steps := q.result.StepsPerBlock[:1]
		*q = start
		steps[0], q.result.StepsPerBlock = 0, steps
		copy(q.x, ids)
	}
	return func() {
			again()
			b.pass()
		}, func() {
			again()
			q.x, q.at = q.x[:q.at+opt.BlockLength], q.at+opt.BlockLength
			b.pass()
		}
}

// Scarce is whether weights come from the disk at every use.
func (m *Model) Scarce() *bool { return &m.scarce }

// AcceptThreshold is the official policy.
var AcceptThreshold = acceptThreshold

// Stats computes the statistics of the rows of the last pass.
func (s *State) Stats(mask int32) { s.HeadStats(make([]kernels.Stats, s.n), mask) }

// Final returns the keys and values of the positions that are final.
func (q *Sequence) Final() []byte {
	var all []byte
	for _, matrices := range [][]kernels.Matrix{q.cache.k, q.cache.v} {
		for i := range matrices {
			row := len(matrices[i].Data) / matrices[i].Rows
			all = append(all, matrices[i].Data[:q.final*row]...)
		}
	}
	return all
}

// Prefilled returns what Final would, had the final positions been a prompt.
func (q *Sequence) Prefilled() []byte {
	p := q.m.newSequence(q.x[:q.final], Options{BlockLength: q.opt.BlockLength, GenLength: 1, Steps: 1, MinimalTopK: 1})
	s := q.m.NewState(max(1, q.final), 1)
	if q.final > 0 {
		s.Forward(Part{IDs: q.x[:q.final], Block: q.opt.BlockLength, Cache: p.cache})
	}
	p.final = q.final
	all := Sequence{cache: q.m.NewCache(len(q.x)), final: q.final}
	for i := range p.cache.k {
		copy(all.cache.k[i].Data, p.cache.k[i].Data)
		copy(all.cache.v[i].Data, p.cache.v[i].Data)
	}
	return all.Final()
}

// Vote routes the rows of probabilities [rows, experts], without a bias, and then
// within a coreset. It returns the experts of each row and their weights.
func (s *State) Vote(prob [][]float32, limit Coreset) (experts [][]int32, weights [][]float32) {
	bias := make([]float32, s.cfg.Experts)
	for r, p := range prob {
		copy(s.moe.prob[r*s.cfg.Experts:], p)
		s.route(0, r, bias)
	}
	s.vote(0, len(prob), &limit, bias)
	for r := range prob {
		lo, hi := r*s.cfg.ExpertsUsed, (r+1)*s.cfg.ExpertsUsed
		experts = append(experts, append([]int32(nil), s.moe.chosen[lo:hi]...))
		weights = append(weights, append([]float32(nil), s.moe.weight[lo:hi]...))
	}
	return experts, weights
}

// Kept returns which positions with the given scores a share is, by copying keys that
// say which they are.
func (m *Model) Kept(score []float32, share float64) (positions []int) {
	cache := m.NewCache(len(score) + 1)
	k, _ := cache.head(0, 0)
	for i := range score {
		k.SetRow(i, append([]float32{float32(i)}, make([]float32, k.Cols-1)...))
	}
	x := cache.keepFrom(nil, len(score), 1, share)
	x.score = score
	x.copy(cache, 0)
	row := make([]float32, k.Cols)
	for i := range x.n {
		x.k[0].Row(row, i)
		positions = append(positions, int(row[0]))
	}
	return positions
}

// PieceBuffer is pieceBuffer.
func PieceBuffer(rows int) int { return pieceBuffer(rows) }
