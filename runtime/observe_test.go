package runtime_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/runtime"
)

// seen is a copy of an observation.
type seen struct {
	matrix    *kernels.Matrix
	x, shares []float32
	rows      int
}

// watch runs f and returns what an observer was told.
func watch(m *runtime.Model, f func()) (all []seen) {
	m.Observe(func(o runtime.Observation) {
		all = append(all, seen{o.Matrix, slices.Clone(o.X), slices.Clone(o.Shares), o.Rows})
	})
	defer m.Observe(nil)
	f()
	return all
}

// TestObserve: an observer sees every matrix with every row that it is
// multiplied with, those of experts with the rows that chose them.
func TestObserve(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.BF16) // blocks would round the activations
	c := &m.Config
	rng := rand.New(rand.NewPCG(10, 1))
	for _, n := range []int{1, 5, 32, 96} {
		ids := window(rng, m, n, 0.3)
		all := watch(m, func() { wholeLogits(t, m, ids, 32) })

		names := map[*kernels.Matrix]string{}
		for name, matrices := range m.Matrices() {
			for _, matrix := range matrices {
				names[matrix] = name
			}
		}
		for i := c.DenseLayers; i < c.Layers; i++ {
			names[&m.Weights.Layers[i].Router] = "router"
		}
		rows, calls := map[string]int{}, map[*kernels.Matrix]int{}
		for _, o := range all {
			name, ok := names[o.matrix]
			require.True(t, ok, "a matrix that the model has not: %d × %d", o.matrix.Rows, o.matrix.Cols)
			require.Len(t, o.x, o.rows*o.matrix.Cols, name)
			calls[o.matrix]++
			if name != "output.weight" { // which may come in parts
				require.Equal(t, 1, calls[o.matrix], "%s came twice in a pass", name)
			}
			rows[name] += o.rows
		}
		for _, matrices := range m.Matrices() {
			if len(matrices) == 1 {
				require.Positive(t, calls[matrices[0]], names[matrices[0]])
			}
		}
		routers := 0
		for name, got := range rows {
			switch experts := m.Matrices()[name]; {
			case name == "router":
				routers += got
			case len(experts) == c.Experts:
				require.Equal(t, n*c.ExpertsUsed, got, name)
			default:
				require.Equal(t, n, got, name)
			}
		}
		require.Equal(t, n*(c.Layers-c.DenseLayers), routers)
		require.Len(t, rows, len(m.Matrices())+1)
		checkExperts(t, m, all, n)
	}
}

// checkExperts holds what was seen of the experts against the weights.
func checkExperts(t *testing.T, m *runtime.Model, all []seen, n int) {
	t.Helper()
	c := &m.Config
	of := map[*kernels.Matrix]seen{}
	for _, o := range all {
		of[o.matrix] = o
	}
	for i := c.DenseLayers; i < c.Layers; i++ {
		l := &m.Weights.Layers[i]
		inputs := map[string]int{}             // rows into the router, and how often experts got them
		shares := map[string]map[int]float32{} // by row and expert
		row := func(x []float32, r int) string { return string(bytesOf(x[r*c.Hidden : (r+1)*c.Hidden])) }
		router := of[&l.Router]
		for r := range n {
			inputs[row(router.x, r)] += c.ExpertsUsed
			shares[row(router.x, r)] = map[int]float32{}
		}
		sum := 0.0
		for e := range l.Experts {
			gate, up, down := of[&l.Experts[e].Gate], of[&l.Experts[e].Up], of[&l.Experts[e].Down]
			require.Equal(t, gate.x, up.x)
			require.Equal(t, []int{gate.rows, gate.rows}, []int{up.rows, down.rows})
			require.Equal(t, [][]float32{gate.shares, gate.shares}, [][]float32{up.shares, down.shares})
			require.Len(t, gate.shares, gate.rows)
			for r := range gate.rows {
				inputs[row(gate.x, r)]--
				require.NotNil(t, shares[row(gate.x, r)])
				shares[row(gate.x, r)][e] = gate.shares[r]
				require.Positive(t, gate.shares[r])
				sum += float64(gate.shares[r])
			}
			// What goes into the last matrix is what comes out of the first two.
			act, other := make([]float32, gate.rows*c.ExpertFF), make([]float32, gate.rows*c.ExpertFF)
			scratch := make([]float32, c.Hidden)
			l.Experts[e].Gate.Mul(act, gate.x, gate.rows, 0, c.ExpertFF, scratch)
			l.Experts[e].Up.Mul(other, gate.x, gate.rows, 0, c.ExpertFF, scratch)
			kernels.SiLUMul(act, act, other)
			require.Len(t, down.x, len(act))
			for k := range act {
				require.InDelta(t, act[k], down.x[k], 1e-5, "layer %d, expert %d", i, e)
			}
		}
		for _, left := range inputs {
			require.Zero(t, left, "layer %d: every row goes to %d experts", i, c.ExpertsUsed)
		}
		// The weights of a row's experts are their parts of the probabilities,
		// and add up to the scale.
		require.InDelta(t, float64(n)*float64(c.ExpertScale), sum, 1e-4*float64(n))
		prob := make([]float32, c.Experts)
		for r := range n {
			l.Router.Mul(prob, router.x[r*c.Hidden:(r+1)*c.Hidden], 1, 0, c.Experts, make([]float32, c.Hidden))
			kernels.Sigmoid(prob)
			chosen := shares[row(router.x, r)]
			total := float32(0)
			for e := range chosen {
				total += prob[e]
			}
			for e, share := range chosen {
				require.InDelta(t, prob[e]/total*c.ExpertScale, share, 1e-4, "layer %d, row %d, expert %d", i, r, e)
			}
		}
	}
}

// bytesOf makes a map key of values.
func bytesOf(x []float32) []byte {
	b := make([]byte, 0, 4*len(x))
	for _, v := range x {
		u := kernels.ToF16(v)
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

// TestObserveChangesNothing: not the logits, not the answer, and no more calls
// come after the end.
func TestObserveChangesNothing(t *testing.T) {
	m := load(t, golden(t)[0].Dir, gguf.Q8_0)
	rng := rand.New(rand.NewPCG(10, 2))
	ids := window(rng, m, 75, 0.3)
	o := m.Defaults()
	o.GenLength = 40
	want := wholeLogits(t, m, ids, 32)
	answer, err := m.Generate(t.Context(), ids[:30], o)
	require.NoError(t, err)

	calls := 0
	m.Observe(func(o runtime.Observation) {
		if o.Rows*o.Matrix.Cols == len(o.X) && (o.Shares == nil || len(o.Shares) == o.Rows) {
			calls++
		}
	})
	require.Equal(t, want, wholeLogits(t, m, ids, 32))
	require.Positive(t, calls)
	before := calls
	again, err := m.Generate(t.Context(), ids[:30], o)
	require.NoError(t, err)
	require.Equal(t, []any{answer.IDs, answer.StepsPerBlock}, []any{again.IDs, again.StepsPerBlock})
	require.Greater(t, calls, before)

	m.Observe(nil)
	before = calls
	require.Equal(t, want, wholeLogits(t, m, ids, 32))
	require.Equal(t, before, calls)
}
