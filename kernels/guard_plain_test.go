//go:build unix

package kernels_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"lladakit/kernels"
)

// guarded is memory with a page on either side that may not be touched: an
// access outside of it ends the test program.
type guarded struct {
	pages []byte // what may be touched
}

func newGuarded(t *testing.T, size int) guarded {
	t.Helper()
	page := os.Getpagesize()
	size = (size + page - 1) / page * page
	all, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Munmap(all) })
	require.NoError(t, syscall.Mprotect(all[:page], syscall.PROT_NONE))
	require.NoError(t, syscall.Mprotect(all[page+size:], syscall.PROT_NONE))
	return guarded{pages: all[page : page+size]}
}

// bytes copies data to the start or to the very end.
func (g guarded) bytes(data []byte, atEnd bool) []byte {
	at := 0
	if atEnd {
		at = len(g.pages) - len(data)
	}
	out := g.pages[at : at+len(data) : at+len(data)]
	copy(out, data)
	return out
}

// floats copies values to the start or to the very end.
func (g guarded) floats(values []float32, atEnd bool) []float32 {
	if len(values) == 0 {
		return values
	}
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), 4*len(values))
	return unsafe.Slice((*float32)(unsafe.Pointer(&g.bytes(raw, atEnd)[0])), len(values))
}

// A matrix that lies at the edge of a mapped file, between activations and
// results at the edges of theirs: nothing outside is read or written.
func TestMulStaysInside(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	weights, activations, results, scratch := newGuarded(t, 1<<18), newGuarded(t, 1<<18), newGuarded(t, 1<<18), newGuarded(t, 1<<13)
	for _, l := range layouts {
		for _, cols := range l.lengths() {
			for _, n := range []int{1, 2, 4, 5, 9} {
				for _, atEnd := range []bool{false, true} {
					rows := 1 + r.IntN(20)
					p := l.product(t, r, rows, cols, n)
					p.m.Data = weights.bytes(p.m.Data, atEnd)
					x := activations.floats(p.x, atEnd)
					dst := results.floats(make([]float32, n*rows), atEnd)
					tmp := scratch.floats(make([]float32, cols), atEnd)
					p.m.Mul(dst, x, n, 0, rows, tmp)
					for i, got := range dst {
						require.InDelta(t, p.want[i], got, p.limit[i], "%s, %d × %d with %d: result %d", l.name, rows, cols, n, i)
					}
					p.m.Row(tmp, 0)
					p.m.Row(tmp, rows-1)
				}
			}
		}
	}
}

// The same for vectors of every length.
func TestVectorsStayInside(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 2))
	a, b, c := newGuarded(t, 4096), newGuarded(t, 4096), newGuarded(t, 4096)
	for n := range 101 {
		for _, atEnd := range []bool{false, true} {
			fresh := func() (x, y, z []float32) {
				return a.floats(gaussians(r, n, 1), atEnd), b.floats(gaussians(r, n, 1), atEnd), c.floats(gaussians(r, n, 1), atEnd)
			}
			what := fmt.Sprintf("%d values", n)
			x, y, z := fresh()
			kernels.RMSNorm(z, x, y, 1e-6)
			x, y, z = fresh()
			kernels.SiLUMul(z, x, y)
			x, y, z = fresh()
			kernels.Rope(z, x[:n/2], y[:n/2])
			kernels.Add(x, y)
			kernels.AddScaled(x, y, 0.5)
			require.Equal(t, kernels.Dot(x, y), kernels.Dot(append([]float32(nil), x...), append([]float32(nil), y...)), what)
			kernels.Softmax(x)
			kernels.Sigmoid(y)
			if n > 0 {
				require.Less(t, int(kernels.LogitStats(z, -1).Token), n, what)
			}
		}
	}
}
