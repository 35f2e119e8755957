package bench

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"lladakit/internal/gguf"
	"lladakit/internal/mmap"
	"lladakit/kernels"
	"lladakit/quant"
)

// gauge times the pieces that passes are made of, on all workers at the same time and
// with weights that come from memory, as those of a model do. First it is asked for
// all of them, and knows none; then it measures; and then it is asked again. What it
// returns are seconds.
type gauge struct {
	pool   *kernels.Pool
	random *rand.Rand
	part   int // bytes of weights of a matrix

	matrices map[productKey]*gaugedMatrix
	probes   map[probeKey]*probe
	order    []*probe
}

// probe is one thing that is timed.
type probe struct {
	run     func()
	seconds []float64 // of each run
}

// probeKey names a probe, and its sizes.
type probeKey struct {
	what    string
	product productKey
	n, m    int
}

// productKey says what the time of a row of weights depends on.
type productKey struct {
	typ    kernels.Type
	cols   int
	chunk  int // rows that a worker takes at a time
	packed bool
	large  bool // pages of memory, which those of files are not
}

// gaugedMatrix is weights of a kind, and where in them the next product begins.
type gaugedMatrix struct {
	kernels.Matrix
	memory *mmap.File // nil for small pages
	at     int
}

// newGauge makes a gauge with so many bytes of weights of each kind.
func newGauge(threads int, part uint64) *gauge {
	return &gauge{
		pool: kernels.NewPool(threads), random: rand.New(rand.NewPCG(1, 2)), part: int(part),
		matrices: map[productKey]*gaugedMatrix{}, probes: map[probeKey]*probe{},
	}
}

func (g *gauge) close() {
	g.pool.Close()
	for _, m := range g.matrices {
		if m.memory != nil {
			m.memory.Close()
		}
	}
}

// A measurement has at least and at most so many rounds.
const leastRounds, mostRounds = 4, 15

// measure times everything in turns for a while: a disturbance then meets a little of
// everything, instead of all of one thing.
func (g *gauge) measure(ctx context.Context, total time.Duration) error {
	begin := time.Now()
	for round := 0; round < leastRounds || round < mostRounds && time.Since(begin) < total; round++ {
		for _, p := range g.order {
			if err := ctx.Err(); err != nil {
				return err
			}
			if round == 0 {
				p.run() // caches and branches are cold
			}
			start := time.Now()
			p.run()
			p.seconds = append(p.seconds, time.Since(start).Seconds())
		}
	}
	return nil
}

// each returns how long one of the things takes that a run does. It is 0 as long as
// nothing is measured.
func (g *gauge) each(key probeKey, things int, prepare func() func()) float64 {
	p := g.probes[key]
	if p == nil {
		p = &probe{run: prepare()}
		g.probes[key] = p
		g.order = append(g.order, p)
	}
	if len(p.seconds) == 0 {
		return 0
	}
	// The first quartile: on a machine that does other things too, half of the runs may
	// be disturbed, and the very fastest reads memory faster than it can be read for long.
	all := slices.Sorted(slices.Values(p.seconds))
	return all[len(all)/4] / float64(things)
}

// gaugedRows are numbers of rows of activations whose times are measured. Kernels take
// four to six at a time: times of other multiples of four are taken to be on lines between
// them, and one to three rows more to take as much longer as after the first four.
var gaugedRows = []int{4, 8, 32, 256}

// row returns how long one row of weights takes with n rows of activations.
func (g *gauge) row(k productKey, n int) (float64, error) {
	m, err := g.matrix(k)
	if err != nil || n <= 0 {
		return 0, err
	}
	// Enough chunks for workers to be done at about the same time, as in the runtime.
	k.chunk = min(k.chunk, max(32, m.Rows/(8*g.pool.Workers())/32*32))
	at := func(n int) float64 {
		count := m.count(n, k, g.pool.Workers())
		return g.each(probeKey{"product", k, n, 0}, count, func() func() { return g.product(k, m, n, count) })
	}
	if n <= 4 {
		return at(n), nil
	}
	i := 1
	for i < len(gaugedRows)-1 && n >= gaugedRows[i] {
		i++
	}
	if n == gaugedRows[i-1] {
		return at(n), nil
	}
	a, b, rest := gaugedRows[i-1], gaugedRows[i], n%4
	ta, tb := at(a), at(b)
	t := ta + float64(n-rest-a)*(tb-ta)/float64(b-a)
	if rest > 0 {
		t += at(4+rest) - at(4)
	}
	return t, nil
}

// count returns how many rows a run takes: a megabyte or several, which takes
// about a millisecond.
func (m *gaugedMatrix) count(n int, k productKey, workers int) int {
	size := 4 << 20
	switch {
	case n > 32:
		size = 1 << 18
	case n > 4:
		size = 1 << 20
	}
	chunks := max(4*workers, size/(len(m.Data)/m.Rows)/k.chunk)
	return max(kernels.TileRows(), min(chunks*k.chunk, m.Rows/k.chunk*k.chunk, m.Rows))
}

// product returns what multiplies the next count rows with n rows of activations.
func (g *gauge) product(k productKey, m *gaugedMatrix, n, count int) func() {
	x := make([]float32, n*k.cols)
	for i := range x {
		x[i] = float32(g.random.NormFloat64())
	}
	a := kernels.NewActivations(len(x))
	a.Reset(x, n, k.cols)
	if k.typ.Rounds() {
		a.Quantize(0, n)
	}
	scratch := make([]kernels.Scratch, g.pool.Workers())
	dst := make([][]float32, g.pool.Workers())
	for i := range dst {
		dst[i] = make([]float32, n*k.chunk)
	}
	f := func(worker, lo, hi int) {
		for i := lo; i < hi; i += k.chunk {
			m.Product(dst[worker], k.chunk, a, nil, m.at+i, m.at+min(i+k.chunk, hi), &scratch[worker])
		}
	}
	return func() {
		if m.at += count; m.at+count > m.Rows {
			m.at = 0
		}
		g.pool.Run(count, k.chunk, f)
	}
}

// matrix makes a matrix of normal weights. A few encoded rows are repeated: no kernel's
// time depends on the values.
func (g *gauge) matrix(k productKey) (*gaugedMatrix, error) {
	k.chunk = 0 // the weights are the same
	if m := g.matrices[k]; m != nil {
		return m, nil
	}
	row, err := k.typ.RowBytes(k.cols)
	if err != nil {
		return nil, err
	}
	const few = 64
	weights := make([]float32, few*k.cols)
	for i := range weights {
		weights[i] = float32(g.random.NormFloat64())
	}
	bank := make([]byte, few*row)
	quant.Quantize(gguf.Type(k.typ), bank, weights, nil)
	if k.packed {
		m := kernels.Matrix{Type: k.typ, Rows: few, Cols: k.cols, Data: bank}
		packed := make([]byte, len(bank))
		if err := m.Pack(packed, 0, few); err != nil {
			return nil, err
		}
		bank = packed
	}
	tile := kernels.TileRows()
	rows := max(tile, g.part/row/tile*tile)
	m := &gaugedMatrix{Matrix: kernels.Matrix{Type: k.typ, Rows: rows, Cols: k.cols}}
	if k.packed {
		m.Packed = tile
	}
	if k.large {
		if m.memory, err = mmap.Memory(rows * row); err != nil {
			return nil, err
		}
		m.Data = m.memory.Data
	} else {
		m.Data = make([]byte, rows*row)
	}
	g.pool.Run(len(m.Data), len(bank), func(_, lo, hi int) {
		for at := lo; at < hi; at += len(bank) {
			copy(m.Data[at:hi], bank)
		}
	})
	g.matrices[k] = m
	return m, nil
}

// turn returns how long the pool takes to begin and to end.
func (g *gauge) turn() float64 {
	const times = 16
	return g.each(probeKey{what: "turn"}, times, func() func() {
		nothing := func(_, _, _ int) {}
		return func() {
			for range times {
				g.pool.Run(2*g.pool.Workers(), 1, nothing)
			}
		}
	})
}

// vector returns how long a thread takes for f over vectors of n values, of which it
// goes through 32, a row of a pass each.
func (g *gauge) vector(what string, n int, f func(dst, x, y []float32)) float64 {
	const rows = 32
	return g.each(probeKey{what: what, n: n}, rows, func() func() {
		source, x, y := make([]float32, rows*n), make([]float32, rows*n), make([]float32, rows*n)
		for i := range x {
			source[i], y[i] = float32(g.random.NormFloat64()), 1
		}
		return func() {
			copy(x, source) // or else repeated work would make it ever smaller
			for r := range rows {
				f(x[r*n:(r+1)*n], x[r*n:(r+1)*n], y[r*n:(r+1)*n])
			}
		}
	})
}

// norm is RMSNorm of a row, with rounding.
func (g *gauge) norm(n int, rounds bool) float64 {
	t := g.vector("norm", n, func(dst, x, y []float32) { kernels.RMSNorm(dst, x, y, 1e-6) })
	if rounds {
		t += g.round(n)
	}
	return t
}

// round is the rounding of a row of activations.
func (g *gauge) round(n int) float64 {
	a := kernels.NewActivations(n)
	return g.vector("round", n, func(_, x, _ []float32) {
		a.Reset(x, 1, n)
		a.Quantize(0, 1)
	})
}

func (g *gauge) silu(n int) float64 {
	return g.vector("silu", n, func(dst, x, y []float32) { kernels.SiLUMul(dst, y, x) })
}

func (g *gauge) add(n int) float64 {
	return g.vector("add", n, func(dst, _, y []float32) { kernels.Add(dst, y) })
}

func (g *gauge) addScaled(n int) float64 {
	return g.vector("add scaled", n, func(dst, _, y []float32) { kernels.AddScaled(dst, y, 1e-3) })
}

// stats is the statistics of a tile of a row of logits.
func (g *gauge) stats(n int) float64 {
	return g.vector("statistics", n, func(_, x, _ []float32) { kernels.PartialStats(x, 0, -1) })
}

// route is the choice of a row's experts: of all of them the best again and again,
// which runtime does in plain Go.
func (g *gauge) route(experts, used int) float64 {
	return g.vector("route", experts, func(dst, x, _ []float32) {
		kernels.Sigmoid(dst)
		for range used + 2 {
			at := 0
			for i, v := range x {
				if v > x[at] {
					at = i
				}
			}
			x[at] = -1
		}
	})
}

// heads is what becomes of a row's queries, keys and values before attention.
func (g *gauge) heads(heads, kvHeads, dim, rotary int, norms bool, t kernels.Type) float64 {
	row, _ := t.RowBytes(dim)
	m := kernels.Matrix{Type: t, Rows: 1, Cols: dim, Data: make([]byte, row)}
	cos := make([]float32, rotary/2)
	n := (heads + 2*kvHeads) * dim
	return g.vector("heads "+gguf.Type(t).String(), n, func(_, x, y []float32) {
		for h := range heads + kvHeads {
			head := x[h*dim : (h+1)*dim]
			if norms {
				kernels.RMSNorm(head, head, y[:dim], 1e-6)
			}
			kernels.Rope(head, cos, cos)
		}
		for h := range 2 * kvHeads {
			m.SetRow(0, x[(heads+h)*dim:(heads+h+1)*dim])
		}
	})
}

// attend is the attention of the queries that share a key-value head to n positions,
// by one thread while the others do the same.
func (g *gauge) attend(t kernels.Type, queries, dim, n int) float64 {
	return g.each(probeKey{"attend", productKey{typ: t, cols: dim}, queries, n}, 1, func() func() {
		row, _ := t.RowBytes(dim)
		workers := g.pool.Workers()
		scratch := make([]kernels.AttendScratch, workers)
		out := make([]float32, workers*queries*dim)
		x := make([]float32, queries*dim)
		rows := make([]int32, queries)
		for i := range x {
			x[i] = float32(g.random.NormFloat64())
		}
		for i := range rows {
			rows[i] = int32(i)
		}
		a := kernels.NewActivations(0)
		a.Reset(x, queries, dim)
		keys := kernels.Matrix{Type: t, Rows: n, Cols: dim, Data: make([]byte, n*row)}
		for i := range n {
			keys.SetRow(i, x[i%queries*dim:][:dim])
		}
		f := func(_, lo, hi int) {
			for w := lo; w < hi; w++ {
				kernels.Attend(out[w*queries*dim:(w+1)*queries*dim], a, rows, &keys, &keys, n, &scratch[w])
			}
		}
		return func() { g.pool.Run(workers, 1, f) }
	})
}
