package convert

import (
	"context"
	"fmt"
	"io"
	goruntime "runtime"
	"slices"
	"sync"

	"github.com/nlpodyssey/safetensors"

	"lladakit/internal/gguf"
	"lladakit/kernels"
	"lladakit/quant"
)

// What is in memory at a time: two chunks per worker, each with its result and its
// part of the mapped file, 8 bytes a weight at most: 128 MiB for these numbers. A
// chunk is a whole number of rows, and large enough that handing it over costs
// nothing. Its weights are float32 piece by piece: a piece stays in the cache from one
// thing that is done with it to the next.
const (
	chunkWeights = 1 << 18
	pieceWeights = 1 << 13
	maxWorkers   = 32
)

// slack is how far around a chunk pages are given back to the system, beyond
// those that the chunk has. The kernel maps what lies around a page that is
// touched, 64 KiB in most configurations, and so brings back the ends of
// tensors that are long done: with tens of thousands of tensors, hundreds of
// megabytes.
const slack = 256 << 10

// pipeline quantizes tensors in chunks on several workers and writes them in
// order.
type pipeline struct {
	plan      *Plan
	workers   int
	free      []*chunk // buffers to use again
	done      int64    // bytes of the checkpoint's weights
	total     int64
	bad       int64 // of the matrix being written
	nonFinite int64 // of all
}

// chunk is a run of whole rows of one matrix.
type chunk struct {
	m         *matrix
	from      int // byte of the matrix's data
	data      []byte
	rows      int
	cols      int
	last      bool // nothing of m comes after it
	wide      []float32
	out       []byte
	bad       int // infinities and NaNs, of the source or made by the format
	converted chan struct{}
}

func newPipeline(p *Plan) *pipeline {
	workers := p.opt.Threads
	if workers <= 0 {
		workers = goruntime.GOMAXPROCS(0)
	}
	pipe := &pipeline{plan: p, workers: min(workers, maxWorkers)}
	for _, c := range p.contents {
		for _, m := range c.matrices {
			pipe.total += int64(len(m.data))
		}
	}
	return pipe
}

// tensor writes tensor i of the plan to w.
func (p *pipeline) tensor(ctx context.Context, w io.Writer, i int) error {
	info, content := p.plan.Tensors[i], &p.plan.contents[i]
	if content.bytes != nil {
		_, err := w.Write(content.bytes)
		return err
	}
	cols := int(info.Dims[0])
	rows := max(1, chunkWeights/cols)

	work := make(chan *chunk)
	var running sync.WaitGroup
	for range p.workers {
		running.Go(func() {
			for c := range work {
				c.convert(info.Type)
			}
		})
	}
	defer running.Wait() // the workers read mapped files, which the caller may close
	defer close(work)

	// Two chunks per worker are under way: one being converted, one waiting.
	var queue []*chunk
	flush := func(most int) error {
		for len(queue) > most {
			if err := p.write(w, queue[0], info); err != nil {
				return err
			}
			queue = queue[1:]
		}
		return nil
	}
	for k := range content.matrices {
		m := &content.matrices[k]
		row, err := m.layout.RowBytes(cols)
		if err != nil {
			return fmt.Errorf("%s: tensor %q: %w", m.file, m.name, err)
		}
		for from := 0; from < len(m.data); from += rows * row {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := flush(2*p.workers - 1); err != nil {
				return err
			}
			end := min(from+rows*row, len(m.data))
			c := p.chunk()
			c.m, c.from, c.data, c.rows, c.cols = m, from, m.data[from:end], (end-from)/row, cols
			c.last = end == len(m.data)
			queue = append(queue, c)
			work <- c
		}
	}
	return flush(0)
}

// chunk returns an unused chunk.
func (p *pipeline) chunk() *chunk {
	if n := len(p.free); n > 0 {
		c := p.free[n-1]
		p.free = p.free[:n-1]
		return c
	}
	return &chunk{converted: make(chan struct{}, 1)}
}

// write waits for a chunk to be converted, writes it and gives it back.
func (p *pipeline) write(w io.Writer, c *chunk, info gguf.TensorInfo) error {
	<-c.converted
	p.bad += int64(c.bad)
	if c.last {
		if p.bad > 0 && !p.plan.opt.AllowNonFinite {
			return fmt.Errorf("%s: tensor %q: %d weights are not finite as %s", c.m.file, c.m.name, p.bad, info.Type)
		}
		p.nonFinite += p.bad
		p.bad = 0
	}
	if _, err := w.Write(c.out); err != nil {
		return err
	}
	c.m.release(int64(c.from), int64(len(c.data)))
	p.done += int64(len(c.data))
	if p.plan.opt.Progress != nil {
		p.plan.opt.Progress(p.done, p.total)
	}
	p.free = append(p.free, c)
	return nil
}

// convert widens the chunk's weights and quantizes them to t.
func (c *chunk) convert(t gguf.Type) {
	size, err := quant.Bytes(t, c.rows*c.cols)
	if err != nil {
		panic(err) // the recipe gave a type that divides the row
	}
	c.out, c.bad = grow(c.out, size), 0
	from, to := len(c.data)/c.rows, size/c.rows // bytes of a row
	step := max(1, pieceWeights/c.cols)
	for i := 0; i < c.rows; i += step {
		n := min(step, c.rows-i)
		c.wide = grow(c.wide, n*c.cols)
		kernels.Dequantize(c.m.layout, c.wide, c.data[i*from:(i+n)*from])
		c.bad += nonFinite(c.wide)
		c.bad += quant.Quantize(t, c.out[i*to:(i+n)*to], c.wide, c.m.importance)
	}
	c.converted <- struct{}{}
}

// nonFinite counts infinities and NaNs.
func nonFinite(x []float32) (n int) {
	for part := range slices.Chunk(x, len(zeros)) {
		if kernels.Dot(part, zeros[:]) == 0 {
			continue // times zero, they are NaN
		}
		for _, x := range part {
			if x-x != 0 {
				n++
			}
		}
	}
	return n
}

var zeros [1024]float32

// layouts has the layout of each type that a checkpoint may store.
var layouts = map[safetensors.DType]kernels.Type{
	safetensors.F32: kernels.F32, safetensors.F16: kernels.F16, safetensors.BF16: kernels.BF16,
}

// grow returns a slice of length n that uses the memory of s if it can.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
