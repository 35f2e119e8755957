package kernels

import (
	"fmt"
	"maps"
	"os"
	"slices"
)

// An implementation is one way of doing the arithmetic. Every function equals the
// plain one: bit for bit where the work is in whole numbers or its order is fixed,
// within rounding where products of floats are added up with one rounding instead
// of two, or exponentials are involved.
type implementation struct {
	name string

	// tiles and dots have, by type, products with one row of activations, two and so on;
	// where there are none, the plain way is the only one.
	tiles map[Type][]tileFunc
	dots  map[Type]*[4]dotsFunc

	tileRows   int // how many rows a tile has: a multiple of 8
	interleave func(dst, src []byte, blocks, tileRows int, p *packing)
	quantize   func(dst []block, src []float32)

	attend func(dst []float32, a *Activations, rows []int32, keys, values *Matrix, n int, s *AttendScratch)

	dot       func(w, x []float32) float32
	rmsNorm   func(dst, x, weight []float32, eps float32)
	softmax   func(x []float32)
	siluMul   func(dst, gate, up []float32)
	sigmoid   func(x []float32)
	addScaled func(dst, x []float32, scale float32)
	greatest  func(x []float32) (at int, best, second float32)
	shares    func(x []float32, high float32) (sum, weighted float64)

	widenF16, widenBF16   func(dst []float32, src []byte)
	narrowF16, narrowBF16 func(dst []byte, src []float32)

	quantizeQ8_0, quantizeQ4_0 func(dst []byte, src []float32) (overflows int)

	lineSums   func(x *SubBlocks, id, m *[8]float64, hi float64, q, qq, xq *[8]float64)
	lineErrors func(x *SubBlocks, id, m *[8]float64, hi float64, d, errors *[8]float64)
	lineCodes  func(x *SubBlocks, id, m *[8]float64, hi float64, codes *[blockLen][8]int8)
}

// A tileFunc multiplies tiles of n packed rows with rows of activations, to whose first
// codes the pointers at x lead:
//
//	dst[r·stride+n·t+i] = Σ_b w[t, b, i] · x[r, b]    for t < tiles, i < n
//
// stride counts bytes, and blocks those of the weights' format; both counts are
// positive.
type tileFunc func(dst *float32, stride int, w *byte, x **int8, blocks, tiles int)

// A dotsFunc is Dot of n rows of weights, row bytes apart, with rows of activations:
//
//	dst[r·stride+i] = Σ_k w[i·row, k] · xr[k]    for i < n, k < 8·eights
//
// stride counts bytes.
type dotsFunc func(dst *float32, stride int, w *byte, row int, x0, x1, x2, x3 *float32, eights, n int)

var plain = implementation{
	name:       "plain",
	tileRows:   8,
	interleave: interleavePlain,
	quantize:   quantizePlain,
	attend:     attendPlain,
	dot:        dotPlain,
	rmsNorm:    rmsNormPlain,
	softmax:    softmaxPlain,
	siluMul:    siluMulPlain,
	sigmoid:    sigmoidPlain,
	addScaled:  addScaledPlain,
	greatest:   greatestPlain,
	shares:     sharesPlain,
	widenF16:   widenF16Plain,
	widenBF16:  widenBF16Plain,
	narrowF16:  narrowF16Plain,
	narrowBF16: narrowBF16Plain,

	quantizeQ8_0: quantizeQ8_0Plain,
	quantizeQ4_0: quantizeQ4_0Plain,
	lineSums:     lineSumsPlain,
	lineErrors:   lineErrorsPlain,
	lineCodes:    lineCodesPlain,
}

// Environment is the variable that names the implementation to use; without it
// the fastest is.
const Environment = "LLADA_KERNELS"

var (
	implementations = append(fast(), &plain) // the fastest first
	active          = implementations[0]
	environmentErr  = fromEnvironment()
)

// Implementation returns the name of the implementation in use.
func Implementation() string { return active.name }

// Implementations returns the names of those that this processor can run, the
// fastest first. The last is always "plain".
func Implementations() []string {
	names := make([]string, len(implementations))
	for i, m := range implementations {
		names[i] = m.name
	}
	return names
}

// Assembled returns the types of weights whose products the implementation in use has
// in assembly, in ascending order.
func Assembled() []Type {
	types := append(slices.Collect(maps.Keys(active.tiles)), slices.Collect(maps.Keys(active.dots))...)
	slices.Sort(types)
	return types
}

// Use makes the named implementation the one in use, and returns a function that
// undoes this. It must not be called while anything is being computed.
func Use(name string) (restore func(), err error) {
	for _, m := range implementations {
		if m.name == name {
			before := active
			active = m
			return func() { active = before }, nil
		}
	}
	return nil, fmt.Errorf("there are no kernels %q: this processor and this build have %q", name, Implementations())
}

// EnvironmentError says what is wrong with the value of [Environment], in which
// case the fastest implementation is in use.
func EnvironmentError() error { return environmentErr }

func fromEnvironment() error {
	name := os.Getenv(Environment)
	if name == "" {
		return nil
	}
	if _, err := Use(name); err != nil {
		return fmt.Errorf("%s: %w", Environment, err)
	}
	return nil
}
