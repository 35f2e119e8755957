package kernels_test

import (
	goruntime "runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lladakit/kernels"
)

// Every item is worked on once, by one worker at a time, before Run returns.
func TestPoolCoversEveryItemOnce(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 8} {
		p := kernels.NewPool(workers)
		require.Equal(t, workers, p.Workers())
		counts := make([]atomic.Int32, 1000)
		busy := make([]atomic.Bool, workers)
		f := func(worker, lo, hi int) {
			if worker < 0 || worker >= workers || lo >= hi || !busy[worker].CompareAndSwap(false, true) {
				t.Errorf("worker %d of %d got items %d to %d, or two ranges at a time", worker, workers, lo, hi)
				return
			}
			for i := lo; i < hi; i++ {
				counts[i].Add(1)
			}
			busy[worker].Store(false)
		}
		items := []int{999, 1000}
		for n := range 101 {
			items = append(items, n)
		}
		for _, n := range items {
			for _, chunk := range []int{1, 2, 3, 7, 32, 99, 2000} {
				p.Run(n, chunk, f)
				for i := range counts {
					want := int32(0)
					if i < n {
						want = 1
					}
					if got := counts[i].Swap(0); got != want {
						t.Fatalf("%d workers, %d items in chunks of %d: item %d came %d times", workers, n, chunk, i, got)
					}
				}
			}
		}
		p.Close()
	}
}

// Run sees what was written before it, and the caller what the workers wrote.
func TestPoolHandsOverMemory(t *testing.T) {
	p := kernels.NewPool(4)
	defer p.Close()
	in, out := make([]int, 100), make([]int, 100)
	f := func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			out[i] = 3 * in[i]
		}
	}
	for round := range 300 {
		for i := range in {
			in[i] = round + i
		}
		p.Run(len(in), 1, f)
		for i := range out {
			require.Equal(t, 3*(round+i), out[i])
		}
	}
}

func TestPoolDefaultSize(t *testing.T) {
	for _, n := range []int{0, -1} {
		p := kernels.NewPool(n)
		require.Equal(t, goruntime.GOMAXPROCS(0), p.Workers())
		p.Close()
	}
}

// Close ends the workers, and may be called again.
func TestPoolClose(t *testing.T) {
	goroutines := func() int {
		least := goruntime.NumGoroutine()
		for range 100 { // some may be about to end
			time.Sleep(time.Millisecond)
			least = min(least, goruntime.NumGoroutine())
		}
		return least
	}
	before := goroutines()
	for _, n := range []int{1, 2, 16} {
		p := kernels.NewPool(n)
		p.Run(100, 1, func(_, _, _ int) {})
		p.Close()
		p.Close()
	}
	kernels.NewPool(3).Close() // without a run
	require.LessOrEqual(t, goroutines(), before, "workers that do not end")
}

func TestPoolDoesNotAllocate(t *testing.T) {
	for _, workers := range []int{1, 2, 5} {
		p := kernels.NewPool(workers)
		var sum atomic.Int64
		f := func(_, lo, hi int) { sum.Add(int64(hi - lo)) }
		for _, items := range []int{0, 1, 64, 1000} {
			require.Zero(t, testing.AllocsPerRun(20, func() { p.Run(items, 4, f) }), "%d workers, %d items", workers, items)
		}
		require.EqualValues(t, 21*(0+1+64+1000), sum.Load())
		p.Close()
	}
}
