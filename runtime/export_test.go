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
